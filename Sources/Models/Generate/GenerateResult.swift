/// What a model has answered.
public struct GenerateResult: Hashable, Sendable, Encodable {
    /// A tool the model wants to be called.
    public struct ToolCall: Hashable, Sendable, Encodable {
        /// As the payload names it.
        public var name: String
        /// What the model wrote: a text where that is no JSON.
        public var arguments: JSON
    }

    /// All of it, whether it came in pieces or not.
    public var text: String
    /// Nil when there are none.
    public var toolCalls: [ToolCall]?
    /// Why it ends.
    public var finish: Finish
    /// Nil when the provider tells none.
    public var usage: Usage?
    /// `reported` when there is usage.
    public var usageSource: String?
    /// As the answer names it.
    public var model: String?
    /// The provider's name for the call, to ask them about it.
    public var requestID: String?
    /// Of a stream.
    public var firstTokenMilliseconds: Int?
    /// From the request to the last byte.
    public var totalMilliseconds: Int?

    enum CodingKeys: String, CodingKey {
        case text, finish, usage, model
        case toolCalls = "tool_calls"
        case usageSource = "usage_source"
        case requestID = "request_id"
        case firstTokenMilliseconds = "first_token_ms"
        case totalMilliseconds = "total_ms"
    }
}
