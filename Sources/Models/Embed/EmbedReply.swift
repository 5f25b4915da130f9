/// One answer with vectors, checked.
struct EmbedReply {
    /// In the order of the texts that were sent.
    let vectors: [[Float]]
    let usage: Usage?
    let model: String?

    /// - Parameters:
    ///   - count: how many texts were sent.
    ///   - width: what each vector must have.
    init(_ body: [UInt8], from provider: Provider.Kind, count: Int, width: Int) throws(ModelFault) {
        guard let json = try? JSON(parsing: body) else { throw ModelFault(badAnswer: "it is no JSON") }
        if let error = ProviderError(inAnswer: json) { throw ModelFault(inAnswer: error) }
        vectors = try provider == .ollama ? Self.inOrder(json, count) : Self.byIndex(json, count)
        for vector in vectors {
            guard vector.count == width else {
                throw ModelFault(
                    badAnswer: "a vector has \(vector.count) dimensions, and \(width) were to come")
            }
            guard vector.allSatisfy(\.isFinite) else { throw ModelFault(badAnswer: "a vector is not finite") }
        }
        let input =
            json["usage"]?["prompt_tokens"] ?? json["usage"]?["total_tokens"] ?? json["prompt_eval_count"]
        usage = input?.count.map { Usage(input: $0) }
        model = json["model"]?.text
    }

    /// Ollama's `{"embeddings": [[…]]}`.
    private static func inOrder(_ json: JSON, _ count: Int) throws(ModelFault) -> [[Float]] {
        let rows = json["embeddings"]?.elements ?? []
        guard rows.count == count else { throw wrongCount(rows.count, count) }
        var vectors: [[Float]] = []
        for row in rows { vectors.append(try vector(row)) }
        return vectors
    }

    /// OpenAI's `{"data": [{"index", "embedding"}]}`, in any order.
    private static func byIndex(_ json: JSON, _ count: Int) throws(ModelFault) -> [[Float]] {
        let rows = json["data"]?.elements ?? []
        guard rows.count == count else { throw wrongCount(rows.count, count) }
        var vectors = [[Float]?](repeating: nil, count: count)
        for (place, row) in rows.enumerated() {
            let index = row["index"]?.int ?? place
            guard vectors.indices.contains(index), vectors[index] == nil else {
                throw ModelFault(badAnswer: "its indexes are not those of the texts")
            }
            vectors[index] = try vector(row["embedding"])
        }
        return vectors.compactMap(\.self)
    }

    private static func wrongCount(_ found: Int, _ count: Int) -> ModelFault {
        ModelFault(badAnswer: "it has \(found) vectors, and \(count) were to come")
    }

    /// Numbers, or base64 of them.
    private static func vector(_ json: JSON?) throws(ModelFault) -> [Float] {
        if let text = json?.text, let vector = Base64.floats(text) { return vector }
        let numbers = json?.elements?.map(\.double)
        guard let numbers, numbers.allSatisfy({ $0 != nil }) else {
            throw ModelFault(badAnswer: "a vector is none")
        }
        return numbers.compactMap { $0.map { Float($0) } }
    }
}
