import Foundation
import Postgres
import Synchronization
import TestSupport
import Testing

/// What can happen to daemons. Each fault has a database, a receiver and daemons of its own.
@Suite(
    "Faults of daemons",
    .enabled(if: PrivateCluster.binaries != nil, "PostgreSQL's server programs are not on this machine"),
    .enabled(if: DaemonProcess.program != nil, "the concierge executable is not built beside the tests"))
struct DaemonFaults {
    @discardableResult
    private func fault(
        _ name: String, _ body: @escaping @Sendable (Arena) throws -> Void
    ) async throws -> Verdict {
        let verdict = try await observe(name, on: Stage.forDaemons, body)
        #expect(verdict.isClean, "\(verdict), logs in \(verdict.logs)")
        return verdict
    }

    @Test("Killed at random moments, and restarted at once or survived by another")
    func killed() async throws {
        try await fault("kill -9 at random") { arena in
            let kills = isWhole ? 200 : 6
            arena.receiver.behave { $0.isOne(of: 3) ? Receiver.answer($0, after: .milliseconds(150)) : nil }
            var running = [try arena.startDaemon(), try arena.startDaemon()]
            arena.startWriter()
            for _ in 1...kills {
                pause(arena.dice.milliseconds(20...600))
                let victim = running.remove(at: .random(in: 0..<running.count, using: &arena.dice))
                victim.kill()
                arena.mark()
                if running.isEmpty || arena.dice.oneIn(2) { running.append(try arena.startDaemon()) }
            }
            arena.note("\(kills) kills")
        }
    }

    /// Where a daemon is killed, seen from outside: by its proxy, its receiver or a continuation.
    enum StopPoint: Sendable {
        /// The n-th such statement has not reached the server yet.
        case asking(String)
        /// The n-th such statement is done and committed, and the daemon does not know.
        case asked(String)
        /// The n-th body is with the receiver.
        case delivering
        /// A continuation runs.
        case continuing

        static let all: [StopPoint] =
            ["look", "claim", "extend", "finish_many", "fail"].flatMap { [.asking($0), .asked($0)] }
            + [.delivering, .continuing]
    }

    @Test("Killed at every point between claim and finish")
    func stopPoints() async throws {
        try await fault("kill -9 at each stop point") { arena in
            let passings = isWhole ? 1...10 : 1...1
            let admin = try arena.connect()
            arena.startWriter(rest: 10...20)
            for passing in passings {
                for point in StopPoint.all {
                    let isThere = try kill(at: point, passing: passing, arena, admin)
                    arena.expect(isThere, "never came to \(point) \(passing)")
                    arena.mark()
                }
            }
            arena.receiver.behaveWell()
            try arena.startDaemon()
            arena.note("\(StopPoint.all.count) points, each \(passings.upperBound) times")
        }
    }

    /// Starts a daemon and kills it there; false when it never came there.
    private func kill(at point: StopPoint, passing: Int, _ arena: Arena, _ admin: Connection) throws -> Bool {
        let seen = Mutex(0)
        let proxy = try arena.startProxy { message in
            let (name, verdict): (String, Proxy.Verdict) =
                switch point {
                case .asking(let name): (name, .holdBefore)
                case .asked(let name): (name, .holdAfter)
                case .delivering, .continuing: ("", .pass)
                }
            guard !name.isEmpty, message.contains("queue.\(name)(") else { return .pass }
            return seen.withLock { $0 += 1; return $0 == passing } ? verdict : .pass
        }
        let victim = Mutex<pid_t>(0)
        arena.receiver.behave { receipt in
            if case .delivering = point {
                let isIt = seen.withLock { $0 += 1; return $0 == passing }
                if isIt { Glibc.kill(victim.withLock { $0 }, SIGKILL) }
            }
            // Some fail at first, so that there is something to tell by queue.fail.
            return receipt.execution == 1 && receipt.isOne(of: 4) ? [.answer(500)] : nil
        }
        if case .continuing = point { try admin.execute(script: "select pg_advisory_lock(4711)") }
        // Its process is known before it can deliver anything.
        let daemon = try victim.withLock { victim in
            let daemon = try arena.startDaemon(through: proxy.conninfo(database: arena.database))
            victim = daemon.pid
            return daemon
        }
        let isThere = try eventually(within: .seconds(30)) {
            switch point {
            case .asking, .asked: proxy.held > 0
            case .delivering: seen.withLock { $0 } >= passing
            case .continuing:
                try admin.query("select count(*) from pg_locks where objid = 4711 and not granted").scalar != "0"
            }
        }
        daemon.kill()
        if case .continuing = point { try admin.execute(script: "select pg_advisory_unlock(4711)") }
        return isThere
    }

