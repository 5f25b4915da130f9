import HTTP
import TestSupport
import Testing

@testable import Models

func embedding(
    _ url: String, kind: String = "openai", texts: [String] = ["a", "bb"], _ capabilities: String = ""
) throws
    -> EmbedPayload
{
    try payload(
        """
        {"provider": {"kind": "\(kind)", "base_url": "\(url)", "credential": "key"}, "model": "scripted-1",
         "capabilities": {"dimensions": 4, "send_dimensions": true, "max_inputs": 3 \(capabilities)},
         "texts": \(JSON.array(texts.map { .string($0) }).string)}
        """)
}

func reranking(_ url: String, kind: String, top: Int? = nil, documents: [String] = ["a", "bbbb", "cc"]) throws
    -> RerankPayload
{
    try payload(
        """
        {"provider": {"kind": "\(kind)", "base_url": "\(url)", "credential": "key"}, "model": "scripted-1",
         "query": "what", "documents": \(JSON.array(documents.map { .string($0) }).string)
         \(top.map { ", \"top\": \($0)" } ?? "")}
        """)
}

struct EmbedTests {
    private func embed(
        _ behaviour: ScriptedProvider.Behaviour, kind: String = "openai", _ texts: [String],
        _ capabilities: String = ""
    ) throws -> (played: Played<EmbedResult>, batches: [[String]]) {
        let provider = try ScriptedProvider(behaviour)
        let played = try play(
            try EmbedCall(try embedding(provider.url, kind: kind, texts: texts, capabilities), toLoopback))
        let batches = try provider.requests.map { request in
            (try JSON(parsing: request.body)["input"]?.elements ?? []).compactMap(\.text)
        }
        return (played, batches)
    }

    @Test("The result is written by hand as an encoder would")
    func json() throws {
        let refusal = EmbedResult.Refusal(index: 1, error: "a \"quoted\" \\ line\n")
        let results = [
            EmbedResult(embeddings: []),
            EmbedResult(
                embeddings: [[1.5, -0.5, 1e-30, 3.4e38, .leastNonzeroMagnitude, 0.1], nil, []], errors: [refusal],
                usage: Usage(input: 5, cachedInput: 1), model: "möd/el"),
        ]
        for result in results {
            let (ours, theirs) = (try JSON(parsing: result.json), try written(result))
            for name in ["embeddings", "model"] { #expect(ours[name] == theirs[name], "\(name)") }
            for name in ["index", "error"] {
                #expect(ours["errors"]?.elements?.first?[name] == theirs["errors"]?.elements?.first?[name], "\(name)")
            }
            for name in ["input", "cached_input", "cache_write", "output", "reasoning"] {
                #expect(ours["usage"]?[name] == theirs["usage"]?[name], "\(name)")
            }
        }
    }

    private func vectors(_ texts: [String]) -> [[Float]?] {
        texts.map { ScriptedAnswer.vector($0, width: 4) }
    }

    @Test(
        "Each text has its vector, in batches the provider takes",
        arguments: ["openai", "ollama", "vllm", "jina", "tei"])
    func batches(_ kind: String) throws {
        let texts = (1...7).map { String(repeating: "x", count: $0) }
        let (played, batches) = try embed(.normal, kind: kind, texts)
        let answer = try played.answer()
        #expect(answer.embeddings == vectors(texts))
        #expect(batches.map(\.count) == [3, 3, 1])
        #expect(
            answer.usage == Usage(input: 7) && answer.model == ScriptedAnswer.model && answer.errors == nil)
    }

    @Test("Base64, and vectors in another order, are the same")
    func base64() throws {
        let (played, _) = try embed(.base64, ["one", "two!", "three"])
        #expect(try played.answer().embeddings == vectors(["one", "two!", "three"]))
        #expect(Base64.floats("AACAPwAAAMA=") == [1, -2])
        for text in ["A", "AAA", "====", "AA=A", "AA\nA", "AAAA", "ÄÄ"] {
            #expect(Base64.floats(text) == nil, "\(text)")
        }
        #expect(Base64.floats("") == [])
    }

