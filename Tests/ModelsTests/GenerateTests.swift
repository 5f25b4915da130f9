import Glibc
import HTTP
import TestSupport
import Testing

@testable import Models

/// Answers of a provider over a socket, as good and as bad as they come.
struct GenerateTests {
    private typealias Behaviour = ScriptedProvider.Behaviour

    private func ask(
        _ chat: Chat, _ behaviour: ScriptedProvider.Behaviour, stream: Bool = true, _ changes: String = ""
    ) throws -> Played<GenerateResult> {
        let provider = try ScriptedProvider(behaviour)
        return try play(try GenerateCall(try chat.payload(provider.url, stream: stream, changes), toLoopback))
    }

    private func usage(of chat: Chat) -> Usage {
        typealias Told = ScriptedAnswer
        return switch chat {
        case .openai:
            Usage(input: Told.input, cachedInput: Told.cached, output: Told.output, reasoning: Told.reasoning)
        case .anthropic, .bedrock:
            Usage(input: Told.input, cachedInput: Told.cached, cacheWrite: Told.written, output: Told.output)
        case .ollama: Usage(input: Told.input, output: Told.output)
        }
    }

    @Test("An answer comes bit by bit, and whole at the end", arguments: Chat.allCases)
    func streamed(_ chat: Chat) throws {
        let played = try ask(chat, .normal)
        let answer = try played.answer()
        #expect(played.text == ScriptedAnswer.text)
        #expect(answer.text == ScriptedAnswer.text)
        #expect(answer.finish == .stop && answer.toolCalls == nil)
        #expect(answer.usage == usage(of: chat) && answer.usageSource == "reported")
        #expect(answer.requestID == ScriptedAnswer.requestID)
        if chat != .bedrock { #expect(answer.model == ScriptedAnswer.model) }
        let (first, total) = (
            try #require(answer.firstTokenMilliseconds), try #require(answer.totalMilliseconds)
        )
        #expect(first <= total)
        #expect(played.events.contains(.finish(.stop)) && played.events.contains(.usage(usage(of: chat))))
    }

    @Test("An answer that is not streamed says the same", arguments: Chat.allCases)
    func whole(_ chat: Chat) throws {
        for behaviour in [Behaviour.normal, .wholeForStream] {
            let played = try ask(chat, behaviour, stream: behaviour == .wholeForStream)
            let answer = try played.answer()
            #expect(answer.text == ScriptedAnswer.text && answer.finish == .stop)
            #expect(answer.usage == usage(of: chat))
            #expect(answer.totalMilliseconds != nil)
            if behaviour == .normal { #expect(played.events.isEmpty && answer.firstTokenMilliseconds == nil) }
        }
    }

    @Test("A tool call comes in pieces, and is whole at the end", arguments: Chat.allCases)
    func toolCalls(_ chat: Chat) throws {
        let arguments = try JSON(parsing: ScriptedAnswer.arguments.joined())
        for stream in [true, false] {
            let played = try ask(chat, .normal, stream: stream, tools)
            let answer = try played.answer()
            let call = try #require(answer.toolCalls?.first)
            #expect(answer.finish == .toolCalls && answer.toolCalls?.count == 1)
            #expect(call.name == ScriptedAnswer.tool)
            #expect(
                call.arguments["city"] == arguments["city"] && call.arguments["days"] == arguments["days"])
            guard stream else { continue }
            var (names, pieces): ([String], String) = ([], "")
            for case .toolCall(0, let name, let piece) in played.events {
                names += [name].compactMap(\.self)
                pieces += piece
            }
            #expect(names == [ScriptedAnswer.tool])
            #expect(try JSON(parsing: pieces)["days"] == 3)
        }
    }

    @Test(
        "However a stream is cut, dressed or delayed, it says the same",
        arguments: Chat.allCases,
        [.slowFirstToken, .slowStream, .splitBytes, .carriageReturns, .comments, .missingDone]
            as [ScriptedProvider.Behaviour])
    func dresses(_ chat: Chat, _ behaviour: ScriptedProvider.Behaviour) throws {
        let played = try ask(chat, behaviour, tools)
        #expect(played.text == ScriptedAnswer.text)
        #expect(try played.answer().toolCalls?.first?.arguments["city"] == "Zürich")
        #expect(try played.answer().usage == usage(of: chat))
        if behaviour == .slowFirstToken { #expect(try played.answer().firstTokenMilliseconds ?? 0 >= 250) }
    }

    @Test("Usage counts wherever it is told, the last one alone", arguments: [Chat.openai, .anthropic])
    func usagePlaces(_ chat: Chat) throws {
        #expect(try ask(chat, .usageOnEveryChunk).answer().usage == usage(of: chat))
        #expect(try ask(.openai, .usageOnChoice).answer().usage == usage(of: .openai))
    }

    @Test("Without usage there is none, and nobody says there is", arguments: Chat.allCases)
    func noUsage(_ chat: Chat) throws {
        for stream in [true, false] {
            let answer = try ask(chat, .noUsage, stream: stream).answer()
            #expect(answer.usage == nil && answer.usageSource == nil)
        }
    }

    @Test("The result is written as the database reads it")
    func result() throws {
        let json = try written(try ask(.anthropic, .normal, tools).answer())
        #expect(json["finish"] == "tool_calls" && json["usage_source"] == "reported")
        #expect(json["usage"]?["cached_input"] == 3 && json["usage"]?["cache_write"] == 2)
        #expect(json["request_id"] == .string(ScriptedAnswer.requestID))
        #expect(json["first_token_ms"]?.int != nil && json["total_ms"]?.int != nil)
        #expect(json["tool_calls"]?.elements?.first?["arguments"]?["days"] == 3)
        let plain = try written(try ask(.openai, .noUsage, stream: false).answer())
        #expect(plain["tool_calls"] == nil && plain["usage"] == nil && plain["first_token_ms"] == nil)
    }

    // MARK: What goes wrong

    @Test(
        "An error within an answer is told, and what was passed on is not begun again",
        arguments: Chat.allCases)
    func errorAfterStart(_ chat: Chat) throws {
        let played = try ask(chat, .errorAfterStart)
        let fault = try #require(played.fault)
        let reasons: [Chat: ModelFault.Reason] = [
            .openai: .unavailable, .anthropic: .overloaded, .bedrock: .rateLimited, .ollama: .unavailable,
        ]
        #expect(fault.reason == reasons[chat])
        #expect(fault.sentence.contains(chat == .ollama ? "runner has stopped" : "in the middle"))
        // Anthropic's and OpenAI's first pieces have no text yet.
        #expect(fault.mayRetry == played.text.isEmpty)
    }

    @Test(
        "An answer without its end is none", arguments: Chat.allCases,
        [.cutOff, .reset] as [ScriptedProvider.Behaviour])
    func cutOff(_ chat: Chat, _ behaviour: ScriptedProvider.Behaviour) throws {
        let played = try ask(chat, behaviour)
        #expect(!played.text.isEmpty && ScriptedAnswer.text.hasPrefix(played.text))
        #expect(played.fault?.reason == .cutOff, "\(played.fault?.sentence ?? "")")
        #expect(played.fault?.mayRetry == false)
    }

    @Test("What breaks after the reason to end has broken nothing", arguments: Chat.allCases)
    func brokenAfterFinish(_ chat: Chat) throws {
        let provider = try ScriptedProvider(.noUsage)
        let whole = try play(try GenerateCall(try chat.payload(provider.url), toLoopback)).answer()
        var call = try GenerateCall(try chat.payload(provider.url), toLoopback)
        _ = try call.next(at: 0)
        _ = call.receive(try streamed(by: chat))
        try call.take(.failure(.timedOut(.silence)), at: 0)
        #expect(try call.result().text == whole.text)
    }

    /// The bytes of a whole stream.
    private func streamed(by chat: Chat) throws -> [UInt8] {
        let provider = try ScriptedProvider(.noUsage)
        var call = try GenerateCall(try chat.payload(provider.url), toLoopback)
        var request = try #require(try call.next(at: 0))
        request.streams = false
        let client = try HTTPClient()
        _ = try client.start(request)
        while client.count > 0 {
            var none: [pollfd] = []
            client.wait(for: &none, timeout: 1000)
        }
        return try #require(client.finished().first).result.get().body
    }

    @Test("Silence has an end", arguments: Chat.allCases)
    func silent(_ chat: Chat) throws {
        let played = try ask(chat, .silent, #""silence_seconds": 0.3"#)
        #expect(!played.text.isEmpty)
        #expect(played.fault?.reason == .timeout && played.fault?.mayRetry == false)
    }

    @Test("A first token that does not come in time is not waited for")
    func firstToken() throws {
        let late = try ask(.openai, .slowFirstToken, #""first_token_seconds": 0.1"#)
        #expect(late.fault?.reason == .timeout && late.fault?.mayRetry == true)
        // Comments are bytes, and no token.
        let stub = try HTTPStub { _ in
            [
                .text("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
                .drip(Array(String(repeating: ": wait\n\n", count: 1000).utf8), every: .milliseconds(5)),
            ]
        }
        let call = try GenerateCall(
            try Chat.openai.payload(stub.url, #""first_token_seconds": 0.3"#), toLoopback)
        let fault = try play(call).fault
        #expect(fault?.reason == .timeout && fault?.sentence.contains("no token") == true)
    }

    @Test("Refusals are told apart", arguments: Chat.allCases)
    func refusals(_ chat: Chat) throws {
        let expected: [(ScriptedProvider.Behaviour, ModelFault.Reason, Bool)] = [
            (.rateLimited, .rateLimited, true), (.serverError, .unavailable, true),
            (.overloaded, .overloaded, true),
            (.quotaUsedUp, .quota, false), (.unauthorized, .authentication, false),
            (.unknownModel, .notFound, false),
            (.contextTooLong, .contextTooLong, false), (.pageError, .unavailable, true),
        ]
        for (behaviour, reason, mayRetry) in expected {
            let fault = try #require(try ask(chat, behaviour).fault)
            #expect(fault.reason == reason, "\(behaviour): \(fault.sentence)")
            #expect(fault.mayRetry == mayRetry, "\(behaviour)")
            #expect(fault.sentence.count <= 300 && !fault.sentence.contains("secret"), "\(fault.sentence)")
        }
    }

    @Test("How long to stay away is read in every form")
    func retryAfter() throws {
        #expect(try ask(.openai, .rateLimited).fault?.retryAfter == .seconds(7))
        #expect(try ask(.openai, .rateLimitedMilliseconds).fault?.retryAfter == .milliseconds(1500))
        #expect(try ask(.openai, .rateLimitedReset).fault?.retryAfter == .seconds(360))
        #expect(try ask(.anthropic, .rateLimitedReset).fault?.retryAfter == .seconds(360))
    }

    @Test("A filter's and a model's own no are no answers", arguments: [Chat.openai, .anthropic, .bedrock])
    func filters(_ chat: Chat) throws {
        for stream in [true, false] {
            let filtered = try #require(try ask(chat, .filtered, stream: stream).fault)
            #expect(filtered.reason == (chat == .anthropic ? .refusal : .contentFilter))
            let refused = try #require(try ask(chat, .refused, stream: stream).fault)
            #expect(refused.reason == (chat == .bedrock ? .contentFilter : .refusal))
            #expect(!refused.mayRetry && !filtered.mayRetry)
        }
    }

    @Test(
        "What is no answer at all is said to be none", arguments: Chat.allCases,
        [.page, .wrongJSON, .huge] as [ScriptedProvider.Behaviour])
    func garbage(_ chat: Chat, _ behaviour: ScriptedProvider.Behaviour) throws {
        for stream in [true, false] {
            let fault = try #require(try ask(chat, behaviour, stream: stream).fault)
            #expect(fault.reason == .badAnswer, "\(fault.sentence)")
            #expect(fault.sentence.count <= 300)
        }
    }

    @Test("Nobody at home is told as that")
    func unreachable() throws {
        let played = try play(try GenerateCall(try Chat.openai.payload("http://127.0.0.1:1"), toLoopback))
        #expect(played.fault?.reason == .unavailable && played.fault?.mayRetry == true)
        let refused = try play(
            try GenerateCall(
                try Chat.openai.payload("http://127.0.0.1:1"), CallSettings(credential: Array("k".utf8))))
        #expect(refused.fault?.reason == .badRequest && refused.fault?.mayRetry == false)
    }
}