    @Test("Stopped for longer than its lease, and continued")
    func stopped() async throws {
        try await fault("SIGSTOP longer than the lease") { arena in
            var refused = 0
            for _ in 1...(isWhole ? 20 : 1) { refused += try Self.stopAndContinue(arena) }
            arena.note("\(refused) late ends refused")
        }
    }

    /// A daemon is stopped while the ends of its jobs are on their way; another one takes the jobs over, and
    /// while it performs them the ends arrive, and the first goes on.
    ///
    /// - Returns: how many ends were refused.
    @discardableResult
    static func stopAndContinue(_ arena: Arena) throws -> Int {
        arena.receiver.behave { $0.execution == 1 ? nil : Receiver.answer($0, after: .milliseconds(1000)) }
        let proxy = try arena.startProxy { $0.contains("queue.finish_many(") ? .holdBefore : .pass }
        let sleeper = try arena.startDaemon(through: proxy.conninfo(database: arena.database))
        let before = arena.receiver.receipts.count
        arena.write(12, ways: ["deliver", "told"])
        arena.expect(eventually { proxy.held > 0 }, "nothing was performed")
        sleeper.signal(SIGSTOP)
        let other = try arena.startDaemon()
        let again = eventually(within: min(arena.patience, .seconds(30))) {
            arena.receiver.receipts.dropFirst(before).contains { $0.execution == 2 }
        }
        arena.expect(again, "nobody took over")
        proxy.release()
        pause(.milliseconds(200))
        sleeper.signal(SIGCONT)
        arena.mark()
        arena.expect(
            eventually(within: min(arena.patience, .seconds(20))) { sleeper.count("stale") > 0 },
            "no late end was refused")
        arena.expect(try arena.isIdle(within: arena.patience), "the other did not end what it took over")
        other.kill()
        arena.receiver.behaveWell()
        arena.write(4)
        arena.expect(try arena.isIdle(within: arena.patience), "it did not go on")
        sleeper.kill()
        return sleeper.count("stale")
    }

    @Test("Two share the work")
    func two() async throws {
        let verdict = try await fault("two daemons") { arena in
            // No lease ends here, however busy the machine is.
            arena.settings[0] = "lease = 60s"
            arena.settings.append("capacity = 10")
            arena.receiver.behave { Receiver.answer($0, after: .milliseconds(10)) }
            let daemons = [try arena.startDaemon(), try arena.startDaemon()]
            arena.expect(eventually { daemons.allSatisfy { $0.count("ready") > 1 } }, "they are not ready")
            arena.write(isWhole ? 5000 : 300)
            arena.expect(try arena.isIdle(within: .seconds(300)), "they did not get it done")
            let workers = try arena.sql("select count(distinct worker) from queue.history")
            arena.expect(workers == "2", "one of them did nothing")
        }
        #expect(verdict.doubleExecutions == 0)
    }

