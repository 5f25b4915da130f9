/// Amazon Bedrock's Converse and ConverseStream.
struct BedrockReader: ReplyReader {
    private var frames = EventStream()

    init() {}

    mutating func read(_ bytes: [UInt8], into reply: inout Reply) throws(ModelFault) {
        frames.append(bytes)
        while let frame = try frames.next() { try take(frame, &reply) }
    }

    mutating func end(_ reply: inout Reply) throws(ModelFault) {
        guard frames.isBetweenFrames || reply.finish != nil else {
            throw ModelFault(.cutOff, "\(ModelFault.Reason.cutOff.words): it ends within a frame")
        }
    }

    private func take(_ frame: EventStreamFrame, _ reply: inout Reply) throws(ModelFault) {
        switch frame[":message-type"] {
        case "event": try take(frame[":event-type"] ?? "", try JSON(piece: frame.payload), &reply)
        case "exception":
            let body = (try? JSON(parsing: frame.payload)) ?? .null
            let message = ProviderError(body)?.message
            throw ModelFault(inAnswer: ProviderError(name: frame[":exception-type"], message: message))
        case "error":
            throw ModelFault(
                inAnswer: ProviderError(name: frame[":error-code"], message: frame[":error-message"]))
        default: break
        }
    }

    private func take(_ event: String, _ body: JSON, _ reply: inout Reply) throws(ModelFault) {
        let index = body["contentBlockIndex"]?.int ?? 0
        switch event {
        case "contentBlockStart":
            if let tool = body["start"]?["toolUse"] { reply.add(call: index, name: tool["name"]?.text) }
        case "contentBlockDelta":
            let delta = body["delta"]
            reply.add(text: delta?["text"]?.text)
            if let tool = delta?["toolUse"] { reply.add(call: index, arguments: tool["input"]?.text ?? "") }
        case "messageStop":
            if let reason = body["stopReason"]?.text { try finish(reason, &reply) }
        case "metadata":
            count(body["usage"], &reply)
        default: break
        }
    }

    mutating func readWhole(_ body: JSON, into reply: inout Reply) throws(ModelFault) {
        guard let blocks = body["output"]?["message"]?["content"]?.elements else {
            throw ModelFault(badAnswer: "it has no message")
        }
        for (index, block) in blocks.enumerated() {
            reply.add(text: block["text"]?.text)
            if let tool = block["toolUse"] {
                reply.add(call: index, name: tool["name"]?.text, arguments: tool["input"]?.string ?? "")
            }
        }
        count(body["usage"], &reply)
        if let reason = body["stopReason"]?.text { try finish(reason, &reply) }
    }

    private func count(_ usage: JSON?, _ reply: inout Reply) {
        guard let usage, usage.isObject else { return }
        var tokens = CachedTokens()
        tokens.overwrite(
            uncached: usage["inputTokens"], read: usage["cacheReadInputTokens"],
            written: usage["cacheWriteInputTokens"], output: usage["outputTokens"])
        reply.add(usage: tokens.usage)
    }

    private func finish(_ reason: String, _ reply: inout Reply) throws(ModelFault) {
        switch reason {
        case "max_tokens", "model_context_window_exceeded": reply.add(finish: .length)
        case "tool_use": reply.add(finish: .toolCalls)
        case "guardrail_intervened", "content_filtered":
            throw ModelFault(.contentFilter, "\(ModelFault.Reason.contentFilter.words): \(reason)")
        case "malformed_model_output", "malformed_tool_use":
            throw ModelFault(badAnswer: "the provider says \(reason)")
        default: reply.add(finish: .stop)
        }
    }
}
