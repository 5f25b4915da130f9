/// What a stream has told.
public enum GenerateEvent: Hashable, Sendable {
    /// More of the text.
    case text(String)
    /// More of a call: its name at its beginning, then pieces of the JSON of its arguments.
    case toolCall(index: Int, name: String?, arguments: String)
    /// The tokens so far; a later count stands for an earlier one.
    case usage(Usage)
    /// That there is no more.
    case finish(Finish)

    /// Whether it is part of the answer itself, and not about it.
    public var isAnswer: Bool {
        switch self {
        case .text, .toolCall: true
        case .usage, .finish: false
        }
    }
}

/// Why a model has stopped.
public enum Finish: String, Hashable, Sendable, Encodable {
    case stop
    /// The limit of tokens, or the end of the context.
    case length
    case toolCalls = "tool_calls"
}
