/// What a `rerank` job asks for.
public struct RerankPayload: Hashable, Sendable, Decodable {
    /// Whom to ask.
    public var provider: Provider
    var model: String
    var query: String
    var documents: [String]
    /// How many of the best are wanted; all when not given.
    var top: Int?
    /// A minute when not given.
    var seconds: Double?
}
