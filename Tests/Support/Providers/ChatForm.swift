/// The one answer of `ScriptedAnswer`, as each provider writes it.
struct ChatForm {
    private let form: WireForm
    private let behaviour: ScriptedProvider.Behaviour
    private let callsTool: Bool

    init(_ form: WireForm, _ fields: [String: Any], _ behaviour: ScriptedProvider.Behaviour) {
        self.form = form
        self.behaviour = behaviour
        // Ollama's own client sends a list of none.
        callsTool = (fields["tools"] as? [Any])?.isEmpty == false || fields["toolConfig"] != nil
    }

    var mediaType: String {
        switch form {
        case .bedrock: "application/vnd.amazon.eventstream"
        case .ollama: "application/x-ndjson"
        default: "text/event-stream; charset=utf-8"
        }
    }

    /// The stream, cut where its events end.
    var pieces: [[UInt8]] {
        switch form {
        case .anthropic: dressed(anthropicEvents.map { text($0["type"] as? String, $0) })
        case .bedrock: bedrockFrames
        case .ollama: ollamaLines.map { encoded($0) + lineEnd }
        default:
            dressed(
                openAIChunks.map { text(nil, $0) } + (behaviour == .missingDone ? [] : ["data: [DONE]\n\n"]))
        }
    }

    /// An error in the middle of it.
    var error: [UInt8] {
        let overloaded = ["type": "overloaded_error", "message": "Overloaded in the middle"]
        return switch form {
        case .anthropic: Array(text("error", ["type": "error", "error": overloaded]).utf8)
        case .bedrock:
            EventStreamBytes.frame(
                [":message-type": "exception", ":exception-type": "throttlingException"],
                encoded(["message": "Too many requests in the middle"]))
        case .ollama: encoded(["error": "the model runner has stopped"]) + [0x0a]
        default:
            Array(
                text(nil, ["error": ["message": "in the middle", "type": "server_error", "code": 500]]).utf8)
        }
    }

    var whole: [String: Any] {
        switch form {
        case .anthropic: anthropicMessage
        case .bedrock: bedrockMessage
        case .ollama: ollamaMessage
        default: openAICompletion
        }
    }

    private var text: String { ScriptedAnswer.text }
    private var arguments: [String: Any] { ["city": "Zürich", "days": 3] }

    // MARK: Server-sent events

    private var lineEnd: [UInt8] { behaviour == .carriageReturns ? [0x0d, 0x0a] : [0x0a] }

    private func text(_ event: String?, _ data: [String: Any]) -> String {
        (event.map { "event: \($0)\n" } ?? "") + "data: \(String(decoding: encoded(data), as: UTF8.self))\n\n"
    }

    private func dressed(_ events: [String]) -> [[UInt8]] {
        events.map { event in
            let event = behaviour == .comments ? ": keep-alive\n\n\(event):\n" : event
            return event.utf8.flatMap { $0 == 0x0a ? lineEnd : [$0] }
        }
    }

    // MARK: OpenAI

    private var openAIUsage: [String: Any] {
        [
            "prompt_tokens": ScriptedAnswer.input, "completion_tokens": ScriptedAnswer.output,
            "total_tokens": ScriptedAnswer.input + ScriptedAnswer.output,
            "prompt_tokens_details": ["cached_tokens": ScriptedAnswer.cached],
            "completion_tokens_details": ["reasoning_tokens": ScriptedAnswer.reasoning],
        ]
    }

    private func openAIChunk(_ delta: [String: Any], finish: String? = nil) -> [String: Any] {
        var choice: [String: Any] = ["index": 0, "delta": delta]
        if let finish { choice["finish_reason"] = finish }
        if finish != nil, behaviour == .usageOnChoice { choice["usage"] = openAIUsage }
        var chunk = openAIEnvelope("chat.completion.chunk", [choice])
        if behaviour == .usageOnEveryChunk { chunk["usage"] = ["prompt_tokens": 16, "completion_tokens": 1] }
        return chunk
    }

    private func openAIEnvelope(_ object: String, _ choices: [Any]) -> [String: Any] {
        [
            "id": "chatcmpl-1", "object": object, "created": 1_795_000_000, "model": ScriptedAnswer.model,
            "choices": choices,
        ]
    }

