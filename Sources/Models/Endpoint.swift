public import HTTP

/// What a call needs besides its payload, and no row of the database has.
public struct CallSettings: Sendable {
    /// The secret that the provider's `credential` names.
    public var credential: [UInt8]?
    /// Which addresses may be reached.
    public var policy: AddressPolicy

    public init(credential: [UInt8]? = nil, policy: AddressPolicy = AddressPolicy()) {
        self.credential = credential
        self.policy = policy
    }

    /// The secret as a header can carry it.
    var secret: String? { credential.map { String(decoding: $0, as: UTF8.self) } }
}

extension Provider {
    /// Whom requests go to, as `HTTPRequest.host` names it: for the rule that says which secrets may.
    public func host() throws(ModelFault) -> String {
        let url = try url("/")
        do {
            return try HTTPRequest("POST", url).host()
        } catch {
            throw ModelFault(error, hasBegun: false)
        }
    }

    /// A POST of JSON, proved to be ours.
    ///
    /// - Parameters:
    ///   - path: with its escapes, as it is sent.
    ///   - now: seconds since 1970.
    func request(
        _ path: String, _ body: JSON, _ settings: CallSettings, limits: HTTPLimits, streams: Bool = false,
        at now: Int
    ) throws(ModelFault) -> HTTPRequest {
        var request = HTTPRequest(
            "POST", try url(path), headers: ["Content-Type": "application/json"], body: body.bytes,
            limits: limits, policy: settings.policy, streams: streams)
        if kind == .anthropic { request.headers.add("anthropic-version", apiVersion ?? "2023-06-01") }
        for field in try proof(of: request, settings.secret, at: now).fields {
            request.headers.add(field.name, field.value)
        }
        return request
    }

    /// The whole address. A base that ends in the path's first part, `/v1`, has it once all the same.
    private func url(_ path: String) throws(ModelFault) -> String {
        guard var base = baseURL ?? regionalURL else {
            throw ModelFault(.badRequest, "the provider has neither base_url nor region")
        }
        guard !base.contains("?"), !base.contains("#") else {
            throw ModelFault(.badRequest, "base_url has a query or a fragment")
        }
        while base.hasSuffix("/") { base.removeLast() }
        let first = path.dropFirst().prefix { $0 != "/" }
        let isThere = !first.isEmpty && base.pathOfURL.hasSuffix("/\(first)")
        return isThere ? base + path.dropFirst(first.count + 1) : base + path
    }

    private var regionalURL: String? {
        guard kind == .bedrock, let region, !region.isEmpty else { return nil }
        return "https://bedrock-runtime.\(region.percentEncoded()).amazonaws.com"
    }

    // MARK: Proof of who asks

    private func proof(of request: HTTPRequest, _ secret: String?, at now: Int) throws(ModelFault)
        -> HTTPHeaders
    {
        let way = authentication ?? usualAuthentication(secret)
        guard way != .absent else { return [:] }
        guard let secret, !secret.isEmpty else {
            throw ModelFault(.authentication, "the provider has no credential")
        }
        guard secret.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
            throw ModelFault(.authentication, "the credential holds what no key has")
        }
        switch way {
        case .bearer: return ["Authorization": "Bearer \(secret)"]
        case .apiKey: return ["x-api-key": secret]
        case .absent: return [:]
        case .sigv4: return try signature(of: request, secret, at: now)
        }
    }

    private func usualAuthentication(_ secret: String?) -> Authentication {
        switch kind {
        case .anthropic: .apiKey
        case .bedrock: secret.flatMap { AWSCredential($0) } == nil ? .bearer : .sigv4
        case .ollama, .tei, .vllm: secret == nil ? .absent : .bearer
        case .openai, .cohere, .jina: .bearer
        }
    }

    private func signature(of request: HTTPRequest, _ secret: String, at now: Int) throws(ModelFault)
        -> HTTPHeaders
    {
        guard let credential = AWSCredential(secret) else {
            throw ModelFault(
                .authentication, "an AWS credential is ACCESS_KEY_ID:SECRET or ACCESS_KEY_ID:SECRET:TOKEN")
        }
        guard let region, !region.isEmpty else {
            throw ModelFault(.badRequest, "a signed request needs a region")
        }
        let host: String
        do {
            host = try request.hostHeader()
        } catch {
            throw ModelFault(error, hasBegun: false)
        }
        let signature = AWSSignature(credential: credential, region: region, service: "bedrock")
        guard
            let headers = signature.headers(
                path: String(request.url.pathOfURL), host: host, contentType: "application/json", body: request.body, at: now)
        else { throw ModelFault(.unavailable, "the request could not be signed") }
        return headers
    }
}

extension String {
    /// What follows a URL's host, of one without a query; empty when nothing does.
    fileprivate var pathOfURL: Substring {
        let afterScheme = firstRange(of: "://").map { self[$0.upperBound...] } ?? self[...]
        return afterScheme.drop { $0 != "/" }
    }
}
