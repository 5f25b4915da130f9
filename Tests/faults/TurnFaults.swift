import Foundation
import Glibc
import Postgres
import Synchronization
import TestSupport
import Testing

/// What becomes of a turn whose daemon is killed while it waits for a call. `turns.sql` says who takes part.
@Suite(
    "Faults in turns",
    .enabled(if: PrivateCluster.binaries != nil, "PostgreSQL's server programs are not on this machine"),
    .enabled(if: DaemonProcess.program != nil, "the concierge executable is not built beside the tests"))
struct TurnFaults {
    /// Where the daemon is killed: at the n-th such statement or call since it was started.
    enum StopPoint: Sendable {
        /// The statement has not reached the server yet.
        case asking(String, Int)
        /// The statement is done and committed, and the daemon does not know.
        case asked(String, Int)
        /// The call is with the model.
        case calling(Int)
        /// Half of the answer to the call is there.
        case answering(Int)

        /// A turn takes five calls: vector, plan, plan again, answer, answer again.
        static let all: [StopPoint] =
            (1...5).flatMap { [.calling($0), .answering($0)] }
            + ["claim", "finish_many"].flatMap { name in (1...5).flatMap { [.asking(name, $0), .asked(name, $0)] } }
            + [.asking("emit", 1), .asked("emit", 1)]

        /// One of each kind.
        static let some: [StopPoint] = [
            .calling(1), .asked("finish_many", 2), .answering(4), .asking("emit", 1), .asking("finish_many", 5),
        ]
    }

    @Test("Killed at every step of a turn: it ends, with one bill a call, and one action at most")
    func killed() async throws {
        let verdict = try await observe("kill -9 at each step of a turn", on: Stage.forDaemons) { arena in
            let model = try TalkingModel()
            let asker = try arena.connect()
            try asker.query("select set_config('fault.url', $1, false)", [Parameter(model.url)])
            try asker.execute(script: String(contentsOfFile: Stage.folder + "/turns.sql", encoding: .utf8))
            // The vectors of the documents are not what this is about.
            try arena.endQuietly(until: "select not exists (select from queue.job)")

            let points = isWhole ? StopPoint.all + StopPoint.all : StopPoint.some
            for (number, point) in points.enumerated() {
                let isThere = try ask(number, killedAt: point, arena, asker, model)
                arena.expect(isThere, "never came to \(point)")
            }
            for (promise, query) in Self.promises {
                let broken = try asker.query(query)
                arena.expect(broken.isEmpty, "\(promise): \(broken.first?[0] ?? "")")
            }
            let ends = try asker.query("""
                select string_agg(format('%s %s by %s', n, state, answered_by), ', ' order by n desc)
                from (select state, answered_by, count(*) as n from chat.turns group by 1, 2) as t
                """).scalar
            arena.note("\(points.count) turns: \(ends ?? "none")")
            // The verdict is on units of the queue: some that came after all that.
            try arena.startDaemon()
            arena.write(4)
        }
        #expect(verdict.isClean, "\(verdict), logs in \(verdict.logs)")
    }

    /// What each query finds breaks its promise.
    private static let promises = [
        ("a turn ends, with an answer or a reason", """
            select question from chat.turns
            where ended_at is null or state <> 'done' and error is null or state = 'done' and answer is null
            """),
        ("it ends once", """
            select t.question from chat.turns as t
            where (select count(*) from chat.turn_events as e
                   where e.turn_id = t.turn_id and e.state in ('done', 'failed', 'refused')) <> 1
                or (select count(*) from chat.records as r where r.turn_id = t.turn_id) <> 1
            """),
        ("what it says stands up", """
            select question || ': ' || answer from chat.turns
            where answered_by = 'talker' and chat.check_answer(answer, bundle, question) <> '{}'
            """),
        ("an action is taken once, and only where the turn says so", """
            select t.question from chat.turns as t
            where (select count(*) from contractor.contractor_action_items as i
                   where i.title = 'See the crews talk, ' || substring(t.question from '#\\d+#'))
                <> (t.action ->> 'outcome' = 'done')::int and t.action is not null
            """),
        ("no action without a turn", """
            select i.title from contractor.contractor_action_items as i
            where not exists (select from chat.turns as t
                where t.action ->> 'outcome' = 'done' and i.title like '%' || substring(t.question from '#\\d+#'))
            """),
        ("a call has one bill", """
            select job_id from model.calls group by 1 having count(*) <> 1
            union all
            select h.job_id from queue.history as h
            where h.kind in ('generate', 'embed') and not exists (select from model.calls as c where c.job_id = h.job_id)
            """),
        ("a turn costs what its calls do", """
            select t.question from chat.turns as t
            where t.cost <> (select coalesce(sum(c.cost), 0) from model.calls as c where c.turn_id = t.turn_id)
            """),
        ("the budget has what was spent, and nothing set aside", """
            select s::text from model.spending as s
            where reserved <> 0 or spent <> (select sum(c.cost) from model.calls as c)
            union all
            select r::text from model.reservations as r
            """),
        ("nothing is left to do", "select j::text from queue.job as j"),
    ]

