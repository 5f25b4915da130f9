/// Documents by how well they answer a query, the best first. Scores of two models do not compare.
public struct RerankResult: Hashable, Sendable, Encodable {
    /// One document.
    public struct Ranked: Hashable, Sendable, Encodable {
        /// Of the document, as the payload has them.
        public var index: Int
        /// The higher, the better.
        public var score: Double
    }

    /// What the provider counts: tokens, or searches.
    public struct Usage: Hashable, Sendable, Encodable {
        /// Tokens that were read.
        public var input: Int?
        /// What Cohere bills.
        public var searchUnits: Int?

        enum CodingKeys: String, CodingKey {
            case input
            case searchUnits = "search_units"
        }
    }

    /// As many as were asked for.
    public var results: [Ranked]
    /// Nil when the provider tells none.
    public var usage: Usage?
    /// As the answer names it.
    public var model: String?
}
