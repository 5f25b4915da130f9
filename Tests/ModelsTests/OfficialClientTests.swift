import Foundation
import Glibc
import HTTP
import TestSupport
import Testing

@testable import Models

/// What the providers' own clients make of the server that our readers are tried on: if both read the same of
/// it, it speaks as the providers do.
@Suite(
    .enabled(
        if: OfficialClient.areInstalled, "the official clients are not installed in .build/venv (.ci/test does it)"))
struct OfficialClientTests {
    private typealias Behaviour = ScriptedProvider.Behaviour

    /// However an answer is cut and dressed.
    private static let good: [Behaviour] = [
        .normal, .splitBytes, .carriageReturns, .comments, .missingDone, .usageOnEveryChunk,
    ]

    /// The reasons to end that the answers here have, in all providers' words.
    private static let finishes: [String: Finish] = [
        "stop": .stop, "end_turn": .stop, "tool_calls": .toolCalls, "tool_use": .toolCalls,
    ]

    @Test("Answers are to their own clients what they are to us", arguments: Chat.allCases)
    func answers(_ chat: Chat) throws {
        let providers = try Self.good.map { ($0, try ScriptedProvider($0)) }
        let told = try OfficialClient.ask(chat.rawValue, providers)
        for (behaviour, provider) in providers {
            for way in ["whole", "streamed", "whole, tool", "streamed, tool"] {
                let theirs = try #require(told[behaviour.rawValue]?[way], "\(behaviour), \(way)")
                let ours = try ask(chat, provider, way).answer()
                let place = "\(behaviour), \(way): \(theirs.string)"
                #expect(theirs["text"] == .string(ours.text) && ours.text == ScriptedAnswer.text, "\(place)")
                // Ollama has no word of its own for an answer that calls a tool.
                let calls = theirs["calls"]?.elements ?? []
                let finish = chat == .ollama && !calls.isEmpty ? "tool_calls" : theirs["finish"]?.text ?? ""
                #expect(Self.finishes[finish] == ours.finish, "\(place)")
                #expect(theirs["usage"] != nil && same(theirs["usage"], ours.usage), "\(place)")
                #expect(calls.map { $0["name"]?.text } == (ours.toolCalls ?? []).map(\.name), "\(place)")
                for (call, our) in zip(calls, ours.toolCalls ?? []) {
                    for name in ["city", "days"] {
                        #expect(call["arguments"]?[name] != nil, "\(place)")
                        #expect(call["arguments"]?[name] == our.arguments[name], "\(place)")
                    }
                }
            }
        }
    }

    private func ask(_ chat: Chat, _ provider: ScriptedProvider, _ way: String) throws -> Played<GenerateResult> {
        let payload = try chat.payload(
            provider.url, stream: way.hasPrefix("streamed"), way.hasSuffix("tool") ? tools : "")
        return try play(try GenerateCall(payload, toLoopback))
    }

    private func same(_ theirs: JSON?, _ ours: Usage?) -> Bool {
        guard let theirs, let ours, let written = try? written(ours) else { return false }
        return ["input", "cached_input", "cache_write", "output", "reasoning"].allSatisfy {
            theirs[$0]?.int == written[$0]?.int
        }
    }

    @Test("Vectors are to their own clients what they are to us", arguments: ["openai", "ollama"])
    func vectors(_ kind: String) throws {
        let provider = try ScriptedProvider()
        let theirs = try #require(try OfficialClient.ask(kind, [(.normal, provider)])["normal"]?["vectors"])
        let texts = ["one", "two!", "three"]
        let ours = try play(try EmbedCall(try embedding(provider.url, kind: kind, texts: texts), toLoopback))
            .answer()
        let vectors = theirs["vectors"]?.elements?.map { $0.elements?.compactMap { $0.double.map { Float($0) } } }
        #expect(vectors == ours.embeddings && vectors?.count == texts.count)
        #expect(theirs["usage"]?["input"]?.int == ours.usage?.input)
    }

    @Test("An order of documents is to Cohere's own client what it is to us")
    func ranks() throws {
        let provider = try ScriptedProvider()
        let theirs = try #require(try OfficialClient.ask("cohere", [(.normal, provider)])["normal"])
        for (way, top) in [("ranks", nil), ("best", 1)] as [(String, Int?)] {
            let payload = try reranking(provider.url, kind: "cohere", top: top)
            let ours = try play(try RerankCall(payload, toLoopback)).answer()
            let ranks = theirs[way]?["ranks"]?.elements ?? []
            #expect(ranks.map { $0.elements?[0].int } == ours.results.map(\.index))
            #expect(ranks.map { $0.elements?[1].double } == ours.results.map(\.score))
            #expect(theirs[way]?["usage"]?["search_units"]?.int == ours.usage?.searchUnits)
        }
    }

