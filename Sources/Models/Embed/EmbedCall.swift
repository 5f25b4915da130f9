public import HTTP

/// Vectors for texts: in batches as large as the provider takes, one after the other.
///
/// A batch that is refused as bad input is halved until the text that is to blame stands alone. That one has
/// no vector then, and all others have theirs.
public struct EmbedCall: ModelCall {
    private let payload: EmbedPayload
    private let settings: CallSettings
    /// What is still to be sent, as indexes of texts; the first is the one under way.
    private var batches: [ArraySlice<Int>]
    private var vectors: [[Float]?]
    private var errors: [Int: String] = [:]
    private var usage: Usage?
    private var model: String?
    private var isUnderWay = false
    /// Texts that were refused before any was taken.
    private var refusals = 0
    private var hasTaken = false

    /// When so many texts are refused, and none is taken, it is not the texts.
    private static let refusalLimit = 8

    public init(_ payload: EmbedPayload, _ settings: CallSettings) throws(ModelFault) {
        guard ![.anthropic, .bedrock, .cohere].contains(payload.provider.kind) else {
            throw ModelFault(.badRequest, "a provider of kind \(payload.provider.kind) does not embed")
        }
        guard payload.capabilities.dimensions > 0 else {
            throw ModelFault(.badRequest, "a vector has dimensions")
        }
        self.payload = payload
        self.settings = settings
        vectors = Array(repeating: nil, count: payload.texts.count)
        batches = payload.batches
        for (index, text) in payload.texts.enumerated() where text.isBlank {
            errors[index] = "the text is empty"
        }
    }

    public mutating func next(at now: Int) throws(ModelFault) -> HTTPRequest? {
        guard let batch = batches.first, !isUnderWay else { return nil }
        isUnderWay = true
        let limits = HTTPLimits(time: Duration(seconds: payload.seconds, default: 60), body: 100_000_000)
        return try payload.provider.request(
            payload.provider.kind == .ollama ? "/api/embed" : "/v1/embeddings", body(batch), settings,
            limits: limits,
            at: now)
    }

    private func body(_ batch: ArraySlice<Int>) -> JSON {
        var body: JSON = [
            "model": .string(payload.model), "input": .array(batch.map { .string(payload.texts[$0]) }),
        ]
        if ![.ollama, .jina].contains(payload.provider.kind) { body.add("encoding_format", "float") }
        if payload.capabilities.sendDimensions {
            body.add("dimensions", .integer(payload.capabilities.dimensions))
        }
        return body
    }

    public mutating func take(_ result: Result<HTTPResponse, HTTPFailure>, at now: Int) throws(ModelFault) {
        guard isUnderWay, let batch = batches.first else { return }
        isUnderWay = false
        do throws(ModelFault) {
            switch result {
            case .failure(let failure): throw ModelFault(failure, hasBegun: false)
            case .success(let response) where 200..<300 ~= response.status: try take(response, for: batch)
            case .success(let response): try divide(batch, ModelFault(response, at: now), response.status)
            }
        } catch {
            throw clean(error, batch)
        }
    }

    private mutating func take(_ response: HTTPResponse, for batch: ArraySlice<Int>) throws(ModelFault) {
        let reply = try EmbedReply(
            response.body, from: payload.provider.kind, count: batch.count,
            width: payload.capabilities.dimensions)
        for (index, vector) in zip(batch, reply.vectors) { vectors[index] = vector }
        if let more = reply.usage { usage = (usage ?? Usage()) + more }
        model = reply.model ?? model
        hasTaken = true
        batches.removeFirst()
    }

    /// Halves a batch that is refused for what is in it; every other refusal is the whole call's.
    private mutating func divide(_ batch: ArraySlice<Int>, _ fault: ModelFault, _ status: Int)
        throws(ModelFault)
    {
        guard [400, 413, 422].contains(status),
            [.badRequest, .contextTooLong, .contentFilter].contains(fault.reason)
        else { throw fault }
        batches.removeFirst()
        if batch.count > 1 {
            let middle = batch.startIndex + batch.count / 2
            batches.insert(contentsOf: [batch[..<middle], batch[middle...]], at: 0)
            return
        }
        refusals += 1
        guard hasTaken || refusals < Self.refusalLimit else { throw fault }
        for index in batch { errors[index] = clean(fault, batch).sentence }
    }

    public func result() throws(ModelFault) -> EmbedResult {
        guard batches.isEmpty else { throw ModelFault(.cutOff, "the vectors have not all come yet") }
        let errors = errors.sorted { $0.key < $1.key }.map {
            EmbedResult.Refusal(index: $0.key, error: $0.value)
        }
        return EmbedResult(
            embeddings: vectors, errors: errors.isEmpty ? nil : errors, usage: usage, model: model)
    }

    /// A sentence can repeat no other texts than were sent.
    private func clean(_ fault: ModelFault, _ batch: ArraySlice<Int>) -> ModelFault {
        Scrubber(credential: settings.secret, prompts: batch.map { payload.texts[$0] }).clean(fault)
    }
}

extension EmbedPayload {
    /// The texts that have words, in batches within the provider's limits. A text above them goes alone.
    fileprivate var batches: [ArraySlice<Int>] {
        var batches: [ArraySlice<Int>] = []
        var (batch, tokens): ([Int], Int) = ([], 0)
        for (index, text) in texts.enumerated() where !text.isBlank {
            let more = text.utf8.count / 3 + 1 // an estimate; a batch that is too large all the same is halved
            let isFull =
                batch.count >= max(1, capabilities.maxInputs)
                || tokens + more > capabilities.maxTokens ?? .max
            if isFull, !batch.isEmpty {
                batches.append(batch[...])
                (batch, tokens) = ([], 0)
            }
            batch.append(index)
            tokens += more
        }
        return batch.isEmpty ? batches : batches + [batch[...]]
    }
}

extension String {
    /// Whether there is nothing in it but ASCII's white space.
    fileprivate var isBlank: Bool { utf8.allSatisfy { $0 <= 0x20 } }
}
