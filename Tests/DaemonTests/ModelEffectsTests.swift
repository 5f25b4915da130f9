import Foundation
import Glibc
import HTTP
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Daemon

/// What models do, by a running daemon and the real queue.
extension DaemonRuntimeTests {
    // MARK: Jobs

    /// A daemon that may reach this machine, with the secret `key` for it.
    private func speaking(to hosts: Set<String> = ["127.0.0.1"]) throws -> (RunningDaemon, TemporaryProject) {
        let folder = try TemporaryProject(["key": "scripted-secret\n"])
        let daemon = try restarted {
            $0.poll = .seconds(30)
            $0.logLevel = .debug
            $0.allowances = [AddressPolicy.Allowance("127.0.0.1")].compactMap(\.self)
            $0.credentials = Credentials(directory: folder.root, hosts: ["key": hosts])
        }
        return (daemon, folder)
    }

    private func provider(_ url: String, kind: String = "openai") -> String {
        #"{"kind": "\#(kind)", "base_url": "\#(url)", "credential": "key"}"#
    }

    private func question(_ url: String, kind: String = "openai", more: String = "") -> String {
        """
        {"provider": \(provider(url, kind: kind)), "model": "scripted-1", "stream": true, "system": "Be brief.",
         "capabilities": {"sampling": true, "token_field": "max_tokens", "json_schema": true, "tools": true,
          "stream": true, "stream_usage": true, "context_tokens": 8192}, \(more)
         "messages": [{"role": "user", "content": "Where is the opening reception tonight?"}],
         "parameters": {"max_tokens": 100}, "silence_seconds": 0.4}
        """
    }

    private func texts(_ url: String, _ texts: String = #"["a", "bb", "ccc", "d", "ee"]"#) -> String {
        """
        {"provider": \(provider(url)), "model": "scripted-1", "texts": \(texts),
         "capabilities": {"dimensions": 4, "send_dimensions": true, "max_inputs": 2}}
        """
    }

    /// Of a provider of its own, so that no breaker of another is in its way.
    private func enqueue(_ kind: String, _ payload: String, _ options: String = "") throws -> String {
        try server.query(
            """
            select queue.enqueue($1, $2::jsonb, 'test.note', on_failure => 'test.note_failure', max_attempts => 2,
                provider => gen_random_uuid()::text \(options))
            """, [Parameter(kind), Parameter(payload)]
        ).scalar ?? ""
    }

    private func result(_ job: String, _ path: String) throws -> String? {
        try sql("select result #>> '{\(path)}' from test.noted where job_id = \(job)")
    }

    /// All that an answer has said while it was given.
    private func said(_ job: String, token: Int = 1) throws -> String {
        try sql(
            """
            select coalesce(string_agg(content, '' order by number), '') from test.said
            where job_id = \(job) and token = \(token)
            """) ?? ""
    }

    private func over(_ job: String) throws -> Bool {
        try sql("select count(*) from queue.job where job_id = \(job)") == "0"
    }

    /// A chat stream of these pieces, and what comes after them.
    private static func stream(_ pieces: [String], _ pause: Duration, then last: [HTTPStub.Step]) -> [HTTPStub.Step] {
        [SpokenAnswer.head]
            + pieces.flatMap { piece -> [HTTPStub.Step] in
                // The stub pauses before a byte.
                guard case .send(let event) = SpokenAnswer.piece(piece) else { return [] }
                return [.drip(Array(event.prefix(1)), every: pause), .send(Array(event.dropFirst()))]
            } + last
    }