    // MARK: What goes wrong

    /// What a client says of a refusal, and what we say of it.
    private struct Refusal {
        let behaviour: Behaviour
        let theirs: String
        let status: Int
        let ours: ModelFault.Reason

        init(_ behaviour: Behaviour, _ theirs: String, _ status: Int, _ ours: ModelFault.Reason) {
            self.behaviour = behaviour
            self.theirs = theirs
            self.status = status
            self.ours = ours
        }
    }

    private static let expected: [String: [Refusal]] = [
        "openai": [
            Refusal(.rateLimited, "RateLimitError", 429, .rateLimited),
            Refusal(.quotaUsedUp, "RateLimitError", 429, .quota),
            Refusal(.serverError, "InternalServerError", 500, .unavailable),
            Refusal(.overloaded, "InternalServerError", 529, .overloaded),
            Refusal(.unauthorized, "AuthenticationError", 401, .authentication),
            Refusal(.unknownModel, "NotFoundError", 404, .notFound),
            Refusal(.contextTooLong, "BadRequestError", 400, .contextTooLong),
        ],
        "anthropic": [
            Refusal(.rateLimited, "RateLimitError", 429, .rateLimited),
            Refusal(.serverError, "InternalServerError", 500, .unavailable),
            Refusal(.overloaded, "OverloadedError", 529, .overloaded),
            Refusal(.unauthorized, "AuthenticationError", 401, .authentication),
            Refusal(.unknownModel, "NotFoundError", 404, .notFound),
            Refusal(.contextTooLong, "BadRequestError", 400, .contextTooLong),
        ],
        "bedrock": [
            Refusal(.rateLimited, "ThrottlingException", 429, .rateLimited),
            Refusal(.serverError, "InternalServerException", 500, .unavailable),
            Refusal(.overloaded, "ModelNotReadyException", 429, .overloaded),
            Refusal(.unauthorized, "UnrecognizedClientException", 403, .authentication),
            Refusal(.unknownModel, "ResourceNotFoundException", 404, .notFound),
            Refusal(.contextTooLong, "ValidationException", 400, .contextTooLong),
        ],
        "ollama": [
            Refusal(.rateLimited, "ResponseError", 429, .rateLimited),
            Refusal(.serverError, "ResponseError", 500, .unavailable),
            Refusal(.overloaded, "ResponseError", 529, .overloaded),
            Refusal(.unknownModel, "ResponseError", 404, .notFound),
        ],
        "cohere": [
            Refusal(.rateLimited, "TooManyRequestsError", 429, .rateLimited),
            Refusal(.serverError, "InternalServerError", 500, .unavailable),
            Refusal(.overloaded, "ApiError", 529, .overloaded),
            Refusal(.unauthorized, "UnauthorizedError", 401, .authentication),
            Refusal(.unknownModel, "NotFoundError", 404, .notFound),
        ],
    ]

    @Test("A refusal is to their own clients what it is to us", arguments: expected.keys.sorted())
    func refusals(_ client: String) throws {
        let refusals = Self.expected[client] ?? []
        let providers = try refusals.map { ($0.behaviour, try ScriptedProvider($0.behaviour)) }
        let told = try OfficialClient.ask(client, providers)
        for (refusal, (behaviour, provider)) in zip(refusals, providers) {
            guard case .object(let ways) = told[behaviour.rawValue], !ways.isEmpty else {
                Issue.record("\(behaviour): nothing was asked")
                continue
            }
            for (way, theirs) in ways.map({ ($0.name, $0.value) }) {
                // Of a batch of texts that are too long each has its own reason; the call has none.
                if behaviour == .contextTooLong, way == "vectors" { continue }
                #expect(theirs["error"]?.text == refusal.theirs, "\(behaviour), \(way): \(theirs.string)")
                #expect(theirs["status"]?.int == refusal.status, "\(behaviour), \(way): \(theirs.string)")
                let fault = try fault(client, way, provider)
                #expect(fault?.reason == refusal.ours, "\(behaviour), \(way): \(fault?.sentence ?? "no fault")")
            }
        }
    }

