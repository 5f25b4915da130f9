extension RerankResult {
    /// Reads an answer in any of its shapes: `{"results": […]}`, or the results alone; the score by either
    /// name.
    ///
    /// - Parameters:
    ///   - count: how many documents were sent.
    ///   - top: how many are wanted.
    init(_ body: [UInt8], count: Int, top: Int) throws(ModelFault) {
        guard let json = try? JSON(parsing: body) else { throw ModelFault(badAnswer: "it is no JSON") }
        if let error = ProviderError(inAnswer: json) { throw ModelFault(inAnswer: error) }
        guard let rows = json["results"]?.elements ?? json.elements else {
            throw ModelFault(badAnswer: "it has no results")
        }
        var ranked: [Ranked] = []
        var seen: Set<Int> = []
        for row in rows {
            guard let index = row["index"]?.int, 0..<count ~= index, seen.insert(index).inserted else {
                throw ModelFault(badAnswer: "its indexes are not those of the documents")
            }
            guard let score = (row["relevance_score"] ?? row["score"])?.double else {
                throw ModelFault(badAnswer: "a document has no score")
            }
            ranked.append(Ranked(index: index, score: score))
        }
        let expected = min(top, count)
        guard ranked.count >= expected else {
            throw ModelFault(badAnswer: "it has \(ranked.count) results, and \(expected) were to come")
        }
        ranked.sort { ($1.score, $0.index) < ($0.score, $1.index) }
        results = Array(ranked.prefix(expected))
        let units = json["meta"]?["billed_units"]?["search_units"]?.count
        let tokens = (json["usage"]?["total_tokens"] ?? json["usage"]?["prompt_tokens"])?.count
        usage = units == nil && tokens == nil ? nil : Usage(input: tokens, searchUnits: units)
        model = json["model"]?.text
    }
}
