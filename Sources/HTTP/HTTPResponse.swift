/// What a server answered, whatever its status: a 404 or 500 is an answer, not a failure.
public struct HTTPResponse: Sendable {
    public var status: Int
    /// The header fields of the last answer, without its trailers.
    public var headers: HTTPHeaders
    /// The whole body, decompressed, or nothing of one that was told as it came. A `Content-Encoding` header
    /// then still tells how it travelled.
    public var body: [UInt8]
    /// Where the answer came from, after redirects.
    public var url: String
    public var times: Times

    /// Where the time went. All but `whole` speak of the last redirect's request, from its beginning.
    public struct Times: Hashable, Sendable {
        /// From `start` to the last byte.
        public var whole: Duration
        /// Until the name was looked up.
        public var resolved: Duration
        /// Until the connection, with TLS, stood; zero on a connection that was there already.
        public var connected: Duration
        /// Until the first byte of the answer.
        public var firstByte: Duration

        public init(whole: Duration, resolved: Duration, connected: Duration, firstByte: Duration) {
            self.whole = whole
            self.resolved = resolved
            self.connected = connected
            self.firstByte = firstByte
        }
    }

    public init(status: Int, headers: HTTPHeaders, body: [UInt8], url: String, times: Times) {
        self.status = status
        self.headers = headers
        self.body = body
        self.url = url
        self.times = times
    }
}
