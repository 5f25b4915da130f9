/// Vectors, one for each text.
public struct EmbedResult: Hashable, Sendable, Encodable {
    /// Why one text has no vector.
    public struct Refusal: Hashable, Sendable, Encodable {
        /// Of the text, as the payload has them.
        public var index: Int
        /// A sentence that does not repeat the text.
        public var error: String
    }

    /// In the order of the texts; nil where `errors` says why.
    public var embeddings: [[Float]?]
    /// Nil when there are none.
    public var errors: [Refusal]?
    /// Of all requests together; nil when the provider tells none.
    public var usage: Usage?
    /// As the answer names it.
    public var model: String?
}
