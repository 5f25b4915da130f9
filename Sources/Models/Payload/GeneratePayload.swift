/// What a `generate` job asks for.
public struct GeneratePayload: Hashable, Sendable, Decodable {
    /// The name of the limit of tokens, which OpenAI's newer models have changed.
    enum TokenField: String, Sendable, Decodable {
        case maxTokens = "max_tokens"
        case maxCompletionTokens = "max_completion_tokens"
    }

    /// What the model and its provider can do. What they cannot is not sent.
    struct Capabilities: Hashable, Sendable, Decodable {
        /// Temperature, top_p, seed.
        var sampling: Bool
        var tokenField: TokenField
        var jsonSchema: Bool
        var tools: Bool
        var stream: Bool
        /// Whether a stream tells usage only when asked to.
        var streamUsage: Bool
        var contextTokens: Int?

        enum CodingKeys: String, CodingKey {
            case sampling, tools, stream
            case tokenField = "token_field"
            case jsonSchema = "json_schema"
            case streamUsage = "stream_usage"
            case contextTokens = "context_tokens"
        }
    }

    /// One thing that was said.
    struct Message: Hashable, Sendable, Decodable {
        enum Role: String, Sendable, Decodable { case user, assistant }

        var role: Role
        var content: String
    }

    /// How the model is to write.
    struct Parameters: Hashable, Sendable, Decodable {
        var maxTokens: Int
        var temperature: Double?
        var topP: Double?
        var stop: [String]?
        var seed: Int?
        var reasoningEffort: String?

        enum CodingKeys: String, CodingKey {
            case temperature, stop, seed
            case maxTokens = "max_tokens"
            case topP = "top_p"
            case reasoningEffort = "reasoning_effort"
        }
    }

    /// What the answer must look like.
    struct Schema: Hashable, Sendable, Decodable {
        var name: String
        var schema: JSON
    }

    /// What the model may ask for instead of answering.
    struct Tool: Hashable, Sendable, Decodable {
        var name: String
        var description: String
        var parameters: JSON
    }

    /// Whom to ask.
    public var provider: Provider
    var model: String
    var capabilities: Capabilities
    var system: String?
    var messages: [Message]
    var parameters: Parameters
    var schema: Schema?
    var tools: [Tool]?
    var stream: Bool
    /// For the whole call; five minutes when not given.
    var seconds: Double?
    /// Until the first token of a stream.
    var firstTokenSeconds: Double?
    /// Between the bytes of a stream.
    var silenceSeconds: Double?

    enum CodingKeys: String, CodingKey {
        case provider, model, capabilities, system, messages, parameters, schema, tools, stream, seconds
        case firstTokenSeconds = "first_token_seconds"
        case silenceSeconds = "silence_seconds"
    }
}

extension GeneratePayload {
    /// Whether the answer is to come bit by bit.
    var streams: Bool { stream && capabilities.stream }

    /// The schema, for a provider that can be held to one.
    var allowedSchema: Schema? { capabilities.jsonSchema ? schema : nil }

    /// The tools, for a model that knows how to call them.
    var allowedTools: [Tool] { capabilities.tools ? tools ?? [] : [] }

    /// The value, for a model that takes parameters of sampling.
    func sampling<Value>(_ value: Value?) -> Value? { capabilities.sampling ? value : nil }

    /// The stop sequences; nil when there are none.
    var stop: JSON? {
        guard let stop = parameters.stop, !stop.isEmpty else { return nil }
        return .array(stop.map { .string($0) })
    }

    /// Everything that was said to the model, for sentences that must not repeat it.
    var prompts: [String] { [system].compactMap(\.self) + messages.map(\.content) }
}
