import Foundation

/// A provider of models on the loopback address that speaks the wire format its caller speaks, by the path it
/// asks for, and behaves as it is told: for chat (OpenAI, Anthropic, Bedrock, Ollama), embeddings and
/// reranking.
///
/// What it says is always the same: `ScriptedAnswer`.
public final class ScriptedProvider: Sendable {
    /// How it behaves. What makes no sense for a request is `normal` there.
    public enum Behaviour: String, CaseIterable, Sendable {
        case normal
        /// A third of a second before the first token, in which the head has come already.
        case slowFirstToken
        /// A few milliseconds between two bytes.
        case slowStream
        /// Each byte by itself.
        case splitBytes
        case carriageReturns
        /// Comments before, between and after the events.
        case comments
        case missingDone
        case usageOnChoice
        case usageOnEveryChunk
        case noUsage
        /// Plain JSON although a stream was asked for.
        case wholeForStream
        case errorAfterStart
        /// The connection ends in order, in the middle of the answer.
        case cutOff
        /// The connection is reset there.
        case reset
        /// Silence there.
        case silent
        /// 429 with `Retry-After` in seconds.
        case rateLimited
        /// 429 with `retry-after-ms`.
        case rateLimitedMilliseconds
        /// 429 with the times at which the rate limits are full again.
        case rateLimitedReset
        /// 429, or what the provider has for it, of which waiting does not help.
        case quotaUsedUp
        case serverError
        case overloaded
        case unauthorized
        case unknownModel
        case contextTooLong
        case filtered
        case refused
        /// A page of HTML with status 200.
        case page
        /// The same with status 502.
        case pageError
        /// Ten megabytes of what nobody asked for.
        case huge
        case wrongJSON
        /// Vectors with one number too many.
        case wrongWidth
        /// One vector too few, or an index twice.
        case wrongCount
        /// Vectors in base64, the last first.
        case base64
        /// 400 for every batch that holds the text `bad`.
        case badText
    }

    private let stub: HTTPStub

    public init(_ behaviour: Behaviour = .normal) throws {
        stub = try HTTPStub { request in ScriptedReply(request, behaviour).steps }
    }

    /// Where it is: the base of all paths.
    public var url: String { stub.url }

    /// What has been asked, in order.
    public var requests: [HTTPStub.Request] { stub.requests }
}

/// What a `ScriptedProvider` says.
public enum ScriptedAnswer {
    /// Of one, two, three and four bytes a character.
    public static let pieces = ["Grüße", " from", " «Café»", " 👋🏽", "."]
    public static var text: String { pieces.joined() }
    public static let model = "scripted-1"
    public static let requestID = "req-scripted"
    /// The tool it calls, when it is given any.
    public static let tool = "look_up"
    /// The arguments as JSON, and where a stream cuts them.
    public static let arguments = ["{\"city\":\"Zü", "rich\",", "\"days\":3}"]
    /// All that was read; of these 3 from a cache, and at Anthropic and Bedrock 2 into it.
    public static let (input, cached, written, output) = (16, 3, 2, 7)
    /// Of the output, at OpenAI.
    public static let reasoning = 4

    /// The vector of a text: of its length and its first byte, so that an exchanged order is seen.
    public static func vector(_ text: String, width: Int) -> [Float] {
        (0..<width).map { Float(text.utf8.count) + Float(text.utf8.first ?? 0) / 256 + Float($0) * 0.5 }
    }

    /// The score of a document: the nearer its length is to the query's, the higher.
    public static func score(_ document: String, query: String) -> Double {
        1 / (1 + abs(Double(document.utf8.count - query.utf8.count)))
    }
}
