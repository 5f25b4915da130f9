import Foundation
import Glibc
import HTTP
import TestSupport
import Testing

@testable import Models

/// Servers that are not ours: the litellm proxy before scripted providers, and `transformers serve`. `make interop` installs
/// them and names them in CONCIERGE_INTEROP; each line it prints says what was asked and what came.
@Suite(.serialized)
struct InteropTests {
    private typealias Behaviour = ScriptedProvider.Behaviour

    // MARK: litellm

    /// What becomes of a provider's refusal when the proxy tells it in its own words.
    private static let refusals: [(Behaviour, ModelFault.Reason)] = [
        (.rateLimited, .rateLimited), (.serverError, .unavailable), (.unauthorized, .authentication),
        (.unknownModel, .notFound), (.contextTooLong, .contextTooLong),
    ]

    @Test(
        "Through litellm come answers, streams, usage and faults of every provider",
        .enabled(if: ForeignServer.isWanted("litellm"), "make interop"))
    func litellm() throws {
        let behaviours = [.normal] + Self.refusals.map(\.0)
        let providers = try Chat.allCases.flatMap { chat in
            try behaviours.map { (name: "\(chat)-\($0)", chat: chat, provider: try ScriptedProvider($0)) }
        }
        let models = providers.map { name, chat, provider -> JSON in
            ["model_name": .string(name), "litellm_params": Self.parameters(of: chat, at: provider.url)]
        }
        let settings: JSON = [
            "model_list": .array(models), "litellm_settings": ["num_retries": 0, "telemetry": false],
            // It is asked on the loopback address, by this test alone.
            "general_settings": ["dangerously_permit_weak_or_unset_master_key": true],
            "router_settings": ["disable_cooldowns": true, "num_retries": 0],
        ]
        let server = try ForeignServer(
            "litellm", alive: "/health/liveliness", configuration: settings.bytes,
            ["--config", "{file}", "--host", "127.0.0.1", "--port", "{port}", "--telemetry", "False"])
        for chat in Chat.allCases {
            for stream in [false, true] {
                let played = try ask(server, "\(chat)-normal", stream: stream)
                server.say("\(chat), \(stream ? "streamed" : "whole")", played)
                let answer = try played.answer()
                #expect(answer.text == ScriptedAnswer.text && answer.finish == .stop)
                #expect(!stream || played.text == answer.text)
                #expect(answer.usage?.input == ScriptedAnswer.input, "\(chat), stream: \(stream)")
                #expect(answer.usage?.output == ScriptedAnswer.output, "\(chat), stream: \(stream)")
            }
            for (behaviour, reason) in Self.refusals {
                let played = try ask(server, "\(chat)-\(behaviour)", stream: true)
                server.say("\(chat), \(behaviour)", played)
                #expect(played.fault?.reason == reason, "\(chat), \(behaviour): \(played.fault?.sentence ?? "none")")
            }
        }
        let texts = ["one", "two!", "three"]
        let vectors = try play(
            try EmbedCall(try embedding(server.url, texts: texts).named("openai-normal"), toLoopback)
        ).answer()
        #expect(vectors.embeddings == texts.map { ScriptedAnswer.vector($0, width: 4) })
        print("litellm, openai, embeddings: \(vectors.embeddings.count) vectors")
    }

    private static func parameters(of chat: Chat, at url: String) -> JSON {
        switch chat {
        case .openai: ["model": "openai/scripted-1", "api_base": .string(url + "/v1"), "api_key": "key"]
        case .anthropic: ["model": "anthropic/scripted-1", "api_base": .string(url), "api_key": "key"]
        case .ollama: ["model": "ollama_chat/scripted-1", "api_base": .string(url)]
        case .bedrock:
            [
                "model": "bedrock/converse/eu.scripted-v1:0", "aws_bedrock_runtime_endpoint": .string(url),
                "aws_region_name": "eu-central-1", "aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "key",
            ]
        }
    }

    // MARK: transformers

