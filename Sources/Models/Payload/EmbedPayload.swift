/// What an `embed` job asks for.
public struct EmbedPayload: Hashable, Sendable, Decodable {
    /// What the model and its provider can do.
    struct Capabilities: Hashable, Sendable, Decodable {
        /// The width of every vector.
        var dimensions: Int
        /// Whether the model lets its width be chosen.
        var sendDimensions: Bool
        /// Texts in one request.
        var maxInputs: Int
        /// Tokens in one request.
        var maxTokens: Int?

        enum CodingKeys: String, CodingKey {
            case dimensions
            case sendDimensions = "send_dimensions"
            case maxInputs = "max_inputs"
            case maxTokens = "max_tokens"
        }
    }

    /// Whom to ask.
    public var provider: Provider
    var model: String
    var capabilities: Capabilities
    var texts: [String]
    /// For each request; a minute when not given.
    var seconds: Double?
}
