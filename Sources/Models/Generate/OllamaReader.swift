/// Ollama's chat: lines of JSON, of which a whole answer is one.
struct OllamaReader: ReplyReader {
    private var lines = NewlineJSON()

    init() {}

    mutating func read(_ bytes: [UInt8], into reply: inout Reply) throws(ModelFault) {
        lines.append(bytes)
        while let line = try lines.next() { try take(line, &reply) }
    }

    mutating func end(_ reply: inout Reply) throws(ModelFault) {
        guard reply.finish == nil, let line = lines.rest() else { return }
        // Half a line is what a broken connection leaves.
        guard (try? JSON(parsing: line)) != nil || reply.text.isEmpty else {
            throw ModelFault(.cutOff, "\(ModelFault.Reason.cutOff.words): it ends within a line")
        }
        try take(line, &reply)
    }

    mutating func readWhole(_ body: JSON, into reply: inout Reply) throws(ModelFault) {
        try take(body, &reply)
    }

    private func take(_ line: ArraySlice<UInt8>, _ reply: inout Reply) throws(ModelFault) {
        try take(try JSON(piece: line), &reply)
    }

    private func take(_ line: JSON, _ reply: inout Reply) throws(ModelFault) {
        if let error = ProviderError(inAnswer: line) { throw ModelFault(inAnswer: error) }
        guard let message = line["message"] ?? (line["done"] == true ? JSON.null : nil) else {
            throw ModelFault(badAnswer: "it has no message")
        }
        if let model = line["model"]?.text { reply.model = model }
        reply.add(text: message["content"]?.text)
        for call in message["tool_calls"]?.elements ?? [] {
            // Calls come whole, and without a number.
            reply.add(
                call: reply.calls.count, name: call["function"]?["name"]?.text,
                arguments: call["function"]?["arguments"]?.string ?? "")
        }
        guard line["done"] == true else { return }
        if line["prompt_eval_count"] != nil || line["eval_count"] != nil {
            reply.add(
                usage: Usage(
                    input: line["prompt_eval_count"]?.count ?? 0, output: line["eval_count"]?.count ?? 0))
        }
        reply.add(finish: line["done_reason"] == "length" ? .length : .stop)
    }
}
