/// One request of a transfer: the first, or one that a redirect led to.
struct Hop {
    let url: HTTPURL
    let method: String
    let headers: HTTPHeaders
    let body: [UInt8]

    init(_ request: HTTPRequest) throws(HTTPFailure) {
        url = try HTTPURL(request.url)
        method = request.method
        headers = request.headers
        body = request.body
    }

    private init(url: HTTPURL, method: String, headers: HTTPHeaders, body: [UInt8]) {
        self.url = url
        self.method = method
        self.headers = headers
        self.body = body
    }

    /// The request that a redirect asks for (RFC 9110, 15.4); nil when the status is not one to follow.
    ///
    /// Another origin gets only what says nothing of who asks. libcurl would take away `Authorization` and
    /// `Cookie` and go on sending `x-api-key`: that is why redirects are followed here and not there.
    func following(status: Int, to location: String) throws(HTTPFailure) -> Hop? {
        guard [301, 302, 303, 307, 308].contains(status) else { return nil }
        let target = try HTTPURL(location)
        let becomesGet = method != "HEAD" && (status == 303 || status < 303 && method == "POST")
        let kept = headers.filter { field in
            let name = field.name.asciiLowercased
            if becomesGet && name.hasPrefix("content-") { return false }
            return url.isSameOrigin(as: target) || anonymousHeaders.contains(name)
        }
        return Hop(
            url: target, method: becomesGet ? "GET" : method, headers: kept, body: becomesGet ? [] : body)
    }
}

/// The headers that may go to another origin.
private let anonymousHeaders: Set<String> = [
    "accept", "accept-encoding", "accept-language", "cache-control", "content-encoding", "content-language",
    "content-type", "if-modified-since", "if-none-match", "range", "user-agent",
]
