import Testing

@testable import Daemon
@testable import Postgres

/// What is sent, without a server; what the server makes of it: `DaemonRuntimeTests.contract`.
@Suite("Statements")
struct ContractTests {
    /// What is bound, as text.
    func bound(_ request: Request) -> [String?] {
        let (_, parameters) = request.statement(
            worker: "w", kinds: ["call", "fetch"], lease: .seconds(15), inHand: ["1", "2"],
            quoted: { "\"\($0)\"" })
        return parameters.map { parameter in
            if case .text(let text) = parameter?.storage { text } else { nil }
        }
    }

    func sql(_ request: Request) -> String {
        request.statement(worker: "w", kinds: [], lease: .seconds(15), quoted: { "\"\($0)\"" }).sql
    }

    @Test("A claim names the worker, what it can do, how much it takes, and for how long; an extension what it has")
    func claim() {
        #expect(bound(.claim(limit: 7)) == ["w", #"{"call","fetch"}"#, "7", "15000 milliseconds"])
        #expect(bound(.extend) == ["w", "15000 milliseconds", #"{"1","2"}"#])
        #expect(bound(.look) == ["w", #"{"call","fetch"}"#])
        #expect(bound(.release) == ["w"])
    }

    @Test("A failure carries whose fault it was, and how long the other side wants to be left alone", arguments: [
        (Failure(error: "e"), ["1", "a", "e", "item", nil, nil, "f"]),
        (Failure(error: "e", fault: .provider), ["1", "a", "e", "provider", nil, nil, "f"]),
        (Failure(error: "e", fault: .config), ["1", "a", "e", "config", nil, nil, "f"]),
        (Failure(error: "e", fault: .rate, retryAfter: .seconds(90)),
            ["1", "a", "e", "rate", "90000 milliseconds", nil, "f"]),
        (Failure(error: "e", fault: .item, retryAfter: .zero), ["1", "a", "e", "item", "0 milliseconds", nil, "f"]),
        (Failure(error: "e", reason: "refusal", isFinal: true), ["1", "a", "e", "item", nil, "refusal", "t"]),
    ] as [(Failure, [String?])])
    func fail(failure: Failure, expected: [String?]) {
        #expect(bound(.fail(Rehearsal.job, failure)) == expected)
    }

    @Test("Results stand side by side with their jobs and tokens")
    func finish() {
        let results = [
            Request.Result(job: Rehearsal.numbered(1), result: #"{"a": 1}"#),
            Request.Result(job: Rehearsal.numbered(2, token: "b"), result: "{}"),
        ]
        #expect(bound(.finish(results)) == [#"{"1","2"}"#, #"{"a","b"}"#, #"{"{\"a\": 1}","{}"}"#])
    }

    @Test("Pieces of text stand side by side with their jobs, tokens and numbers")
    func emit() {
        let pieces = [
            Emission(job: Rehearsal.numbered(1), number: 7, text: #"a "b" {,}\"#),
            Emission(job: Rehearsal.numbered(2, token: "b"), number: 1, text: "ü"),
        ]
        #expect(bound(.emit(pieces)) == [#"{"1","2"}"#, #"{"a","b"}"#, #"{"a \"b\" {,}\\","ü"}"#, #"{"7","1"}"#])
    }

    @Test("No value of a job or of the outside becomes part of a statement's text")
    func text() {
        let job = Job(id: "canary", token: "canary", kind: "canary", payload: "canary", traceID: "canary")
        let result = Request.Result(job: job, result: "canary")
        #expect(!sql(.finish([result])).contains("canary"))
        #expect(!sql(.fail(job, Failure(error: "canary"))).contains("canary"))
        #expect(!sql(.emit([Emission(job: job, number: 1, text: "canary")])).contains("canary"))
        #expect(sql(.listen(channel: "canary")) == "listen \"canary\"")
    }
}