    @Test("SIGTERM under load: what can be ended is, the rest is given back at once")
    func terminated() async throws {
        let verdict = try await fault("SIGTERM under load") { arena in
            // Whoever waited for a lease to end would be seen.
            arena.settings = ["lease = 60s", "poll = 250ms", "stop = 500ms", "log = debug"]
            arena.receiver.behave { receipt in
                let hangs = receipt.execution == 1 && receipt.isOne(of: 5)
                return hangs ? [.hang] : Receiver.answer(receipt, after: .milliseconds(40))
            }
            // Without the group: those of it that hang would keep the others waiting, as they should.
            arena.startWriter(ways: ["call", "plain", "deliver", "told"])
            var slowest = Duration.zero
            for _ in 1...(isWhole ? 50 : 3) {
                let daemon = try arena.startDaemon()
                arena.expect(eventually { daemon.count("ready") > 1 }, "it is not ready")
                pause(arena.dice.milliseconds(100...500))
                let start = ContinuousClock.now
                daemon.signal(SIGTERM)
                arena.expect(daemon.end(within: .seconds(30)) == 0, "it did not exit with 0 in time")
                slowest = max(slowest, ContinuousClock.now - start)
                arena.mark()
                let left = try arena.sql("select count(*) from queue.job where state = 'running'")
                arena.expect(left == "0", "\(left ?? "") jobs were not given back")
            }
            arena.receiver.behaveWell()
            try arena.startDaemon()
            arena.note("slowest exit \(Int(slowest / .milliseconds(1))) ms")
        }
        #expect(verdict.slowest < 30_000)
    }

    @Test("The connection is lost before, while or after the server does what it was asked")
    func lostConnections() async throws {
        try await fault("connection lost during COMMIT") { arena in
            let dice = Mutex(Dice("connections"))
            let proxy = try arena.startProxy { message in
                dice.withLock { dice in
                    let isChange = ["commit", "queue.claim", "queue.finish_many", "queue.fail"]
                        .contains { message.contains($0) }
                    guard dice.oneIn(isChange ? 8 : 40) else { return .pass }
                    return [.loseBefore, .loseMeanwhile, .loseAfter].randomElement(using: &dice) ?? .pass
                }
            }
            let conninfo = proxy.conninfo(database: arena.database)
            arena.receiver.behave { $0.execution == 1 && $0.isOne(of: 8) ? [.answer(500)] : nil }
            let daemon = try arena.startDaemon(through: conninfo)
            let writer = arena.startWriter(through: conninfo)
            let count = isWhole ? 1000 : 40
            arena.expect(eventually(within: .seconds(900)) { proxy.lost >= count }, "few were lost")
            proxy.judge { _ in .pass }
            arena.mark()
            arena.note("\(proxy.lost) connections lost, \(writer.unknown) units of unknown outcome")
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
        }
    }

    @Test("Notifications are lost, doubled, forged, and come by the hundred thousand")
    func notifications() async throws {
        try await fault("notifications lost and forged") { arena in
            let daemon = try arena.startDaemon()
            let writer = arena.startWriter()
            let admin = try arena.connect()
            let gate = "(hashtext('concierge'), hashtext('queue_job'))"
            for _ in 1...(isWhole ? 20 : 1) {
                // Whoever would notify finds that somebody else is about to.
                try admin.execute(script: "select pg_advisory_lock\(gate)")
                let count = writer.acknowledged
                arena.expect(eventually { writer.acknowledged >= count + 50 }, "nothing was written")
                try admin.execute(script: "select pg_advisory_unlock\(gate)")
                arena.mark()
                for _ in 1...50 {
                    try admin.execute(script: """
                        select pg_notify(channel, repeat('x', 7999)), pg_notify(channel, '{"job_id": -1}')
                        from queue.channels();
                        select pg_notify('queue_job', ''), pg_notify('queue_job', '; drop table queue.job');
                        """)
                }
                try admin.execute(
                    script: "select pg_notify('queue_job', n::text) from generate_series(1, 100000) as n")
                arena.mark()
                pause(.milliseconds(300))
            }
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
            arena.expect(daemon.count("lost") == 0, "the daemon lost its connection")
        }
    }

