import HTTP
import TestSupport
import Testing

@testable import Models

struct RequestTests {
    private func request(_ payload: GeneratePayload, _ settings: CallSettings = toLoopback) throws
        -> HTTPRequest
    {
        var call = try GenerateCall(payload, settings)
        let request = try #require(try call.next(at: 0))
        #expect(try call.next(at: 0) == nil, "there is one request")
        return request
    }

    private func body(_ payload: GeneratePayload) throws -> String {
        String(decoding: try request(payload).body, as: UTF8.self)
    }

    private let everything = """
        \(tools), "schema": {"name": "answer", "schema": {"type": "object", "properties": {"b": {}, "a": {"maximum": 5}}}},
        "parameters": {"max_tokens": 50, "temperature": 0.5, "top_p": 1, "stop": ["END"], "seed": 7,
         "reasoning_effort": "low"}
        """

    private let nothing = """
        "capabilities": {"sampling": false, "token_field": "max_completion_tokens", "json_schema": false, "tools": false,
         "stream": false, "stream_usage": false}
        """

    @Test("All that is asked for is sent, in each provider's words")
    func everythingIsSent() throws {
        let bodies = try Chat.allCases.map {
            try JSON(parsing: try body(try $0.payload("http://h", everything)))
        }
        let (openAI, anthropic, bedrock, ollama) = (bodies[0], bodies[1], bodies[2], bodies[3])

        #expect(openAI["messages"]?.elements?.map { $0["role"] } == ["system", "user"])
        #expect(openAI["max_tokens"] == 50 && openAI["seed"] == 7 && openAI["temperature"] == .number(0.5))
        #expect(openAI["reasoning_effort"] == "low" && openAI["stop"] == ["END"])
        #expect(openAI["response_format"]?["json_schema"]?["name"] == "answer")
        #expect(openAI["tools"]?.elements?.first?["function"]?["name"] == "look_up")
        #expect(openAI["stream"] == true && openAI["stream_options"]?["include_usage"] == true)

        #expect(anthropic["system"] == "Be brief." && anthropic["messages"]?.elements?.count == 1)
        #expect(
            anthropic["max_tokens"] == 50 && anthropic["seed"] == nil
                && anthropic["stop_sequences"] == ["END"])
        #expect(anthropic["output_config"]?["effort"] == "low")
        #expect(anthropic["output_config"]?["format"]?["type"] == "json_schema")
        #expect(anthropic["tools"]?.elements?.first?["input_schema"]?["type"] == "object")

