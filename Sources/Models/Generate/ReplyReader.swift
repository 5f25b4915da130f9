/// Reads answers of one provider, whole or streamed, fed in any pieces.
protocol ReplyReader: Sendable {
    init()

    /// Reads bytes of a stream.
    mutating func read(_ bytes: [UInt8], into reply: inout Reply) throws(ModelFault)

    /// Reads what waited for the end of the stream.
    mutating func end(_ reply: inout Reply) throws(ModelFault)

    /// Reads an answer that was not streamed.
    mutating func readWhole(_ body: JSON, into reply: inout Reply) throws(ModelFault)
}

extension ReplyReader {
    mutating func end(_ reply: inout Reply) throws(ModelFault) {}
}

/// A body of either kind: its first byte tells which.
///
/// Servers answer a request for a stream with plain JSON, or an error page, and do not always say so in a
/// header.
struct BodyReader: Sendable {
    private enum Kind { case unknown, stream, json }

    private var reader: any ReplyReader
    private var kind = Kind.unknown
    /// What cannot be read yet: all of a JSON text.
    private var held: [UInt8] = []

    init(_ provider: Provider.Kind) throws(ModelFault) {
        switch provider {
        case .openai, .vllm, .tei: reader = OpenAIReader()
        case .anthropic: reader = AnthropicReader()
        case .bedrock: reader = BedrockReader()
        case .ollama: reader = OllamaReader()
        case .cohere, .jina: throw ModelFault(.badRequest, "a provider of kind \(provider) does not generate")
        }
    }

    mutating func read(_ bytes: [UInt8], into reply: inout Reply) throws(ModelFault) {
        guard kind == .unknown else { return try readOn(bytes, into: &reply) }
        held += bytes
        guard let first = held.first(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }) else { return }
        switch first {
        // Ollama's streams and whole answers are lines of JSON both.
        case 0x7b where !(reader is OllamaReader), 0x5b: kind = .json
        case 0x3c: throw ModelFault(badAnswer: "it is a page, and no JSON")
        default:
            kind = .stream
            defer { held = [] }
            try reader.read(held, into: &reply)
        }
    }

    private mutating func readOn(_ bytes: [UInt8], into reply: inout Reply) throws(ModelFault) {
        if kind == .json { held += bytes } else { try reader.read(bytes, into: &reply) }
    }

    mutating func end(_ reply: inout Reply) throws(ModelFault) {
        guard kind == .json else { return try reader.end(&reply) }
        guard let body = try? JSON(parsing: held) else { throw ModelFault(badAnswer: "it is no JSON") }
        if let error = ProviderError(inAnswer: body) { throw ModelFault(inAnswer: error) }
        try reader.readWhole(body, into: &reply)
    }
}

extension ProviderError {
    /// The error within an answer 200; nil when there is none.
    init?(inAnswer body: JSON) {
        guard let error = body["error"], error != .null, error != "" else { return nil }
        self = ProviderError(body) ?? ProviderError()
    }
}

extension JSON {
    /// One piece of a stream.
    init(piece bytes: some Sequence<UInt8>) throws(ModelFault) {
        do {
            try self.init(parsing: bytes)
        } catch {
            throw ModelFault(badAnswer: "a piece of the stream is no JSON")
        }
        guard isObject else { throw ModelFault(badAnswer: "a piece of the stream is no object") }
    }
}