    @Test(
        "transformers serve answers, streams, counts and refuses as we read it",
        .enabled(if: ForeignServer.isWanted("transformers"), "make interop"))
    func transformers() throws {
        let server = try ForeignServer(
            "transformers", alive: "/health", ["serve", "--host", "127.0.0.1", "--port", "{port}", "--device", "cpu"])
        let model = TestServer.projectRoot + "/.build/interop/tiny-model"
        for stream in [false, true] {
            let played = try ask(server, model, stream: stream, #""parameters": {"max_tokens": 12}"#)
            server.say(stream ? "streamed" : "whole", played)
            let answer = try played.answer()
            #expect(!answer.text.isEmpty)
            #expect(!stream || played.text == answer.text)
            #expect((answer.usage?.input ?? 0) > 10 && 1...12 ~= answer.usage?.output ?? 0)
        }
        let unknown = try ask(server, model + "-that-is-not-there", stream: true)
        server.say("a model that is not there", unknown)
        #expect(unknown.fault != nil)
    }

    private func ask(_ server: ForeignServer, _ model: String, stream: Bool, _ changes: String = "") throws
        -> Played<GenerateResult>
    {
        var payload = try Chat.openai.payload(server.url, stream: stream, changes)
        payload.model = model
        payload.seconds = 120
        return try play(try GenerateCall(payload, toLoopback))
    }
}

extension EmbedPayload {
    fileprivate func named(_ model: String) -> EmbedPayload {
        var payload = self
        payload.model = model
        // Which litellm refuses to pass on for a model it does not know.
        payload.capabilities.sendDimensions = false
        return payload
    }
}

/// A program of .build/interop-venv that serves on a port of ours until the last reference goes.
private final class ForeignServer {
    private static let folder = TestServer.projectRoot + "/.build"

    private let name: String
    private let process = Process()
    let url: String

    static func isWanted(_ name: String) -> Bool {
        ProcessInfo.processInfo.environment["CONCIERGE_INTEROP"]?.split(separator: ",").contains(Substring(name)) == true
    }

    /// - Parameters:
    ///   - path: answers with 200 when the server is ready.
    ///   - configuration: goes into a file, whose name takes the place of `{file}`; `{port}` is that of the server.
    init(_ name: String, alive path: String, configuration: [UInt8] = [], _ arguments: [String]) throws {
        self.name = name
        // Free now, and soon taken again.
        let port = try HTTPStub { _ in [] }.port
        url = "http://127.0.0.1:\(port)"
        let (file, log) = ("\(Self.folder)/logs/interop-\(name).yaml", "\(Self.folder)/logs/interop-\(name).log")
        try Data(configuration).write(to: URL(fileURLWithPath: file))
        try Data().write(to: URL(fileURLWithPath: log))
        process.executableURL = URL(fileURLWithPath: "\(Self.folder)/interop-venv/bin/\(name)")
        process.arguments = arguments.map {
            $0.replacingOccurrences(of: "{file}", with: file).replacingOccurrences(of: "{port}", with: "\(port)")
        }
        process.environment = [
            "PATH": "\(Self.folder)/interop-venv/bin:/usr/bin:/bin", "HOME": "\(Self.folder)/interop", "LC_ALL": "C.UTF-8",
            "HF_HUB_OFFLINE": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "AWS_EC2_METADATA_DISABLED": "true",
        ]
        process.standardOutput = FileHandle(forWritingAtPath: log)
        process.standardError = process.standardOutput
        try process.run()
        let end = ContinuousClock.now + .seconds(180)
        while !Self.answers(url + path) {
            try #require(process.isRunning && .now < end, "\(name) does not start: \(log)")
            usleep(500_000)
        }
    }

    deinit {
        // Not asked: litellm has been seen to wait for ever.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private static func answers(_ url: String) -> Bool {
        guard let client = try? HTTPClient(), (try? client.start(HTTPRequest("GET", url, policy: toLoopback.policy))) != nil
        else { return false }
        while client.count > 0 {
            var none: [pollfd] = []
            client.wait(for: &none, timeout: 1000)
        }
        return (try? client.finished().first?.result.get().status) == 200
    }

    func say(_ question: String, _ played: Played<GenerateResult>) {
        let tokens = (try? played.answer().usage).map { "\($0.input) + \($0.output) tokens" } ?? "no usage"
        switch played.outcome {
        case .success(let answer): print("\(name), \(question): \(answer.text.debugDescription), \(answer.finish), \(tokens)")
        case .failure(let fault): print("\(name), \(question): \(fault.reason), \(fault.sentence)")
        }
    }
}