    private func fault(_ client: String, _ way: String, _ provider: ScriptedProvider) throws -> ModelFault? {
        if way == "vectors" {
            return try play(try EmbedCall(try embedding(provider.url, kind: client), toLoopback)).fault
        }
        guard let chat = Chat(rawValue: client) else {
            return try play(try RerankCall(try reranking(provider.url, kind: client), toLoopback)).fault
        }
        return try ask(chat, provider, way).fault
    }

    @Test(
        "An error in the middle of a stream is one to their own clients, too",
        arguments: [
            (Chat.openai, "APIError"), (.anthropic, "APIStatusError"), (.bedrock, "throttlingException"),
            (.ollama, "ResponseError"),
        ])
    func errorAfterStart(_ chat: Chat, _ name: String) throws {
        let provider = try ScriptedProvider(.errorAfterStart)
        let told = try OfficialClient.ask(chat.rawValue, [(.errorAfterStart, provider)])
        #expect(told["errorAfterStart"]?["streamed"]?["error"]?.text == name, "\(told.string)")
        #expect(try ask(chat, provider, "streamed").fault != nil)
    }

    // MARK: Signatures

    @Test("What we sign is signed as botocore would have signed it")
    func signatures() throws {
        let key = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        let models = [
            "amazon.nova-lite", "eu.model-v1:0", "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.x-v1:0",
            "x y~z", "ü+*()!'&=%25@$,;[]", "👋🏽",
        ]
        let provider = try ScriptedProvider()
        for model in models {
            for token in ["", ":TOKEN/with+signs=="] {
                var payload = try Chat.bedrock.payload(provider.url, stream: token.isEmpty)
                payload.provider.authentication = .sigv4
                payload.model = model
                payload.system = "Be brief, \(model)."
                let settings = CallSettings(credential: Array((key + token).utf8), policy: toLoopback.policy)
                _ = try play(try GenerateCall(payload, settings)).answer()
            }
        }
        let requests = provider.requests
        #expect(requests.count == models.count * 2)
        let described = requests.map { request -> JSON in
            let names = ["Content-Type", "X-Amz-Date", "X-Amz-Security-Token"]
            let headers = names.compactMap { name in request.header(name).map { (name, JSON.string($0)) } }
            return [
                "url": .string(provider.url + request.target),
                "body": .string(Data(request.body).base64EncodedString()),
                "headers": .object(headers.map { JSON.Member($0.0, $0.1) }),
                "id": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            ]
        }
        let theirs = try OfficialClient.run(["signatures"], input: JSON.array(described).bytes)
        #expect(theirs.elements?.count == requests.count)
        for (request, signature) in zip(requests, theirs.elements ?? []) {
            let ours = try #require(request.header("Authorization"))
            #expect(ours.hasSuffix("Signature=\(signature.text ?? "none")"), "\(request.target)")
        }
    }
}

/// Tests/clients/official_clients.py, in the Python that .ci/test prepares.
enum OfficialClient {
    private static let python = TestServer.projectRoot + "/.build/venv/bin/python"

    static let areInstalled: Bool = {
        let names = "openai anthropic boto3 ollama cohere"
        let check = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, '\(names)'.split())))"
        return (try? output(["-c", check]).status) == 0
    }()

    /// What the client makes of each server, by its behaviour.
    static func ask(_ client: String, _ providers: [(ScriptedProvider.Behaviour, ScriptedProvider)]) throws -> JSON {
        try run([client] + providers.map { "\($0.0)=\($0.1.url)" })
    }

    static func run(_ arguments: [String], input: [UInt8] = []) throws -> JSON {
        let script = TestServer.projectRoot + "/Tests/clients/official_clients.py"
        let (bytes, words, status) = try output([script] + arguments, input: input)
        try #require(status == 0, "official_clients.py \(arguments): \(words)")
        return try JSON(parsing: bytes)
    }

    /// With nothing of this environment, in which there may be proxies, profiles and keys.
    private static func output(_ arguments: [String], input: [UInt8] = []) throws
        -> (bytes: [UInt8], words: String, status: Int32)
    {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = arguments
        process.environment = ["LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"]
        let pipes = (input: Pipe(), output: Pipe(), errors: Pipe())
        process.standardInput = pipes.input
        process.standardOutput = pipes.output
        process.standardError = pipes.errors
        try process.run()
        try pipes.input.fileHandleForWriting.write(contentsOf: Data(input))
        try pipes.input.fileHandleForWriting.close()
        let bytes = [UInt8](pipes.output.fileHandleForReading.readDataToEndOfFile())
        let words = String(decoding: pipes.errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (bytes, words, process.terminationStatus)
    }
}