    private var openAIChunks: [[String: Any]] {
        if behaviour == .filtered {
            return [
                openAIChunk(["role": "assistant", "content": "Well"]),
                openAIChunk([:], finish: "content_filter"),
            ]
        }
        if behaviour == .refused {
            return [
                openAIChunk(["role": "assistant", "refusal": "I will not."]),
                openAIChunk([:], finish: "stop"),
            ]
        }
        var chunks = [openAIChunk(["role": "assistant", "content": ""])]
        chunks += ScriptedAnswer.pieces.map { openAIChunk(["content": $0]) }
        if callsTool {
            let head: [String: Any] = [
                "index": 0, "id": "call_1", "type": "function",
                "function": ["name": ScriptedAnswer.tool, "arguments": ""],
            ]
            chunks.append(openAIChunk(["tool_calls": [head]]))
            chunks += ScriptedAnswer.arguments.map { piece in
                openAIChunk(["tool_calls": [["index": 0, "function": ["arguments": piece]] as [String: Any]]])
            }
        }
        chunks.append(openAIChunk([:], finish: callsTool ? "tool_calls" : "stop"))
        guard behaviour != .noUsage, behaviour != .usageOnChoice else { return chunks }
        return chunks + [openAIEnvelope("chat.completion.chunk", []).merging(["usage": openAIUsage]) { $1 }]
    }

    private var openAICompletion: [String: Any] {
        var message: [String: Any] = ["role": "assistant", "content": text]
        if callsTool {
            let function = ["name": ScriptedAnswer.tool, "arguments": ScriptedAnswer.arguments.joined()]
            message["tool_calls"] = [
                ["id": "call_1", "type": "function", "function": function] as [String: Any]
            ]
        }
        if behaviour == .refused { message = ["role": "assistant", "refusal": "I will not."] }
        let finish = behaviour == .filtered ? "content_filter" : callsTool ? "tool_calls" : "stop"
        let choice: [String: Any] = ["index": 0, "message": message, "finish_reason": finish]
        let body = openAIEnvelope("chat.completion", [choice])
        return behaviour == .noUsage ? body : body.merging(["usage": openAIUsage]) { $1 }
    }

    // MARK: Anthropic

    private var anthropicInput: [String: Any] {
        [
            "input_tokens": ScriptedAnswer.input - ScriptedAnswer.cached - ScriptedAnswer.written,
            "cache_read_input_tokens": ScriptedAnswer.cached,
            "cache_creation_input_tokens": ScriptedAnswer.written,
            "output_tokens": 1,
        ]
    }

    private var anthropicFinish: String {
        behaviour == .refused || behaviour == .filtered ? "refusal" : callsTool ? "tool_use" : "end_turn"
    }

    private func anthropicEnvelope(_ content: [Any], stop: String?) -> [String: Any] {
        var message: [String: Any] = [
            "id": "msg_1", "type": "message", "role": "assistant", "model": ScriptedAnswer.model,
            "content": content,
        ]
        if let stop { message["stop_reason"] = stop }
        return message
    }

    private func anthropicBlock(_ index: Int, _ start: [String: Any], _ deltas: [[String: Any]]) -> [[String:
        Any]]
    {
        [["type": "content_block_start", "index": index, "content_block": start]]
            + deltas.map { ["type": "content_block_delta", "index": index, "delta": $0] }
            + [["type": "content_block_stop", "index": index]]
    }

    private var anthropicEvents: [[String: Any]] {
        var start = anthropicEnvelope([], stop: nil)
        if behaviour != .noUsage { start["usage"] = anthropicInput }
        var events: [[String: Any]] = [["type": "message_start", "message": start], ["type": "ping"]]
        events += anthropicBlock(
            0, ["type": "text", "text": ""], ScriptedAnswer.pieces.map { ["type": "text_delta", "text": $0] })
        if callsTool {
            let tool: [String: Any] = [
                "type": "tool_use", "id": "toolu_1", "name": ScriptedAnswer.tool,
                "input": [:] as [String: Any],
            ]
            events += anthropicBlock(
                1, tool, ScriptedAnswer.arguments.map { ["type": "input_json_delta", "partial_json": $0] })
        }
        var end: [String: Any] = ["type": "message_delta", "delta": ["stop_reason": anthropicFinish]]
        if behaviour != .noUsage { end["usage"] = ["output_tokens": ScriptedAnswer.output] }
        if behaviour == .usageOnEveryChunk {
            events.append([
                "type": "message_delta", "delta": [:] as [String: Any], "usage": ["output_tokens": 3],
            ])
        }
        return events + [end, ["type": "message_stop"]]
    }

