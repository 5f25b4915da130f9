import HTTP

extension ModelFault {
    /// What an answer that says no means.
    ///
    /// - Parameter now: seconds since 1970.
    init(_ response: HTTPResponse, at now: Int) {
        let json = try? JSON(parsing: response.body)
        var error = json.flatMap { ProviderError($0) } ?? ProviderError()
        if let type = response.headers["x-amzn-ErrorType"] { error.name = String(type.prefix { $0 != ":" }) }
        let reason = Reason(error, status: response.status)
        self.init(
            reason, explanation(reason, error, status: response.status),
            retryAfter: RetryAfter.delay(in: response.headers, now: now),
            advice: response.headers["x-should-retry"].flatMap { ["true": true, "false": false][$0] })
    }

    /// What an error within an answer that had begun well means.
    init(inAnswer error: ProviderError) {
        let reason = Reason(error, status: error.status ?? 500)
        self.init(reason, explanation(reason, error, status: nil))
    }

    /// What a transfer without an answer means.
    ///
    /// - Parameter hasBegun: whether part of an answer had come.
    init(_ failure: HTTPFailure, hasBegun: Bool) {
        let reason: Reason =
            switch failure {
            case .timedOut(.connecting): .unavailable
            case .timedOut: .timeout
            case .brokenAnswer: hasBegun ? .cutOff : .unavailable
            case .cancelled: .cutOff
            case .couldNotResolve, .couldNotConnect, .tls, .unavailable: .unavailable
            case .tooLarge, .tooManyRedirects: .badAnswer
            case .badRequest, .badURL, .schemeRefused, .addressRefused: .badRequest
            }
        self.init(reason, "\(reason.words): \(failure)")
    }

    /// An answer that is not what was to come.
    init(badAnswer what: String) { self.init(.badAnswer, "\(Reason.badAnswer.words): \(what)") }

    /// A line, an event or a frame above its limit, in bytes.
    init(partAbove limit: Int) { self.init(badAnswer: "a part of it is larger than \(limit) bytes") }
}

private func explanation(_ reason: ModelFault.Reason, _ error: ProviderError, status: Int?) -> String {
    let marks = [status.map { "HTTP \($0)" }, error.name.map { String($0.prefix(60)) }].compactMap(\.self)
    let place = marks.isEmpty ? "" : " (\(marks.joined(separator: ", ")))"
    return reason.words + place + (error.message.map { ": \($0)" } ?? "")
}

extension ModelFault.Reason {
    /// By the error's name, where it says more than the status does.
    init(_ error: ProviderError, status: Int) {
        let named = error.name.flatMap { reasons[$0.lowercased()] }
        let byStatus = Self(status: status)
        // A bad request and a lack of room are told apart by words alone at most providers.
        let mayBeTooLong = named == .badRequest || named == nil && byStatus == .badRequest
        if mayBeTooLong, let message = error.message?.lowercased(),
            tooLong.contains(where: { message.contains($0) })
        {
            self = .contextTooLong
        } else {
            self = named ?? byStatus
        }
    }

    private init(status: Int) {
        switch status {
        case 300..<400: self = .notFound
        case 401, 403: self = .authentication
        case 402: self = .quota
        case 404: self = .notFound
        case 408, 504: self = .timeout
        case 413: self = .contextTooLong
        case 429: self = .rateLimited
        case 409, 424: self = .unavailable
        case 529: self = .overloaded
        case 400..<500: self = .badRequest
        case 500...: self = .unavailable
        default: self = .badAnswer
        }
    }
}

/// What errors are called, in lower case. No name means two things at two providers.
private let reasons: [String: ModelFault.Reason] = [
    // OpenAI, Azure and servers that speak like them
    "rate_limit_exceeded": .rateLimited, "insufficient_quota": .quota, "billing_hard_limit_reached": .quota,
    "billing_not_active": .quota, "context_length_exceeded": .contextTooLong,
    "string_above_max_length": .contextTooLong,
    "content_filter": .contentFilter, "content_policy_violation": .contentFilter,
    "responsibleaipolicyviolation": .contentFilter, "invalid_api_key": .authentication,
    "model_not_found": .notFound,
    "deploymentnotfound": .notFound, "invalid_request_error": .badRequest, "server_error": .unavailable,
    "engine_overloaded": .overloaded, "badrequesterror": .badRequest,
    // Anthropic
    "rate_limit_error": .rateLimited, "overloaded_error": .overloaded, "billing_error": .quota,
    "authentication_error": .authentication, "permission_error": .authentication,
    "not_found_error": .notFound,
    "request_too_large": .contextTooLong, "timeout_error": .timeout, "api_error": .unavailable,
    // Bedrock
    "throttlingexception": .rateLimited, "servicequotaexceededexception": .quota,
    "modelnotreadyexception": .overloaded,
    "modeltimeoutexception": .timeout, "modelerrorexception": .unavailable,
    "modelstreamerrorexception": .unavailable,
    "serviceunavailableexception": .unavailable, "internalserverexception": .unavailable,
    "validationexception": .badRequest, "accessdeniedexception": .authentication,
    "resourcenotfoundexception": .notFound, "unrecognizedclientexception": .authentication,
    "invalidsignatureexception": .authentication, "expiredtokenexception": .authentication,
    "missingauthenticationtokenexception": .authentication, "incompletesignatureexception": .authentication,
    // Text Embeddings Inference
    "overloaded": .overloaded, "validation": .badRequest, "tokenizer": .badRequest, "backend": .unavailable,
]

/// How providers say that a prompt does not fit.
private let tooLong = [
    "maximum context length", "context window", "context length", "prompt is too long", "input is too long",
    "too many tokens", "available context size", "input length and `max_tokens` exceed",
    "must have less than",
    "input tokens exceed", "exceed context limit",
]
