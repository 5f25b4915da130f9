import FoundationEssentials
import Models

// What models do: `generate` an answer, `embed` texts, `rerank` documents. Payloads and results are those of the
// module Models; what is added here are secrets, by name, for the hosts they are for.

extension EffectSettings {
    /// The call a job asks for, and whom it goes to.
    func modelCall(_ job: Job) throws -> (call: any ModelCall, provider: Provider) {
        switch job.kind {
        case "generate":
            let payload = try modelPayload(GeneratePayload.self, of: job)
            return (try GenerateCall(payload, callSettings(for: payload.provider)), payload.provider)
        case "embed":
            let payload = try modelPayload(EmbedPayload.self, of: job)
            return (try EmbedCall(payload, callSettings(for: payload.provider)), payload.provider)
        default:
            let payload = try modelPayload(RerankPayload.self, of: job)
            return (try RerankCall(payload, callSettings(for: payload.provider)), payload.provider)
        }
    }

    private func callSettings(for provider: Provider) throws -> CallSettings {
        guard let name = provider.credential else { return CallSettings(policy: policy) }
        do {
            return CallSettings(credential: try credentials.secret(name, for: provider.host()), policy: policy)
        } catch let refusal as Credentials.Refusal {
            throw Failure(
                error: refusal.description, fault: .config, reason: ModelFault.Reason.authentication.rawValue)
        }
    }
}

/// A payload that cannot be read today cannot be read tomorrow.
private func modelPayload<Payload: Decodable>(_ type: Payload.Type, of job: Job) throws -> Payload {
    do {
        return try decoded(type, from: job.payload, of: job.kind)
    } catch var failure as Failure {
        failure.reason = ModelFault.Reason.badRequest.rawValue
        failure.isFinal = true
        throw failure
    }
}

/// A model's answer as a job's result: names are as they are, for some are of tools and their arguments.
func modelResult(_ answer: any Encodable) -> Outcome {
    if let vectors = answer as? EmbedResult {
        return .finished(result: String(decoding: vectors.json, as: UTF8.self))
    }
    var answer = answer
    if var generated = answer as? GenerateResult {
        generated.text = generated.text.withoutZeros
        answer = generated
    }
    do {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        return .finished(result: String(decoding: try encoder.encode(answer), as: UTF8.self))
    } catch {
        return .failed(Failure(error: "the result cannot be written as JSON"))
    }
}

extension Failure {
    /// What a fault of a model means for its job. Nobody who has read half an answer is to see another one
    /// begin, so what was passed on is not tried again.
    init(_ fault: ModelFault) {
        let whose: Fault =
            switch fault.reason {
            case .rateLimited: .rate
            case .cutOff where fault.hasPassedOn: .item
            case .overloaded, .unavailable, .timeout, .cutOff: .provider
            case .quota, .authentication, .notFound: .config
            case .contentFilter, .refusal, .contextTooLong, .badRequest, .badAnswer: .item
            }
        self.init(
            error: fault.sentence, fault: whose, retryAfter: fault.retryAfter, reason: fault.reason.rawValue,
            isFinal: whose != .config && !fault.mayRetry)
    }
}
