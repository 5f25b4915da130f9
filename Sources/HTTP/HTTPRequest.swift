/// One question to a server, and how much of its time and words we take.
public struct HTTPRequest: Sendable {
    public var method: String
    /// An `http` or `https` URL without a user name or password: a credential belongs in a header.
    public var url: String
    public var headers: HTTPHeaders
    public var body: [UInt8]
    public var limits: HTTPLimits
    public var policy: AddressPolicy
    /// Whether the body of an answer 2xx is told by `HTTPClient.received` as it comes, and not kept for the
    /// response.
    public var streams: Bool

    public init(
        _ method: String = "GET", _ url: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
        limits: HTTPLimits = HTTPLimits(), policy: AddressPolicy = AddressPolicy(), streams: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.limits = limits
        self.policy = policy
        self.streams = streams
    }

    /// Refuses what would make the bytes on the wire mean something else than the request says.
    func check() throws(HTTPFailure) {
        guard method.isToken else { throw .badRequest("the method is no HTTP method") }
        guard method != "HEAD" || body.isEmpty else { throw .badRequest("HEAD has no body") }
        for field in headers.fields {
            guard field.name.isToken else { throw .badRequest("a header's name is no HTTP token") }
            guard !ownHeaders.contains(field.name.asciiLowercased) else {
                throw .badRequest("the header \(field.name) is written by the client itself")
            }
            guard field.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
                throw .badRequest("the header \(field.name) holds a control character")
            }
        }
    }
}

/// Headers that follow from URL and body. A second opinion on them is how one request becomes two.
private let ownHeaders: Set<String> = [
    "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "expect",
]

/// How long and how large a transfer may get before it is ended.
public struct HTTPLimits: Hashable, Sendable {
    /// From `start` to the last byte: waiting for a free connection and all redirects included.
    public var time: Duration
    /// To look up a name, connect and agree on TLS.
    public var connect: Duration
    /// From `start` to the first byte of the body.
    public var firstByte: Duration?
    /// Between one byte of the body and the next, or its end.
    public var silence: Duration?
    /// Bytes of the body, after decompression.
    public var body: Int
    /// Bytes of all heads and trailers of one answer. libcurl itself ends a single line above 100 kB.
    public var headers: Int
    /// How many redirects are followed. With none, an answer 3xx is a response like any other.
    public var redirects: Int
    /// Ends a transfer that goes on, but too slowly.
    public var slowness: Slowness?

    /// Fewer bytes a second than this, for that long, is too slow.
    ///
    /// The wait for the first byte counts too: a model that thinks before it answers needs a long `time`.
    public struct Slowness: Hashable, Sendable {
        public var bytesPerSecond: Int
        /// In whole seconds, at least one.
        public var time: Duration

        public init(bytesPerSecond: Int, for time: Duration) {
            self.bytesPerSecond = bytesPerSecond
            self.time = time
        }
    }

    public init(
        time: Duration = .seconds(60), connect: Duration = .seconds(10), body: Int = 10_000_000,
        headers: Int = 65_536, redirects: Int = 0, slowness: Slowness? = nil, firstByte: Duration? = nil,
        silence: Duration? = nil
    ) {
        self.time = time
        self.connect = connect
        self.firstByte = firstByte
        self.silence = silence
        self.body = body
        self.headers = headers
        self.redirects = redirects
        self.slowness = slowness
    }
}
