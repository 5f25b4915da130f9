import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// Whether the checker would notice: each part of the queue that a promise stands on is taken out, and the
/// verdict must turn red. A mutation that survives shows a test that is missing, or a part that is.
///
/// Not here, because nothing turns red, and nothing should: `skip locked` in queue.claim (row locks do the
/// same, more slowly), the end of leases (with queue.recover at any time executions are doubled, effects are
/// not), and the notification (the poll finds all of it).
struct Mutation: Sendable, CustomTestStringConvertible {
    let description: String
    let function: String
    let from: String
    let to: String
    /// What of the verdict is to be red.
    let symptom: @Sendable (Verdict) -> Int
    /// What is to happen to the daemon.
    var fault: @Sendable (Arena) throws -> Void = { _ = try DaemonFaults.stopAndContinue($0) }

    var testDescription: String { description }

    static let all = [
        Mutation(
            description: "a stale token is good enough", function: "queue.finish(bigint, bigint, jsonb)",
            from: "and j.token = finish.token and", to: "and", symptom: \.stale),
        Mutation(
            description: "an attempt has a name of its own", function: "queue.start(bigint[], text)",
            from: "token = (j.token + 1)",
            to: "trace_id = gen_random_uuid(), token = (j.token + 1)",
            symptom: \.doubleEffects),
        Mutation(
            description: "nobody frees the jobs of the lost", function: "queue.recover()",
            from: "w.leased_until < clock_timestamp() for update", to: "false for update",
            symptom: \.stuck, fault: loseOne),
        Mutation(
            description: "what is not in hand is kept", function: "queue.extend(text, interval, bigint[])",
            from: "<> all (extend.in_hand)", to: "<> all (extend.in_hand) and false", symptom: \.stuck,
            fault: loseClaims),
        Mutation(
            description: "a continuation is not run", function: "queue.finish(bigint, bigint, jsonb)",
            from: "elsif v_job.continuation is not null then", to: "elsif false then", symptom: \.lost),
        Mutation(
            description: "a job stays when it is finished", function: "queue.finish(bigint, bigint, jsonb)",
            from: "delete from queue.job as j\n",
            to: "update queue.job as j set state = 'ready', worker = null, token = j.token + 1\n",
            symptom: \.doubleEffects),
    ]

    /// A daemon is killed with deliveries under way, and another one is there.
    private static let loseOne: @Sendable (Arena) throws -> Void = { arena in
        arena.receiver.behave { Receiver.answer($0, after: .milliseconds(400)) }
        let victim = try arena.startDaemon()
        arena.write(12, ways: ["deliver", "told"])
        arena.expect(eventually { arena.receiver.receipts.count >= 6 }, "nothing was delivered")
        victim.kill()
        try arena.startDaemon()
    }

    /// The answers to the first claims are lost.
    private static let loseClaims: @Sendable (Arena) throws -> Void = { arena in
        arena.write(12)
        let count = Mutex(0)
        let proxy = try arena.startProxy { message in
            guard message.contains("queue.claim(") else { return .pass }
            return count.withLock { $0 += 1; return $0 <= 3 } ? .loseAfter : .pass
        }
        try arena.startDaemon(through: proxy.conninfo(database: arena.database))
        arena.expect(eventually { proxy.lost >= 3 }, "no claim was lost")
    }
}

@Suite(
    "The checker turns red",
    .enabled(if: PrivateCluster.binaries != nil, "PostgreSQL's server programs are not on this machine"),
    .enabled(if: DaemonProcess.program != nil, "the concierge executable is not built beside the tests"))
struct MutationTests {
    @Test("when the queue is broken", arguments: isWhole ? Mutation.all : Array(Mutation.all.prefix(1)))
    func mutation(_ mutation: Mutation) async throws {
        let name = "mutation: \(mutation.description)"
        var verdict: Verdict
        var attempts = 0
        repeat {
            attempts += 1
            verdict = try await observe(name, on: Stage.forDaemons, isMeantToFail: true) { arena in
                let function = "'\(mutation.function)'::regprocedure"
                let definition = try arena.sql("select pg_get_functiondef(\(function))") ?? ""
                let mutated = definition.replacingOccurrences(of: mutation.from, with: mutation.to)
                arena.expect(mutated != definition, "there is nothing to mutate")
                try arena.connect().execute(script: mutated)
                arena.patience = .seconds(10)
                try mutation.fault(arena)
            }
            // A fault that met nothing under way shows nothing: on a busy machine it may take another one.
        } while mutation.symptom(verdict) == 0 && attempts < 3
        #expect(mutation.symptom(verdict) > 0, "it survived: \(verdict)")
        #expect(!verdict.description.contains("nothing to mutate"))
    }
}