    private var anthropicMessage: [String: Any] {
        var blocks: [[String: Any]] = [["type": "text", "text": text]]
        if callsTool {
            blocks.append([
                "type": "tool_use", "id": "toolu_1", "name": ScriptedAnswer.tool, "input": arguments,
            ])
        }
        var message = anthropicEnvelope(blocks, stop: anthropicFinish)
        if behaviour != .noUsage {
            message["usage"] = anthropicInput.merging(["output_tokens": ScriptedAnswer.output]) { $1 }
        }
        return message
    }

    // MARK: Bedrock

    private var bedrockUsage: [String: Any] {
        [
            "inputTokens": ScriptedAnswer.input - ScriptedAnswer.cached - ScriptedAnswer.written,
            "cacheReadInputTokens": ScriptedAnswer.cached, "cacheWriteInputTokens": ScriptedAnswer.written,
            "outputTokens": ScriptedAnswer.output,
            "totalTokens": ScriptedAnswer.input + ScriptedAnswer.output,
        ]
    }

    private var bedrockFinish: String {
        switch behaviour {
        case .filtered: "content_filtered"
        case .refused: "guardrail_intervened"
        default: callsTool ? "tool_use" : "end_turn"
        }
    }

    private var bedrockFrames: [[UInt8]] {
        func frame(_ type: String, _ body: [String: Any]) -> [UInt8] {
            EventStreamBytes.frame(
                [":message-type": "event", ":event-type": type, ":content-type": "application/json"],
                encoded(body))
        }
        var frames = [frame("messageStart", ["role": "assistant"])]
        frames += ScriptedAnswer.pieces.map {
            frame("contentBlockDelta", ["contentBlockIndex": 0, "delta": ["text": $0]])
        }
        frames.append(frame("contentBlockStop", ["contentBlockIndex": 0]))
        if callsTool {
            let tool = ["toolUse": ["toolUseId": "tooluse_1", "name": ScriptedAnswer.tool]]
            frames.append(frame("contentBlockStart", ["contentBlockIndex": 1, "start": tool]))
            frames += ScriptedAnswer.arguments.map {
                frame("contentBlockDelta", ["contentBlockIndex": 1, "delta": ["toolUse": ["input": $0]]])
            }
        }
        frames.append(frame("messageStop", ["stopReason": bedrockFinish]))
        guard behaviour != .noUsage else { return frames }
        return frames + [frame("metadata", ["usage": bedrockUsage, "metrics": ["latencyMs": 5]])]
    }

    private var bedrockMessage: [String: Any] {
        var blocks: [[String: Any]] = [["text": text]]
        if callsTool {
            let tool: [String: Any] = [
                "toolUseId": "tooluse_1", "name": ScriptedAnswer.tool, "input": arguments,
            ]
            blocks.append(["toolUse": tool])
        }
        var body: [String: Any] = [
            "output": ["message": ["role": "assistant", "content": blocks] as [String: Any]],
            "stopReason": bedrockFinish, "metrics": ["latencyMs": 5],
        ]
        if behaviour != .noUsage { body["usage"] = bedrockUsage }
        return body
    }

    // MARK: Ollama

    private func ollamaLine(_ message: [String: Any], isDone: Bool = false) -> [String: Any] {
        var line: [String: Any] = [
            "model": ScriptedAnswer.model, "created_at": "2026-11-21T09:30:00Z",
            "message": message.merging(["role": "assistant"]) { $1 }, "done": isDone,
        ]
        guard isDone else { return line }
        line["done_reason"] = "stop"
        line["total_duration"] = 5_000_000
        if behaviour != .noUsage {
            line["prompt_eval_count"] = ScriptedAnswer.input
            line["eval_count"] = ScriptedAnswer.output
        }
        return line
    }

    private var ollamaCall: [String: Any] {
        [
            "tool_calls": [
                ["function": ["name": ScriptedAnswer.tool, "arguments": arguments] as [String: Any]]
            ]
        ]
    }

    private var ollamaLines: [[String: Any]] {
        ScriptedAnswer.pieces.map { ollamaLine(["content": $0]) }
            + (callsTool ? [ollamaLine(["content": ""].merging(ollamaCall) { $1 })] : [])
            + [ollamaLine(["content": ""], isDone: true)]
    }

    private var ollamaMessage: [String: Any] {
        ollamaLine(["content": text].merging(callsTool ? ollamaCall : [:]) { $1 }, isDone: true)
    }
}