    /// What a receiver may do wrong with a first delivery.
    private static let badManners: [[HTTPStub.Step]] = [
        [.answer(500)], [.answer(503)], [.answer(429, headers: [("Retry-After", "1")])], [.answer(404)],
        [.redirect(to: "http://127.0.0.1:1/elsewhere")],
        [.send([0, 1, 2, 0xff, 13, 10, 13, 10]), .close],
        [.text("HTTP/1.1 200 Fine\r\nContent-Length: 100\r\n\r\n1"), .close],
        [.text("HTTP/1.1 200 Fine\r\nContent-Length: 99999999999999999999\r\n\r\n1"), .close],
        [.text("HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), .close],
        [.text("HTTP/1.1 200 Fine\r\n"), .hang], [.hang], [.reset], [.close],
        [.drip(Array("HTTP/1.1 200 Fine\r\nContent-Length: 1\r\n\r\n1".utf8), every: .milliseconds(400))],
        [.text("HTTP/1.1 200 Fine\r\n\r\n"), .endless([UInt8](repeating: 0x78, count: 60_000))],
        [.text("HTTP/1.1 200 Fine\r\n"), .endless(Array("X-More: and more\r\n".utf8))],
        [.answer(body: Array("<html>not a number</html>".utf8))],
        [.answer(body: Array("99999999999999999999".utf8))], [.answer(204)],
    ]

    @Test("The receiver answers slowly, hugely, with garbage, half, or never, and well only later")
    func badAnswers() async throws {
        try await fault("bad HTTP answers") { arena in
            try arena.sql("select queue.configure(breaker_pause => '50 ms', breaker_longest => '200 ms')")
            arena.seconds = 3
            let manners = Self.badManners
            let times = isWhole ? 3 : 1
            arena.receiver.behave { receipt in
                receipt.execution > times ? nil : manners[(receipt.hash + receipt.execution) % manners.count]
            }
            let daemon = try arena.startDaemon()
            arena.write(isWhole ? 400 : 40, ways: ["deliver", "told", "group", "call"])
            arena.mark()
            arena.expect(try arena.isIdle(within: .seconds(600)), "not all came to an end")
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
        }
    }

    @Test("A job that can never end well dies, and its neighbours do not")
    func poison() async throws {
        try await fault("poison") { arena in
            let url = arena.receiver.url
            let running = Mutex<pid_t>(0)
            arena.receiver.behave { receipt in
                guard receipt.tag.hasPrefix("killer") else {
                    return Receiver.answer(receipt, after: .milliseconds(200))
                }
                Glibc.kill(running.withLock { $0 }, SIGKILL)
                return [.hang]
            }
            try arena.sql("""
                select fault.add('raises ' || n, 'poison', '\(url)', 3) from generate_series(1, 3) as n
                """)
            try arena.sql("""
                select fault.add('neighbour ' || n, (array['deliver', 'call', 'plain', 'told'])[n % 4 + 1],
                    '\(url)', 5)
                from generate_series(1, 30) as n
                """)
            try arena.sql("select fault.add('hangs up', 'poison', '\(url)', 2)")
            try arena.sql("select fault.add('killer', 'poison', '\(url)', 5)")
            try arena.sql("""
                select fault.add('late neighbour ' || n, 'deliver', '\(url)', 5)
                from generate_series(1, 30) as n
                """)
            let admin = try arena.connect()
            var deaths = -1
            let over = try eventually(within: .seconds(120)) {
                if arena.daemons.last?.end(within: .zero) != nil || arena.daemons.isEmpty {
                    deaths += 1
                    try running.withLock { $0 = try arena.startDaemon().pid }
                }
                return try admin.query("select count(*) from queue.job").scalar == "0"
            }
            arena.expect(over, "not all came to an end")
            arena.note("\(deaths) daemons killed by a job")
        }
    }
}

extension Receiver.Receipt {
    /// The same for each delivery of a tag, whatever process asks.
    var hash: Int { Int(tag.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } >> 8) }

    func isOne(of count: Int) -> Bool { hash % count == 0 }
}
