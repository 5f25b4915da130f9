import HTTP

/// `deliver`: HTTP POST. `{"url", "body", "media_type"?, "headers"?, "credential"?, "idempotency_key"?,
/// "seconds"?}`; the body is text, sent as it is, and the media type is JSON when not given.
///
/// Any status 2xx is success: `{"status", "text" or "base64"}`. The receiver can tell a second delivery of one
/// job by `Idempotency-Key` and `webhook-id`, and its sender by `webhook-signature`, when the payload names a
/// credential. Redirects are not followed: a body is for who was named.
struct Delivery: Equatable {
    private struct Payload: Decodable, Equatable {
        let url: String
        let body: String
        let media_type: String?
        let headers: [String: String]?
        let credential: String?
        let idempotency_key: String?
        let seconds: Double?
    }

    struct Answer: Encodable {
        let status: Int
        let text: String?
        let base64: String?
    }

    private let payload: Payload

    init(payload: String) throws {
        self.payload = try decoded(Payload.self, from: payload, of: "deliver")
    }

    /// - Parameter now: seconds since 1970.
    func request(_ job: Job, _ settings: EffectSettings, at now: Int) throws -> HTTPRequest {
        let body = Array(payload.body.utf8)
        let id = payload.idempotency_key ?? "\(job.traceID)-\(job.id)"
        var headers = try requestHeaders(payload.headers)
        headers.add("Content-Type", payload.media_type ?? "application/json")
        headers.add("Idempotency-Key", id)
        headers.add("webhook-id", id)
        headers.add("webhook-timestamp", "\(now)")
        if job.traceID.utf8.count == 32 {
            headers.add("traceparent", "00-\(job.traceID)-\(spanID(of: job))-01")
        }
        if let name = payload.credential {
            let host = try HTTPRequest("POST", payload.url).host()
            let secret: [UInt8]
            do {
                secret = try settings.credentials.secret(name, for: host)
            } catch {
                throw Failure(error: error.description, fault: .config)
            }
            guard let signature = Signature(secret: secret, id: id, timestamp: now, body: body) else {
                throw Failure(error: "the delivery could not be signed", fault: .config)
            }
            headers.add("webhook-signature", signature.header)
        }
        return HTTPRequest(
            "POST", payload.url, headers: headers, body: body,
            limits: HTTPLimits(time: requestTime(payload.seconds), body: 1_000_000), policy: settings.policy)
    }

    func outcome(_ response: HTTPResponse) -> Outcome {
        guard 200..<300 ~= response.status else {
            return .failed(Failure(status: response.status, headers: response.headers))
        }
        let content = Content(response.body)
        return encoded(Answer(status: response.status, text: content.text, base64: content.base64))
    }

    /// W3C's parent id: this attempt of the job, in sixteen hexadecimal digits, of which one at least is not zero:
    /// the job's number, and in the last five the token of its claim.
    private func spanID(of job: Job) -> String {
        let number = (UInt64(job.id) ?? 1) << 20 | (UInt64(job.token) ?? 0) & 0xfffff
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(16 - digits.count, 0)) + digits
    }
}