    @Test("Batches keep below a number of tokens, and a text above it goes alone")
    func tokens() throws {
        let texts = [30, 30, 30, 900, 30].map { String(repeating: "y", count: $0) }
        let (played, batches) = try embed(.normal, texts, #", "max_tokens": 25"#)
        #expect(batches.map(\.count) == [2, 1, 1, 1])
        #expect(try played.answer().embeddings == vectors(texts))
    }

    @Test("Empty texts are not sent; nothing but those is nothing to ask")
    func empty() throws {
        let (played, batches) = try embed(.normal, ["", "a", " \n", "b"])
        #expect(batches == [["a", "b"]])
        let answer = try played.answer()
        #expect(answer.embeddings == [nil] + vectors(["a"]) + [nil] + vectors(["b"]))
        #expect(answer.errors?.map(\.index) == [0, 2])
        for texts in [[], [""]] as [[String]] {
            let (played, batches) = try embed(.normal, texts)
            #expect(batches.isEmpty)
            #expect(try played.answer().embeddings == texts.map { _ in nil })
        }
    }

    @Test("A bad text does not sink its batch", arguments: ["openai", "ollama"])
    func badText(_ kind: String) throws {
        let texts = ["one", "bad", "three", "four", "five", "bad!"]
        let (played, _) = try embed(.badText, kind: kind, texts)
        let answer = try played.answer()
        #expect(answer.embeddings.map { $0 == nil } == [false, true, false, false, false, true])
        #expect(answer.embeddings[4] == ScriptedAnswer.vector("five", width: 4))
        #expect(answer.errors?.map(\.index) == [1, 5])
        let json = try written(answer)
        #expect(json["embeddings"]?.elements?[1] == .null && json["errors"]?.elements?[0]["index"] == 1)
    }

    @Test("When all texts are refused it is not the texts, and that is soon found")
    func allBad() throws {
        let (alone, _) = try embed(.badText, ["bad"])
        #expect(try alone.answer().embeddings == [nil])
        let (played, batches) = try embed(.badText, Array(repeating: "bad", count: 300))
        #expect(played.fault?.reason == .badRequest)
        #expect(batches.count < 20)
    }

    @Test("A refusal of another kind is the whole call's, and no text is named in it")
    func refusals() throws {
        for (behaviour, reason) in [
            (.rateLimited, .rateLimited), (.unauthorized, .authentication), (.serverError, .unavailable),
            (.page, .badAnswer), (.huge, .badAnswer), (.wrongJSON, .badAnswer), (.wrongWidth, .badAnswer),
            (.wrongCount, .badAnswer),
        ] as [(ScriptedProvider.Behaviour, ModelFault.Reason)] {
            let (played, batches) = try embed(behaviour, ["one", "two"])
            #expect(played.fault?.reason == reason, "\(behaviour)")
            #expect(batches.count == 1)
        }
        #expect(try embed(.wrongCount, kind: "ollama", ["one"]).played.fault?.reason == .badAnswer)
    }

    @Test("What is not asked for by its row is not sent")
    func request() throws {
        var payload = try embedding("http://h")
        payload.capabilities.sendDimensions = false
        var call = try EmbedCall(payload, toLoopback)
        let body = try JSON(parsing: try #require(try call.next(at: 0)).body)
        #expect(body["dimensions"] == nil && body["encoding_format"] == "float")
        #expect(try call.next(at: 0) == nil, "one after the other")
        #expect(throws: ModelFault.self) { try call.result() }
    }

    @Test(
        "A vector that is none is refused",
        arguments: [
            "{}", "[]", #"{"data":[{"index":0,"embedding":null}]}"#,
            #"{"data":[{"index":1,"embedding":[1,2]}]}"#,
            #"{"data":[{"index":0,"embedding":[1,"2"]}]}"#, #"{"data":[{"index":0,"embedding":[1,1e300]}]}"#,
            #"{"data":[{"index":0,"embedding":"AADAfwAAgD8="}]}"#, #"{"data":[{"index":0,"embedding":"x"}]}"#,
            #"{"error":{"message":"late"}}"#, "not json",
        ])
    func badVectors(_ body: String) {
        #expect(throws: ModelFault.self) {
            try EmbedReply(Array(body.utf8), from: .openai, count: 1, width: 2)
        }
    }
}

struct RerankTests {
    @Test(
        "Documents come back by their indexes, the best first", arguments: ["cohere", "jina", "tei", "vllm"])
    func order(_ kind: String) throws {
        let provider = try ScriptedProvider()
        let answer = try play(try RerankCall(try reranking(provider.url, kind: kind), toLoopback)).answer()
        #expect(answer.results.map(\.index) == [1, 2, 0])
        #expect(answer.results.map(\.score) == [1, 1.0 / 3, 0.25])
        let best = try play(try RerankCall(try reranking(provider.url, kind: kind, top: 1), toLoopback))
            .answer()
        #expect(best.results.map(\.index) == [1])
        switch kind {
        case "cohere": #expect(try written(answer)["usage"]?["search_units"] == 1)
        case "tei": #expect(answer.usage == nil)
        default: #expect(answer.usage?.input == 21)
        }
    }

    @Test("A host may be called as the path is")
    func host() throws {
        var call = try RerankCall(try reranking("http://rerank", kind: "tei"), toLoopback)
        #expect(try call.next(at: 0)?.url == "http://rerank/rerank")
    }

    @Test("No documents are no question")
    func empty() throws {
        let call = try RerankCall(
            try reranking("http://127.0.0.1:1", kind: "cohere", documents: []), toLoopback)
        #expect(try play(call).answer().results.isEmpty)
    }

    @Test("Refusals and garbage are told", arguments: ["cohere", "jina", "tei", "vllm"])
    func failures(_ kind: String) throws {
        for (behaviour, reason) in [
            (.rateLimited, .rateLimited), (.quotaUsedUp, .quota), (.unauthorized, .authentication),
            (.serverError, .unavailable), (.page, .badAnswer), (.wrongJSON, .badAnswer), (.huge, .badAnswer),
        ] as [(ScriptedProvider.Behaviour, ModelFault.Reason)] {
            let provider = try ScriptedProvider(behaviour)
            let fault = try play(try RerankCall(try reranking(provider.url, kind: kind), toLoopback)).fault
            #expect(fault?.reason == reason, "\(behaviour): \(fault?.sentence ?? "")")
        }
    }

    @Test(
        "Indexes and scores are believed only when they can be",
        arguments: [
            "{}", "[]", #"[{"index":0,"score":1}]"#, #"[{"index":0,"score":1},{"index":0,"score":1}]"#,
            #"[{"index":0,"score":1},{"index":2,"score":1}]"#,
            #"[{"index":0,"score":1},{"index":-1,"score":1}]"#,
            #"[{"index":0,"score":1},{"index":1}]"#, #"[{"index":0,"score":1},{"score":1}]"#,
            #"[{"index":0,"score":1},{"index":1,"score":"1"}]"#, #"{"error":"x","error_type":"y"}"#,
        ])
    func badResults(_ body: String) {
        #expect(throws: ModelFault.self) { try RerankResult(Array(body.utf8), count: 2, top: 2) }
    }
}
