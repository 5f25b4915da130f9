/// Who is asked: a row of the database, as jobs carry it.
public struct Provider: Hashable, Sendable, Decodable {
    /// Whose wire format is spoken.
    public enum Kind: String, Sendable, Decodable, CaseIterable {
        case openai, anthropic, bedrock, ollama, cohere, jina, tei, vllm
    }

    /// How a request proves who asks.
    enum Authentication: String, Sendable, Decodable {
        case bearer, sigv4
        case apiKey = "x-api-key"
        case absent = "none"
    }

    public var kind: Kind
    /// Where paths begin; nil only for Bedrock, whose regions have known hosts.
    var baseURL: String?
    /// The name of a secret. Its value is for the caller to find.
    public var credential: String?
    /// Anthropic's `anthropic-version`.
    var apiVersion: String?
    /// AWS's region.
    var region: String?
    var authentication: Authentication?

    enum CodingKeys: String, CodingKey {
        case kind, credential, region, authentication
        case baseURL = "base_url"
        case apiVersion = "api_version"
    }
}
