import Foundation
import Glibc
import HTTP
import TestSupport

@testable import Models

/// What a test that goes wrong waits at most.
let patience = Duration.seconds(30)

let toLoopback = CallSettings(
    credential: Array("scripted-secret".utf8),
    policy: AddressPolicy(allowing: [.init("127.0.0.1")].compactMap(\.self)))

/// A payload as a job has it.
func payload<Payload: Decodable>(_ json: String) throws -> Payload {
    try JSONDecoder().decode(Payload.self, from: Data(json.utf8))
}

/// A result as a job gets it, read again.
func written(_ result: some Encodable) throws -> JSON {
    try JSON(parsing: [UInt8](try JSONEncoder().encode(result)))
}

/// How a call went.
struct Played<Answer> {
    var events: [GenerateEvent] = []
    var outcome: Result<Answer, ModelFault>

    var fault: ModelFault? { if case .failure(let fault) = outcome { fault } else { nil } }

    /// The text that was told before the end.
    var text: String {
        events.map { if case .text(let text) = $0 { text } else { "" } }.joined()
    }

    func answer() throws -> Answer { try outcome.get() }
}

/// A call from its beginning to its end, as the daemon plays it.
func play<Call: ModelCall>(_ call: Call, at now: Int = 1_795_253_400) throws -> Played<Call.Answer> {
    var call = call
    var events: [GenerateEvent] = []
    let client = try HTTPClient()
    do throws(ModelFault) {
        while let request = try call.next(at: now) {
            try call.take(transfer(request, on: client, for: &call, &events), at: now)
        }
        return Played(events: events, outcome: .success(try call.result()))
    } catch {
        return Played(events: events, outcome: .failure(error))
    }
}

private func transfer(
    _ request: HTTPRequest, on client: HTTPClient, for call: inout some ModelCall,
    _ events: inout [GenerateEvent]
) -> Result<HTTPResponse, HTTPFailure> {
    do throws(HTTPFailure) {
        let id = try client.start(request)
        let end = ContinuousClock.now + patience
        while .now < end {
            let due = call.firstTokenDue.map { max(0, Int32(($0 - .now) / .milliseconds(1)) + 1) }
            var none: [pollfd] = []
            client.wait(for: &none, timeout: min(due ?? 1000, 1000))
            for part in client.received() {
                let new = call.receive(part.bytes)
                if new.contains(where: \.isAnswer) { call.passedOn() }
                events += new
            }
            if call.fault != nil { client.cancel(id) }
            if let due = call.firstTokenDue, due <= .now { client.cancel(id) }
            if let end = client.finished().first { return end.result }
        }
        return .failure(.unavailable("the test's patience is over"))
    } catch {
        return .failure(error)
    }
}

// MARK: Payloads

/// The providers that chat, as a payload names them, with all their models can do.
enum Chat: String, CaseIterable {
    case openai, anthropic, bedrock, ollama

    /// - Parameter changes: members to add, or to put in place of what is there.
    func payload(_ url: String, stream: Bool = true, _ changes: String = "") throws -> GeneratePayload {
        var json = try JSON(
            parsing: """
                {"provider": {"kind": "\(rawValue)", "base_url": "\(url)", "credential": "key", "region": "eu-central-1",
                  "authentication": "\(authentication)"},
                 "model": "scripted-1", "stream": \(stream), "system": "Be brief.",
                 "capabilities": {"sampling": true, "token_field": "max_tokens", "json_schema": true, "tools": true,
                  "stream": true, "stream_usage": true, "context_tokens": 8192},
                 "messages": [{"role": "user", "content": "Where is the opening reception tonight?"}],
                 "parameters": {"max_tokens": 100, "temperature": 0.5}}
                """)
        guard case .object(var members) = json, case .object(let added) = try JSON(parsing: "{\(changes)}")
        else {
            throw ModelFault(badAnswer: "a test's payload is an object")
        }
        for member in added {
            members.removeAll { $0.name == member.name }
            members.append(member)
        }
        json = .object(members)
        return try ModelsTests.payload(json.string)
    }

    private var authentication: String {
        switch self {
        case .openai, .bedrock: "bearer"
        case .anthropic: "x-api-key"
        case .ollama: "none"
        }
    }
}

/// Tools for models that have some.
let tools = """
    "tools": [{"name": "look_up", "description": "Looks up a city", "parameters": {"type": "object", "properties":
     {"city": {"type": "string"}, "days": {"type": "integer"}}}}]
    """
