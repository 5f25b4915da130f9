/// Chat Completions, of OpenAI and of all who speak like it.
struct OpenAIReader: ReplyReader {
    private var events = ServerSentEvents()
    private var isDone = false

    init() {}

    mutating func read(_ bytes: [UInt8], into reply: inout Reply) throws(ModelFault) {
        events.append(bytes)
        while let event = try events.next() { try take(event, &reply) }
    }

    private mutating func take(_ event: ServerSentEvent, _ reply: inout Reply) throws(ModelFault) {
        guard !isDone else { return }
        guard event.data != "[DONE]" else {
            isDone = true
            return
        }
        let chunk = try JSON(piece: event.data.utf8)
        if let error = ProviderError(inAnswer: chunk) { throw ModelFault(inAnswer: error) }
        if event.type == "error" { throw ModelFault(inAnswer: ProviderError(chunk) ?? ProviderError()) }
        try take(chunk, said: "delta", &reply)
    }

    mutating func readWhole(_ body: JSON, into reply: inout Reply) throws(ModelFault) {
        guard body["choices"]?.elements?.isEmpty == false else {
            throw ModelFault(badAnswer: "it has no choices")
        }
        try take(body, said: "message", &reply)
    }

    /// A chunk and a whole answer are alike, but for the name of what is said.
    private func take(_ chunk: JSON, said: String, _ reply: inout Reply) throws(ModelFault) {
        if let model = chunk["model"]?.text, !model.isEmpty { reply.model = model }
        if let id = chunk["id"]?.text, !id.isEmpty { reply.requestID = reply.requestID ?? id }
        reply.add(usage: chunk["usage"].flatMap { Usage(openAI: $0) })
        for choice in chunk["choices"]?.elements ?? [] where (choice["index"]?.int ?? 0) == 0 {
            if let message = choice[said] { take(message, &reply) }
            reply.add(usage: choice["usage"].flatMap { Usage(openAI: $0) }) // some put it there
            if let reason = choice["finish_reason"]?.text { try finish(reason, &reply) }
        }
    }

    private func take(_ message: JSON, _ reply: inout Reply) {
        reply.add(text: message["content"]?.text)
        for part in message["content"]?.elements ?? [] { reply.add(text: part["text"]?.text) }
        reply.add(refusal: message["refusal"]?.text)
        for call in message["tool_calls"]?.elements ?? [] {
            // Who leaves out the index begins a call with its id.
            let last = reply.calls.last?.key ?? -1
            let key = call["index"]?.int ?? (call["id"]?.text == nil ? max(last, 0) : last &+ 1)
            let arguments = call["function"]?["arguments"]
            reply.add(
                call: key, name: call["function"]?["name"]?.text,
                arguments: arguments?.text ?? arguments.flatMap { $0.isObject ? $0.string : nil } ?? "")
        }
    }

    private func finish(_ reason: String, _ reply: inout Reply) throws(ModelFault) {
        switch reason {
        case "": break
        case "length": reply.add(finish: .length)
        case "tool_calls", "function_call": reply.add(finish: .toolCalls)
        case "content_filter": throw ModelFault(.contentFilter, ModelFault.Reason.contentFilter.words)
        case "error", "abort":
            throw ModelFault(.cutOff, "\(ModelFault.Reason.cutOff.words): the provider says \(reason)")
        default: reply.add(finish: .stop) // servers have words of their own for an ordinary end
        }
    }
}

extension Usage {
    /// Nil where there is none, which some say with an empty object.
    init?(openAI usage: JSON) {
        guard usage["prompt_tokens"]?.count != nil || usage["completion_tokens"]?.count != nil else {
            return nil
        }
        let input = usage["prompt_tokens_details"]
        self.init(
            input: usage["prompt_tokens"]?.count ?? 0, cachedInput: input?["cached_tokens"]?.count ?? 0,
            cacheWrite: input?["cache_write_tokens"]?.count ?? 0,
            output: usage["completion_tokens"]?.count ?? 0,
            reasoning: usage["completion_tokens_details"]?["reasoning_tokens"]?.count ?? 0)
    }
}

extension JSON {
    /// The value as JSON text.
    var string: String { String(decoding: bytes, as: UTF8.self) }
}