    private static var streamEnd: [HTTPStub.Step] {
        [
            .text("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
            .close,
        ]
    }

    // MARK: Answers

    @Test("An answer is its job's result, whoever the provider", arguments: ["openai", "anthropic", "ollama", "bedrock"])
    func generates(_ kind: String) throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let model = try ScriptedProvider()
        defer { withExtendedLifetime(model) {} }
        let job = try enqueue("generate", question(model.url, kind: kind)
            .replacingOccurrences(of: #""credential": "key""#, with: kind == "bedrock"
                ? #""credential": "key", "authentication": "bearer", "region": "eu-central-1""# : #""credential": "key""#))
        #expect(try eventually { try isFinished(job) }, "\(second.log)")
        #expect(try result(job, "text") == ScriptedAnswer.text)
        #expect(try result(job, "finish") == "stop")
        #expect(try result(job, "usage,output") == "\(ScriptedAnswer.output)")
        #expect(ScriptedAnswer.text.hasPrefix(try said(job)))
        #expect(try sql("select count(*) from queue.emission") == "0", "its pieces are gone")
    }

    @Test("Arguments of a tool keep the names they have")
    func tools() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let model = try ScriptedProvider()
        defer { withExtendedLifetime(model) {} }
        let tools = #""tools": [{"name": "look_up", "description": "Looks up", "parameters": {"type": "object"}}],"#
        let job = try enqueue("generate", question(model.url, more: tools))
        #expect(try eventually { try isFinished(job) }, "\(second.log)")
        #expect(try result(job, "tool_calls,0,arguments,days") == "3")
        #expect(try result(job, "tool_calls,0,name") == ScriptedAnswer.tool)
    }

    @Test("Text comes in order and whole, many pieces in one row, and is gone when the job is taken back")
    func streams() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let words = (1...60).map { "wörd\($0) " }
        let server = try HTTPStub { _ in Self.stream(words, .milliseconds(5), then: [.hang]) }
        defer { withExtendedLifetime(server) {} }
        let job = try enqueue("generate", question(server.url).replacingOccurrences(of: "0.4}", with: "30}"))
        #expect(try eventually(within: .seconds(1)) { try !said(job).isEmpty }, "the first is told at once")
        #expect(try eventually { try said(job) == words.joined() })
        let rows = try #require(try sql("select count(*) from queue.emission where job_id = \(job)").flatMap { Int($0) })
        #expect((3...20).contains(rows), "\(rows) rows of 60 pieces")
        #expect(try sql("""
            select bool_and(number = n) from (select number, row_number() over (order by place) as n from test.said) as s
            """) == "t")

        try sql("select queue.cancel(\(job))")
        #expect(try eventually(within: .seconds(1)) { try over(job) }, "it is stopped within a second")
        #expect(try sql("select state from queue.history where job_id = \(job)") == "cancelled")
        #expect(second.count("cancelled") == 1)
        #expect(try sql("select count(*) from queue.emission") == "0")
    }

    @Test("An answer whose job is somebody else's by now is stopped when it says more")
    func fenced() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let server = try HTTPStub { _ in
            Self.stream((1...200).map { "\($0) " }, .milliseconds(20), then: [.hang])
        }
        defer { withExtendedLifetime(server) {} }
        let job = try enqueue("generate", question(server.url))
        #expect(try eventually { try !said(job).isEmpty })
        try sql("update queue.job set token = token + 1, worker = 'another' where job_id = \(job)")
        #expect(eventually(within: .seconds(1)) { second.count("cancelled") == 1 })
        #expect(eventually { second.count("stale") == 1 })
        #expect(try sql("select state from queue.job where job_id = \(job)") == "running")
    }

    @Test("Fifty answers at once: each has its own text, and a few statements carry all of it")
    func many() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let server = try HTTPStub { request in
            let name = String(decoding: request.body, as: UTF8.self).split(separator: "#").dropFirst().first ?? "?"
            return Self.stream((1...10).map { "\(name):\($0) " }, .milliseconds(20), then: [.hang])
        }
        defer { withExtendedLifetime(server) {} }
        let jobs = try (1...50).map { number in
            try enqueue(
                "generate",
                question(server.url).replacingOccurrences(of: "tonight?", with: "#\(number)#")
                    .replacingOccurrences(of: "0.4}", with: "30}"))
        }
        #expect(try eventually(within: .seconds(20)) {
            try sql("select count(*) from test.said where content like '%:10 %'") == "50"
        })
        for (index, job) in jobs.enumerated() {
            let words = (1...10).map { "\(index + 1):\($0) " }.joined()
            #expect(try said(job) == words)
        }
        try sql("select queue.cancel(job_id) from queue.job")
        #expect(try eventually { try sql("select count(*) from queue.job") == "0" })
    }

    // MARK: Vectors and scores

    @Test("Texts have their vectors, in as many requests as the provider wants; a bad text has a reason instead")
    func embeds() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let model = try ScriptedProvider(.badText)
        defer { withExtendedLifetime(model) {} }
        let job = try enqueue("embed", texts(model.url, #"["a", "bb", "bad", "d", "ee"]"#))
        #expect(try eventually { try isFinished(job) }, "\(second.log)")
        #expect(model.requests.count > 3)
        #expect(try sql("select jsonb_array_length(result -> 'embeddings') from test.noted") == "5")
        for (index, text) in ["a", "bb", "bad", "d", "ee"].enumerated() {
            let vector = try result(job, "embeddings,\(index)")
            let numbers = vector.map { $0.filter { !"[] ".contains($0) }.split(separator: ",").compactMap { Float($0) } }
            #expect(numbers == (text == "bad" ? nil : ScriptedAnswer.vector(text, width: 4)))
        }
        #expect(try result(job, "errors,0,index") == "2")
        #expect(try sql("select count(*) from test.said") == "0")
    }

    @Test("Documents have their scores; none have none, without a request")
    func reranks() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let model = try ScriptedProvider()
        defer { withExtendedLifetime(model) {} }
        func payload(_ documents: String) -> String {
            #"{"provider": \#(provider(model.url, kind: "cohere")), "model": "m", "query": "what", "documents": \#(documents)}"#
        }
        let job = try enqueue("rerank", payload(#"["a", "bbbb", "cc"]"#))
        let none = try enqueue("rerank", payload("[]"))
        #expect(try eventually { try isFinished(job) && isFinished(none) }, "\(second.log)")
        #expect(try result(job, "results,0,index") == "1")
        #expect(try sql("select jsonb_array_length(result -> 'results') from test.noted where job_id = \(none)") == "0")
        #expect(model.requests.count == 1)
    }

    // MARK: What goes wrong

    private static let refusals: [ScriptedProvider.Behaviour: String] = [
        .rateLimited: "rate rate_limited", .rateLimitedMilliseconds: "rate rate_limited",
        .rateLimitedReset: "rate rate_limited", .quotaUsedUp: "config quota", .serverError: "provider unavailable",
        .overloaded: "provider overloaded", .unauthorized: "config authentication",
        .unknownModel: "config not_found", .page: "item bad_answer", .pageError: "provider unavailable",
        .huge: "item bad_answer", .wrongJSON: "item bad_answer",
    ]

    /// What each behaviour of a provider makes of a job: whose fault, and the reason; nothing where all is well.
    private static let endings: [String: [ScriptedProvider.Behaviour: String]] = [
        "generate": refusals.merging([
            .errorAfterStart: "provider unavailable", .cutOff: "item cut_off", .reset: "item cut_off",
            .silent: "provider timeout", .contextTooLong: "item context_too_long",
            .filtered: "item content_filter", .refused: "item refusal",
        ]) { $1 },
        // A text that is too long has no vector, and the others have theirs.
        "embed": refusals.merging([.wrongWidth: "item bad_answer", .wrongCount: "item bad_answer"]) { $1 },
    ]

    @Test("Whatever a provider does, the job ends in its right state, with the reason", arguments: ["generate", "embed"])
    func menu(_ kind: String) throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let menu = try ScriptedProvider.Behaviour.allCases.map { behaviour in
            let model = try ScriptedProvider(behaviour)
            let payload = kind == "embed" ? texts(model.url, #"["a", "bb"]"#) : question(model.url)
            let job = try enqueue(kind, payload, ", gives_up => true")
            try sql("update queue.job set max_attempts = 1 where job_id = \(job)")
            return (behaviour, model, job)
        }
        #expect(try eventually(within: .seconds(30)) { try sql("select count(*) from queue.job") == "0" })
        for (behaviour, model, job) in menu {
            let failure = try sql("""
                select concat_ws(' ', failure ->> 'fault', failure ->> 'reason') from test.failed where job_id = \(job)
                """)
            #expect(failure == Self.endings[kind]?[behaviour], "\(behaviour)")
            #expect(try isFinished(job) == (Self.endings[kind]?[behaviour] == nil), "\(behaviour)")
            if kind == "generate" { #expect(model.requests.count == 1, "\(behaviour)") }
        }
        #expect(try sql("select count(*) from queue.emission") == "0")
        for word in ["opening", "reception", "brief", "Café", "scripted-secret"] {
            #expect(!second.log.contains(word), "the log says \(word)")
        }
    }

    @Test("Who has no other way waits: for the provider, for its rate, for a person")
    func patience() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let (busy, poor) = (try ScriptedProvider(.rateLimited), try ScriptedProvider(.quotaUsedUp))
        let (down, wide) = (try ScriptedProvider(.overloaded), try ScriptedProvider(.wrongWidth))
        let half = try ScriptedProvider(.cutOff)
        defer { withExtendedLifetime([busy, poor, down, wide, half]) {} }
        let jobs = [
            try enqueue("generate", question(busy.url)), try enqueue("generate", question(poor.url)),
            try enqueue("generate", question(down.url)), try enqueue("embed", texts(wide.url)),
        ]
        let cut = try enqueue("generate", question(half.url))
        #expect(try eventually { try sql("select count(*) from queue.job where last_error is not null") == "4" })
        let states = try jobs.map { try sql("select state || ' ' || attempts from queue.job where job_id = \($0)") }
        #expect(states == ["held 0", "parked 0", "ready 0", "ready 1"])
        #expect(try sql("""
            select g.opens_at - clock_timestamp() between interval '4 s' and interval '7 s'
            from queue.job as j join queue.closed_gate as g on g.gate = j.held_by where j.job_id = \(jobs[0])
            """) == "t")
        // Half of it was read: nobody is to see it begin again.
        #expect(try eventually { try over(cut) })
        #expect(try sql("select attempts || fault from queue.dead_letter where job_id = \(cut)") == "1item")
    }

    @Test("A payload that cannot be read is given up, and not quoted")
    func badPayload() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let job = try enqueue("generate", #"{"provider": {"kind": "openai"}, "secret": "canary"}"#)
        #expect(try eventually { try over(job) })
        #expect(try sql("select fault || reason || attempts from queue.dead_letter") == "itembad_request1")
        #expect(!second.log.contains("canary"))
        #expect(try sql("select error like '%canary%' from queue.dead_letter") == "f")
    }

    @Test("A secret goes to the hosts it is for, and to no other")
    func secrets() throws {
        let (second, folder) = try speaking(to: ["127.0.0.1"])
        defer { withExtendedLifetime(folder) { second.signal() } }
        let model = try ScriptedProvider()
        defer { withExtendedLifetime(model) {} }
        let good = try enqueue("embed", texts(model.url))
        let elsewhere = try enqueue(
            "embed", texts(model.url.replacingOccurrences(of: "127.0.0.1", with: "localhost")))
        let unknown = try enqueue(
            "generate", question(model.url).replacingOccurrences(of: "\"key\"", with: "\"other\""))
        #expect(try eventually { try isFinished(good) })
        #expect(model.requests.allSatisfy { $0.header("Authorization") == "Bearer scripted-secret" })
        #expect(try eventually { try sql("select count(*) from queue.job where state = 'parked'") == "2" })
        #expect(try sql("select last_error from queue.job where job_id = \(elsewhere)")
            == "credential key may not be used for localhost: set credential.key = localhost")
        #expect(try sql("select last_error from queue.job where job_id = \(unknown)")
            == "credential other may not be used for 127.0.0.1: set credential.other = 127.0.0.1")
        #expect(model.requests.count == 3, "of five texts, two at a time")
    }

    @Test("A first token that does not come is not waited for")
    func firstToken() throws {
        let (second, folder) = try speaking()
        defer { withExtendedLifetime(folder) { second.signal() } }
        let server = try HTTPStub { _ in
            Self.stream([], .zero, then: [.drip(Array(String(repeating: ": wait\n\n", count: 1000).utf8), every: .milliseconds(5))])
        }
        defer { withExtendedLifetime(server) {} }
        let job = try enqueue("generate", question(server.url, more: #""first_token_seconds": 0.3,"#))
        #expect(try eventually(within: .seconds(3)) {
            try sql("""
                select last_error like '%no token came in time' and state = 'ready' from queue.job where job_id = \(job)
                """) == "t"
        })
    }

    @Test(
        "A daemon that is killed in the middle of an answer: it is given again, what was said is gone, one result",
        .enabled(if: program != nil, "the concierge executable is not built beside the tests"))
    func killed() throws {
        daemon.signal()
        #expect(eventually { daemon.hasLeft })
        let asked = Mutex(0)
        let end = Self.streamEnd
        let server = try HTTPStub { _ in
            let number = asked.withLock { $0 += 1; return $0 }
            return number == 1
                ? Self.stream(["half ", "an "], .milliseconds(20), then: [.hang])
                : Self.stream(["all", " of it"], .milliseconds(100), then: end)
        }
        defer { withExtendedLifetime(server) {} }
        let folder = try TemporaryProject(["daemon.conf": "allow = 127.0.0.1\nlease = 2s\npoll = 100ms\n", "key": "s"])
        let words = [
            try #require(program), "daemon", "--database", cluster.conninfo(database: database), "--config",
            folder.root + "/daemon.conf",
        ]
        let payload = question(server.url)
            .replacingOccurrences(of: #", "credential": "key""#, with: #", "authentication": "none""#)
            .replacingOccurrences(of: "0.4}", with: "30}")
        let first = try ChildProcess(words)
        let job = try enqueue("generate", payload)
        #expect(try eventually { try said(job) == "half an " })
        kill(first.pid, SIGKILL)
        _ = first.wait()
        #expect(try sql("select string_agg(content, '' order by number) from queue.emission") == "half an ")

        let second = try ChildProcess(words)
        #expect(try eventually(within: .seconds(20)) { try isFinished(job) })
        #expect(try result(job, "text") == "all of it")
        #expect(try sql("select count(*) from test.noted") == "1")
        #expect(try sql("select count(*) from queue.emission") == "0")
        #expect(try "all of it".hasPrefix(said(job, token: 2)))
        #expect(asked.withLock { $0 } == 2)
        kill(second.pid, SIGTERM)
        #expect(second.wait() == 0)
    }
}
