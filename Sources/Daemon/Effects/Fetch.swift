import HTTP

/// `fetch`: HTTP GET. `{"url", "headers"?, "seconds"?, "max_bytes"?, "redirects"?}`, of which the last three
/// are 30, 10 MB and 5 when not given.
///
/// The result is `{"status", "url", "media_type", "etag", "last_modified", "robots": [the values of its
/// X-Robots-Tag], "text" or "base64"}`; 304, 404 and 410 are results, too: that something has not changed, or is
/// gone, is an answer.
struct Fetch: Equatable {
    private struct Payload: Decodable, Equatable {
        let url: String
        let headers: [String: String]?
        let seconds: Double?
        let max_bytes: Int?
        let redirects: Int?
    }

    struct Answer: Encodable {
        let status: Int
        let url: String
        let mediaType: String?
        let etag: String?
        let lastModified: String?
        let robots: [String]?
        let text: String?
        let base64: String?
    }

    private let payload: Payload

    init(payload: String) throws {
        self.payload = try decoded(Payload.self, from: payload, of: "fetch")
    }

    func request(_ settings: EffectSettings) throws -> HTTPRequest {
        HTTPRequest(
            "GET", payload.url, headers: try requestHeaders(payload.headers),
            limits: HTTPLimits(
                time: requestTime(payload.seconds), body: min(max(payload.max_bytes ?? 10_000_000, 0), 100_000_000),
                redirects: min(max(payload.redirects ?? 5, 0), 20)),
            policy: settings.policy)
    }

    func outcome(_ response: HTTPResponse) -> Outcome {
        guard 200..<300 ~= response.status || [304, 404, 410].contains(response.status) else {
            return .failed(Failure(status: response.status, headers: response.headers))
        }
        let content = Content(response.body)
        let robots = response.headers.all("X-Robots-Tag")
        return encoded(
            Answer(
                status: response.status, url: response.url, mediaType: response.headers["Content-Type"],
                etag: response.headers["ETag"], lastModified: response.headers["Last-Modified"],
                robots: robots.isEmpty ? nil : robots, text: content.text, base64: content.base64))
    }
}

/// Headers of a payload, which may not name a secret: those are the daemon's to add.
func requestHeaders(_ given: [String: String]?) throws -> HTTPHeaders {
    var headers = HTTPHeaders()
    for (name, value) in (given ?? [:]).sorted(by: { $0.key < $1.key }) {
        guard !["authorization", "proxy-authorization", "cookie"].contains(name.lowercased()) else {
            throw Failure(error: "the header \(name) is not a payload's to set: secrets are named, not written down")
        }
        headers.add(name, value)
    }
    return headers
}

/// Half a minute unless somebody says otherwise, and never more than an hour.
func requestTime(_ seconds: Double?) -> Duration {
    guard let seconds, seconds.isFinite else { return .seconds(30) }
    return .milliseconds(Int64(min(max(seconds, 0.1), 3600) * 1000))
}
