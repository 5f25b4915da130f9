public import HTTP

/// The order of documents for one query.
public struct RerankCall: ModelCall {
    private let payload: RerankPayload
    private let settings: CallSettings
    private let scrubber: Scrubber
    private var isStarted = false
    private var answer: RerankResult?

    public init(_ payload: RerankPayload, _ settings: CallSettings) throws(ModelFault) {
        guard [.cohere, .jina, .tei, .vllm].contains(payload.provider.kind) else {
            throw ModelFault(.badRequest, "a provider of kind \(payload.provider.kind) does not rerank")
        }
        self.payload = payload
        self.settings = settings
        scrubber = Scrubber(credential: settings.secret, prompts: [payload.query] + payload.documents)
        if payload.documents.isEmpty { answer = RerankResult(results: []) }
    }

    /// How many documents are wanted back.
    private var top: Int { min(max(payload.top ?? .max, 1), payload.documents.count) }

    public mutating func next(at now: Int) throws(ModelFault) -> HTTPRequest? {
        guard !isStarted, answer == nil else { return nil }
        isStarted = true
        let limits = HTTPLimits(time: Duration(seconds: payload.seconds, default: 60))
        return try payload.provider.request(path, body, settings, limits: limits, at: now)
    }

    private var path: String {
        switch payload.provider.kind {
        case .cohere: "/v2/rerank"
        case .tei: "/rerank"
        default: "/v1/rerank"
        }
    }

    private var body: JSON {
        let documents = JSON.array(payload.documents.map { .string($0) })
        if payload.provider.kind == .tei {
            return [
                "query": .string(payload.query), "texts": documents, "raw_scores": false, "truncate": true,
            ]
        }
        var body: JSON = [
            "model": .string(payload.model), "query": .string(payload.query), "documents": documents,
            "top_n": .integer(top),
        ]
        if payload.provider.kind == .jina { body.add("return_documents", false) }
        return body
    }

    public mutating func take(_ result: Result<HTTPResponse, HTTPFailure>, at now: Int) throws(ModelFault) {
        do throws(ModelFault) {
            switch result {
            case .failure(let failure): throw ModelFault(failure, hasBegun: false)
            case .success(let response):
                guard 200..<300 ~= response.status else { throw ModelFault(response, at: now) }
                answer = try RerankResult(response.body, count: payload.documents.count, top: top)
            }
        } catch {
            throw scrubber.clean(error)
        }
    }

    public func result() throws(ModelFault) -> RerankResult {
        guard let answer else { throw ModelFault(.cutOff, "the order has not come yet") }
        return answer
    }
}