    /// Asks, kills the daemon there, and lets another one go on; false when it never came there.
    private func ask(
        _ number: Int, killedAt point: StopPoint, _ arena: Arena, _ asker: Connection, _ model: TalkingModel
    ) throws -> Bool {
        let seen = Mutex(0)
        let proxy = try arena.startProxy { message in
            let (name, count, verdict): (String, Int, Proxy.Verdict) =
                switch point {
                case .asking(let name, let count): (name, count, .holdBefore)
                case .asked(let name, let count): (name, count, .holdAfter)
                case .calling, .answering: ("", 0, .pass)
                }
            guard !name.isEmpty, message.contains("queue.\(name)(") else { return .pass }
            return seen.withLock { $0 += 1; return $0 == count } ? verdict : .pass
        }
        model.stop(at: point)
        let conversation = try asker.query(
            "select chat.open('host', e.event_id, c.contractor_id, 'docs') from event.events as e, contractor.contractors as c"
        ).scalar ?? ""
        // Each question is a new one, whose vector nobody knows.
        let turn = try asker.query(
            "select chat.ask($1::uuid, $2, $3)",
            [Parameter(conversation), Parameter("Anything fancy about crews? #\(number)#"), Parameter("k\(number)")]
        ).scalar ?? ""
        let daemon = try arena.startDaemon(through: proxy.conninfo(database: arena.database))
        let isOver = "select ended_at is not null from chat.turns where turn_id = '\(turn)'"
        let isThere = try eventually(within: .seconds(30)) {
            switch point {
            case .asking, .asked: proxy.held > 0
            case .calling: model.hasStopped
            // What streams is in the table, too.
            case .answering(let call): try model.hasStopped && (call < 4
                || asker.query("select count(*) from queue.emission").scalar != "0")
            }
        }
        daemon.kill()
        arena.mark()
        model.stop(at: nil)
        try arena.endQuietly(until: isOver)
        arena.expect(try asker.query(isOver).scalar == "t", "a turn killed at \(point) does not end")
        return isThere
    }
}

extension Arena {
    /// A daemon that works until this is so, and leaves.
    func endQuietly(until query: String) throws {
        let connection = try connect()
        let daemon = try startDaemon()
        _ = try eventually(within: patience) { try connection.query(query).scalar == "t" }
        daemon.signal(SIGTERM)
        _ = daemon.end(within: .seconds(30))
    }
}

/// A model whose first plan and first answer never hold, and whose second ones do.
private final class TalkingModel: Sendable {
    private let stub: HTTPStub
    private let state: State

    private final class State: Sendable {
        let point = Mutex<TurnFaults.StopPoint?>(nil)
        let calls = Mutex(0)
        let hasStopped = Mutex(false)
    }

    init() throws {
        let state = State()
        self.state = state
        stub = try HTTPStub { request in
            let call = state.calls.withLock { $0 += 1; return $0 }
            let reply = Self.reply(request)
            switch state.point.withLock(\.self) {
            case .calling(call):
                state.hasStopped.withLock { $0 = true }
                return [.hang]
            case .answering(call):
                state.hasStopped.withLock { $0 = true }
                return [.send(Array(reply.bytes.prefix(reply.bytes.count * 2 / 3))), .hang]
            default: return reply
            }
        }
    }

    var url: String { stub.url }
    var hasStopped: Bool { state.hasStopped.withLock(\.self) }

    /// From the next call on, which is the first.
    func stop(at point: TurnFaults.StopPoint?) {
        state.point.withLock { $0 = point }
        state.calls.withLock { $0 = 0 }
        state.hasStopped.withLock { $0 = false }
    }

    private static func reply(_ request: HTTPStub.Request) -> [HTTPStub.Step] {
        let body = String(decoding: request.body, as: UTF8.self)
        let number = body.split(separator: "#").dropFirst().first { Int($0) != nil } ?? "?"
        if request.target.hasSuffix("/embeddings") {
            let inputs = (request.fields["input"] as? [Any])?.count ?? 1
            let vectors = (0..<inputs).map { ["object": "embedding", "index": $0, "embedding": [1, 0, 0, 0]] as [String: Any] }
            return whole(["object": "list", "data": vectors, "usage": ["prompt_tokens": 9, "total_tokens": 9]])
        }
        if request.fields["stream"] as? Bool != true {
            let holds = body.contains("Your last answer was wrong")
            let action = #"{"name": "create_action_item", "text": "See the crews talk, #\#(number)#"}"#
            let plan = holds ? #"{"packs": ["now", "documents"], "action": \#(action)}"# : #"{"packs": ["gossip"]}"#
            return whole([
                "choices": [["index": 0, "message": ["role": "assistant", "content": plan], "finish_reason": "stop"] as [String: Any]],
                "usage": ["prompt_tokens": 90, "completion_tokens": 30],
            ])
        }
        let said = body.contains("This answer breaks the rules")
            ? ["The Crews ", "talk is ", "on now ", "[S1]."] : ["John ", "Smith ", "speaks in ", "room 999."]
        return SpokenAnswer.whole(said, input: 200, output: 12)
    }

    private static func whole(_ value: Any) -> [HTTPStub.Step] {
        let body = (try? JSONSerialization.data(withJSONObject: value, options: .sortedKeys)) ?? Data()
        return [.answer(headers: [("Content-Type", "application/json"), ("Connection", "close")], body: Array(body)), .close]
    }
}

extension [HTTPStub.Step] {
    /// All that is sent.
    fileprivate var bytes: [UInt8] {
        flatMap { step -> [UInt8] in if case .send(let bytes) = step { bytes } else { [] } }
    }
}
