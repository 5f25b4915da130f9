/// Anthropic's Messages.
struct AnthropicReader: ReplyReader {
    private var events = ServerSentEvents()
    private var tokens = CachedTokens()

    init() {}

    mutating func read(_ bytes: [UInt8], into reply: inout Reply) throws(ModelFault) {
        events.append(bytes)
        while let event = try events.next() { try take(try JSON(piece: event.data.utf8), &reply) }
    }

    private mutating func take(_ event: JSON, _ reply: inout Reply) throws(ModelFault) {
        switch event["type"]?.text {
        case "message_start":
            guard let message = event["message"] else {
                throw ModelFault(badAnswer: "it begins without a message")
            }
            begin(message, &reply)
        case "content_block_start":
            if let block = event["content_block"] {
                take(block, at: event["index"]?.int ?? 0, isWhole: false, &reply)
            }
        case "content_block_delta":
            let delta = event["delta"]
            switch delta?["type"]?.text {
            case "text_delta": reply.add(text: delta?["text"]?.text)
            case "input_json_delta":
                reply.add(call: event["index"]?.int ?? 0, arguments: delta?["partial_json"]?.text ?? "")
            default: break // thinking, signatures, citations
            }
        case "message_delta":
            count(event["usage"], &reply)
            if let reason = event["delta"]?["stop_reason"]?.text {
                try finish(reason, event["delta"], &reply)
            }
        case "error":
            throw ModelFault(inAnswer: ProviderError(event) ?? ProviderError())
        default: break // ping, the ends of blocks, and what is yet to be invented
        }
    }

    mutating func readWhole(_ body: JSON, into reply: inout Reply) throws(ModelFault) {
        guard let blocks = body["content"]?.elements else { throw ModelFault(badAnswer: "it has no content") }
        begin(body, &reply)
        for (index, block) in blocks.enumerated() { take(block, at: index, isWhole: true, &reply) }
        if let reason = body["stop_reason"]?.text { try finish(reason, body, &reply) }
    }

    private mutating func begin(_ message: JSON, _ reply: inout Reply) {
        if let model = message["model"]?.text { reply.model = model }
        if let id = message["id"]?.text { reply.requestID = reply.requestID ?? id }
        count(message["usage"], &reply)
    }

    /// A block that begins a stream of its pieces has an input that is empty, and still to come.
    private func take(_ block: JSON, at index: Int, isWhole: Bool, _ reply: inout Reply) {
        switch block["type"]?.text {
        case "text": reply.add(text: block["text"]?.text)
        case "tool_use":
            reply.add(
                call: index, name: block["name"]?.text, arguments: isWhole ? block["input"]?.string ?? "" : ""
            )
        default: break
        }
    }

    private mutating func count(_ usage: JSON?, _ reply: inout Reply) {
        guard let usage, usage.isObject else { return }
        tokens.overwrite(
            uncached: usage["input_tokens"], read: usage["cache_read_input_tokens"],
            written: usage["cache_creation_input_tokens"], output: usage["output_tokens"])
        reply.add(usage: tokens.usage)
    }

    private func finish(_ reason: String, _ place: JSON?, _ reply: inout Reply) throws(ModelFault) {
        switch reason {
        case "max_tokens", "model_context_window_exceeded": reply.add(finish: .length)
        case "tool_use": reply.add(finish: .toolCalls)
        case "refusal":
            let details = place?["stop_details"]
            let words = details?["explanation"]?.text ?? details?["category"]?.text
            throw ModelFault(.refusal, ModelFault.Reason.refusal.words + (words.map { ": \($0)" } ?? ""))
        default: reply.add(finish: .stop)
        }
    }
}