        #expect(
            bedrock["system"] == [["text": "Be brief."]] && bedrock["stream"] == nil
                && bedrock["model"] == nil)
        #expect(
            bedrock["inferenceConfig"]?["maxTokens"] == 50
                && bedrock["inferenceConfig"]?["topP"] == .number(1))
        #expect(bedrock["toolConfig"]?["tools"]?.elements?.first?["toolSpec"]?["name"] == "look_up")
        let format = bedrock["outputConfig"]?["textFormat"]?["structure"]?["jsonSchema"]
        #expect(try JSON(parsing: format?["schema"]?.text ?? "")["type"] == "object")

        #expect(ollama["options"]?["num_ctx"] == 8192 && ollama["options"]?["num_predict"] == 50)
        #expect(ollama["format"]?["type"] == "object" && ollama["stream"] == true && ollama["think"] == "low")
    }

    @Test("What a model cannot do is not sent", arguments: Chat.allCases)
    func nothingIsSent(_ chat: Chat) throws {
        let body = try body(try chat.payload("http://h", "\(everything), \(nothing)"))
        for word in [
            "temperature", "top_p", "topP", "seed", "tool", "schema", "stream_options", "\"stream\":true",
            "num_ctx",
        ] {
            #expect(!body.contains(word), "\(word)")
        }
        if chat == .openai { #expect(body.contains("\"max_completion_tokens\":50")) }
    }

    @Test("Who asks is told the way the provider wants it")
    func authentication() throws {
        let (openAI, anthropic) = (
            try request(try Chat.openai.payload("http://h")),
            try request(try Chat.anthropic.payload("http://h"))
        )
        #expect(openAI.headers["Authorization"] == "Bearer scripted-secret")
        #expect(
            anthropic.headers["x-api-key"] == "scripted-secret" && anthropic.headers["Authorization"] == nil)
        #expect(anthropic.headers["anthropic-version"] == "2023-06-01")
        var payload = try Chat.anthropic.payload("http://h")
        payload.provider.apiVersion = "2026-10-21"
        payload.provider.authentication = .bearer
        let newer = try request(payload)
        #expect(newer.headers["anthropic-version"] == "2026-10-21" && newer.headers["x-api-key"] == nil)
        #expect(newer.headers["Authorization"] == "Bearer scripted-secret")
        #expect(try request(try Chat.ollama.payload("http://h")).headers["Authorization"] == nil)
    }

    @Test(
        "A missing credential, or one with a line end, is told and not sent",
        arguments: [nil, "", "a\nb", "ü", "a b"])
    func badCredential(_ secret: String?) throws {
        let settings = CallSettings(credential: secret.map { Array($0.utf8) })
        #expect { try self.request(try Chat.openai.payload("http://h"), settings) } throws: {
            guard let fault = $0 as? ModelFault else { return false }
            return fault.reason == .authentication && !fault.mayRetry
        }
    }

    @Test(
        "A base may end with a slash, or with the version",
        arguments: [
            ("http://h", "http://h/v1/chat/completions"), ("http://h/", "http://h/v1/chat/completions"),
            ("http://h/v1", "http://h/v1/chat/completions"), ("http://h/v1/", "http://h/v1/chat/completions"),
            ("https://h:1/openai", "https://h:1/openai/v1/chat/completions"),
            ("http://v1", "http://v1/v1/chat/completions"),
            ("http://h/av1", "http://h/av1/v1/chat/completions"),
        ])
    func bases(_ base: String, _ url: String) throws {
        #expect(try request(try Chat.openai.payload(base)).url == url)
    }

    @Test(
        "A provider without an address, or with a query in it, is refused",
        arguments: ["http://h?x=1", "http://h#x", nil])
    func badBases(_ base: String?) throws {
        var payload = try Chat.openai.payload("http://h")
        payload.provider.baseURL = base
        #expect(throws: ModelFault.self) { try self.request(payload) }
        #expect(throws: ModelFault.self) { try payload.provider.host() }
    }

    @Test("The host a secret goes to is named without its port")
    func host() throws {
        #expect(
            try Chat.openai.payload("https://API.example:8443/x").provider.host().lowercased()
                == "api.example")
        #expect(throws: ModelFault.self) { try Chat.openai.payload("ftp://h").provider.host() }
        #expect(try HTTPRequest("POST", "https://h:443/").hostHeader() == "h")
        #expect(try HTTPRequest("POST", "http://h:443/").hostHeader() == "h:443")
        #expect(try HTTPRequest("POST", "https://[::1]:8443/").hostHeader() == "[::1]:8443")
    }

    @Test("Time has limits, of which two are for streams alone")
    func limits() throws {
        let times = #""seconds": 20, "first_token_seconds": 5, "silence_seconds": 0.5"#
        let streamed = try request(try Chat.openai.payload("http://h", times))
        #expect(streamed.streams && streamed.limits.time == .seconds(20))
        #expect(streamed.limits.firstByte == .seconds(5) && streamed.limits.silence == .milliseconds(500))
        let whole = try request(try Chat.openai.payload("http://h", stream: false, times))
        #expect(!whole.streams && whole.limits.firstByte == nil && whole.limits.silence == nil)
        #expect(
            try request(try Chat.openai.payload("http://h", #""seconds": 1e300"#)).limits.time
                == .seconds(3600))
        #expect(
            try request(try Chat.openai.payload("http://h", #""seconds": -1"#)).limits.time
                == .milliseconds(100))
    }

    @Test("Who does not do a thing is not asked for it")
    func wrongKinds() throws {
        var payload = try Chat.openai.payload("http://h")
        payload.provider.kind = .cohere
        #expect(throws: ModelFault.self) { try GenerateCall(payload, toLoopback) }
        #expect(throws: ModelFault.self) {
            try EmbedCall(try embedding("http://h", kind: "anthropic"), toLoopback)
        }
        #expect(throws: ModelFault.self) {
            try RerankCall(try reranking("http://h", kind: "openai"), toLoopback)
        }
    }
}
