/// Which wire format a path belongs to.
enum WireForm {
    case openAI, anthropic, bedrock, ollama, embeddings, ollamaEmbed, cohereRerank, jinaRerank, teiRerank,
        unknown

    init(path: String) {
        self =
            switch path {
            case "/v1/chat/completions": .openAI
            case "/v1/messages": .anthropic
            case "/api/chat": .ollama
            case "/v1/embeddings": .embeddings
            case "/api/embed": .ollamaEmbed
            case "/v2/rerank": .cohereRerank
            case "/v1/rerank": .jinaRerank
            case "/rerank": .teiRerank
            case _ where path.hasPrefix("/model/"): .bedrock
            default: .unknown
            }
    }
}

/// Errors as each provider words them.
struct ErrorForm {
    enum Kind {
        case rateLimited, quotaUsedUp, serverError, overloaded, unauthorized, unknownModel, contextTooLong,
            badInput
    }

    private struct Words {
        let status: Int
        let name: String
        let message: String

        init(_ status: Int, _ name: String, _ message: String) {
            self.status = status
            self.name = name
            self.message = message
        }
    }

    private let form: WireForm

    init(_ form: WireForm) { self.form = form }

    func step(_ kind: Kind, headers: [(String, String)] = []) -> HTTPStub.Step {
        switch form {
        case .anthropic:
            let words = anthropic(kind)
            return answer(
                words.status,
                [
                    "type": "error", "error": ["type": words.name, "message": words.message],
                    "request_id": "req_1",
                ],
                headers: headers)
        case .bedrock:
            let words = bedrock(kind)
            let type = ("x-amzn-ErrorType", words.name + ":http://internal.amazon.com/coral/")
            return answer(words.status, ["message": words.message], headers: headers + [type])
        case .ollama, .ollamaEmbed:
            let words = openAI(kind)
            return answer(words.status, ["error": words.message], headers: headers)
        case .cohereRerank:
            return answer(openAI(kind).status, ["message": openAI(kind).message], headers: headers)
        case .jinaRerank:
            return answer(openAI(kind).status, ["detail": openAI(kind).message], headers: headers)
        default:
            let words = openAI(kind)
            let error: [String: Any?] = [
                "message": words.message, "type": words.name, "param": nil, "code": words.name,
            ]
            return answer(words.status, ["error": error.mapValues { $0 ?? "" }], headers: headers)
        }
    }

    private func openAI(_ kind: Kind) -> Words {
        switch kind {
        case .rateLimited: Words(429, "rate_limit_exceeded", "Rate limit reached for requests")
        case .quotaUsedUp:
            Words(
                form == .openAI || form == .embeddings ? 429 : 402, "insufficient_quota",
                "You exceeded your current quota")
        case .serverError: Words(500, "server_error", "The server had an error")
        case .overloaded: Words(529, "overloaded", "Overloaded")
        case .unauthorized: Words(401, "invalid_api_key", "Incorrect API key provided: scri********cret")
        case .unknownModel: Words(404, "model_not_found", "The model does not exist")
        case .contextTooLong:
            Words(400, "context_length_exceeded", "This model's maximum context length is 8192 tokens")
        case .badInput: Words(400, "invalid_request_error", "'$.input' is invalid")
        }
    }

    private func anthropic(_ kind: Kind) -> Words {
        switch kind {
        case .rateLimited: Words(429, "rate_limit_error", "This request would exceed your rate limit")
        case .quotaUsedUp: Words(402, "billing_error", "Your credit balance is too low")
        case .serverError: Words(500, "api_error", "Internal server error")
        case .overloaded: Words(529, "overloaded_error", "Overloaded")
        case .unauthorized: Words(401, "authentication_error", "invalid x-api-key")
        case .unknownModel: Words(404, "not_found_error", "model: no-such-model")
        case .contextTooLong:
            Words(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
        case .badInput: Words(400, "invalid_request_error", "messages: invalid")
        }
    }

    private func bedrock(_ kind: Kind) -> Words {
        switch kind {
        case .rateLimited:
            Words(429, "ThrottlingException", "Too many requests, please wait before trying again.")
        case .quotaUsedUp:
            Words(400, "ServiceQuotaExceededException", "Your request exceeds the service quota")
        case .serverError: Words(500, "InternalServerException", "An internal server error occurred")
        case .overloaded: Words(429, "ModelNotReadyException", "The model is not ready")
        case .unauthorized: Words(403, "UnrecognizedClientException", "The security token is invalid.")
        case .unknownModel: Words(404, "ResourceNotFoundException", "Could not resolve the foundation model")
        case .contextTooLong: Words(400, "ValidationException", "Input is too long for requested model.")
        case .badInput: Words(400, "ValidationException", "Malformed input request")
        }
    }
}
