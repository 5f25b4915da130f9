import Foundation

/// Answers with vectors.
struct EmbedForm {
    private let texts: [String]
    private let vectors: [[Float]]
    private let behaviour: ScriptedProvider.Behaviour
    private let isBase64: Bool

    init(texts: [String], width: Int, behaviour: ScriptedProvider.Behaviour, fields: [String: Any]) {
        self.texts = texts
        self.behaviour = behaviour
        vectors = texts.map { ScriptedAnswer.vector($0, width: width) }
        isBase64 = behaviour == .base64 || fields["encoding_format"] as? String == "base64"
    }

    var openAI: [String: Any] {
        var rows = vectors.enumerated().map { index, vector in
            let embedding: Any = isBase64 ? base64(vector) : vector.map { Double($0) }
            return [
                "object": "embedding", "index": behaviour == .wrongCount ? 0 : index, "embedding": embedding,
            ]
                as [String: Any]
        }
        if behaviour == .base64 { rows.reverse() }
        if behaviour == .wrongCount, rows.count == 1 { rows = [] }
        var body: [String: Any] = ["object": "list", "data": rows, "model": ScriptedAnswer.model]
        if behaviour != .noUsage {
            body["usage"] = ["prompt_tokens": texts.count, "total_tokens": texts.count]
        }
        return body
    }

    var ollama: [String: Any] {
        let rows = vectors.map { $0.map { Double($0) } }
        return [
            "model": ScriptedAnswer.model,
            "embeddings": behaviour == .wrongCount ? Array(rows.dropLast()) : rows,
            "prompt_eval_count": texts.count, "total_duration": 1,
        ]
    }

    private func base64(_ vector: [Float]) -> String {
        vector.reduce(into: Data()) { data, number in
            withUnsafeBytes(of: number.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }.base64EncodedString()
    }
}

/// Answers with an order of documents.
struct RerankForm {
    private let form: WireForm
    private let rows: [[String: Any]]

    init(_ form: WireForm, _ fields: [String: Any]) {
        self.form = form
        let documents = fields["documents"] as? [String] ?? fields["texts"] as? [String] ?? []
        let query = fields["query"] as? String ?? ""
        let name = form == .teiRerank ? "score" : "relevance_score"
        let ranked = documents.indices.map { ($0, ScriptedAnswer.score(documents[$0], query: query)) }
            .sorted { $0.1 > $1.1 }
        rows = ranked.prefix(fields["top_n"] as? Int ?? .max).map { ["index": $0, name: $1] }
    }

    var body: Any {
        switch form {
        case .teiRerank: rows
        case .jinaRerank: ["model": ScriptedAnswer.model, "usage": ["total_tokens": 21], "results": rows]
        default: ["id": "r", "results": rows, "meta": ["billed_units": ["search_units": 1]]]
        }
    }
}
