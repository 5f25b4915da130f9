import Foundation
import Postgres
import TestSupport
import Testing

/// What can happen to the server. One after the other: most of it happens to the whole cluster.
@Suite(
    "Faults of the server", .serialized,
    .enabled(if: PrivateCluster.binaries != nil, "PostgreSQL's server programs are not on this machine"),
    .enabled(if: DaemonProcess.program != nil, "the concierge executable is not built beside the tests"))
struct ServerFaults {
    @discardableResult
    private func fault(
        _ name: String, tablespace: String? = nil, _ body: @escaping @Sendable (Arena) throws -> Void
    ) async throws -> Verdict {
        let verdict = try await observe(name, on: Stage.forServers, tablespace: tablespace, body)
        #expect(verdict.isClean, "\(verdict), logs in \(verdict.logs)")
        return verdict
    }

    @Test("Each session of a daemon is terminated, the listening one first")
    func terminatedSessions() async throws {
        try await fault("pg_terminate_backend") { arena in
            let daemon = try arena.startDaemon()
            arena.startWriter()
            let admin = try arena.connect()
            var count = 0
            for _ in 1...(isWhole ? 50 : 2) {
                arena.expect(try eventually { try arena.sessions(admin).count >= 3 }, "there are no sessions")
                for session in try arena.sessions(admin) {
                    try admin.query("select pg_terminate_backend($1)", [Parameter(session)])
                    count += 1
                    arena.mark()
                    pause(arena.dice.milliseconds(50...250))
                }
            }
            arena.note("\(count) sessions terminated")
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
        }
    }

    @Test("One session of a daemon is killed, and the server starts anew with all of them")
    func killedBackend() async throws {
        try await fault("kill -9 of a backend") { arena in
            let daemon = try arena.startDaemon()
            arena.startWriter()
            for _ in 1...(isWhole ? 20 : 1) {
                pause(arena.dice.milliseconds(200...500))
                let sessions = try eventuallyThere { try arena.sessions(arena.connect()) }
                if let session = sessions.randomElement(using: &arena.dice) { kill(pid_t(session), SIGKILL) }
                pause(.milliseconds(50))
                arena.expect(eventually { (try? arena.connect()) != nil }, "the server does not come back")
                arena.mark()
            }
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
        }
    }

    @Test("The server stops at once, and starts")
    func immediateStop() async throws {
        try await fault("pg_ctl stop -m immediate") { arena in
            let daemon = try arena.startDaemon()
            arena.startWriter()
            for _ in 1...(isWhole ? 20 : 1) {
                pause(arena.dice.milliseconds(200...500))
                try arena.cluster.stop()
                pause(arena.dice.milliseconds(0...500))
                try arena.cluster.start()
                arena.mark()
            }
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
        }
    }

    @Test("All connections are taken while a daemon has none, and freed")
    func connectionLimit() async throws {
        try await fault("connection limit reached") { arena in
            let daemon = try arena.startDaemon()
            arena.startWriter()
            let admin = try arena.connect()
            var most = 0
            for _ in 1...(isWhole ? 10 : 1) {
                pause(.milliseconds(300))
                var idle: [Connection] = []
                func takeAll() { while let one = try? arena.connect() { idle.append(one) } }
                // Until we were faster than the daemon with every place that became free.
                let isFull = try eventually(within: .seconds(20)) {
                    takeAll()
                    for session in try arena.sessions(admin) {
                        try admin.query("select pg_terminate_backend($1, 1000)", [Parameter(session)])
                        takeAll()
                    }
                    return try arena.sessions(admin).isEmpty
                }
                pause(.milliseconds(300))
                arena.expect(isFull, "the daemon found a place")
                most = max(most, idle.count)
                for one in idle { one.close() }
                arena.mark()
            }
            arena.note("\(most) connections taken")
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
        }
    }

    @Test("The disk is full, and has room again", .enabled(if: getuid() == 0, "mounting needs root"))
    func diskFull() async throws {
        let cluster = try await onThread { try Stage.forServers.get().cluster }
        guard let disk = Disk(folder: cluster.folder + "/small", megabytes: 96) else {
            print("fault: disk full: skipped, nothing can be mounted here")
            return
        }
        let admin = try Connection.connect(cluster.conninfo())
        try admin.execute(script: "create tablespace small location '\(disk.folder)'")
        defer {
            _ = try? admin.execute(script: "drop tablespace small")
            disk.remove()
        }
        try await fault("disk full", tablespace: "small") { arena in
            let daemon = try arena.startDaemon()
            let writer = arena.startWriter()
            for _ in 1...(isWhole ? 10 : 1) {
                let count = writer.acknowledged
                // Much is under way, and will end when there is no room.
                arena.receiver.behave { Receiver.answer($0, after: .milliseconds(1500)) }
                arena.expect(eventually { writer.acknowledged >= count + 150 }, "nothing was written")
                try disk.fill()
                let admin = try arena.connect()
                let isFull = eventually(within: .seconds(20)) {
                    do {
                        try admin.execute(script: """
                            create table if not exists fault.ballast (t text);
                            insert into fault.ballast select repeat('x', 1000) from generate_series(1, 100);
                            """)
                        return false
                    } catch {
                        return (error as? PostgresError)?.sqlState.rawValue == "53100"
                    }
                }
                arena.expect(isFull, "the disk did not become full")
                pause(.milliseconds(isWhole ? 5000 : 2000))
                arena.receiver.behaveWell()
                try disk.clear()
                arena.mark()
            }
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
        }
    }

    @Test("A standby is promoted when its primary is gone")
    func promotion() async throws {
        try await fault("promotion of a standby") { arena in
            let primary = arena.cluster
            let admin = try Connection.connect(primary.conninfo())
            let heir = try PrivateCluster(following: primary, name: "heir")
            removeAtExit(heir)
            // Nothing counts as committed that the heir does not have.
            try admin.execute(script: "alter system set synchronous_standby_names = 'heir'")
            try admin.execute(script: "select pg_reload_conf()")
            arena.expect(try eventually {
                try admin.query("select count(*) from pg_stat_replication where sync_state = 'sync'").scalar == "1"
            }, "the standby does not follow")

            arena.conninfo = """
                host=\(primary.folder),\(heir.folder) port=5432,5432 user=postgres dbname=\(arena.database) \
                target_session_attrs=read-write
                """
            let daemon = try arena.startDaemon()
            let writer = arena.startWriter()
            arena.expect(eventually { writer.acknowledged >= (isWhole ? 1000 : 60) }, "nothing was written")
            try primary.stop()
            try heir.promote()
            arena.mark()
            let count = writer.acknowledged
            arena.expect(eventually { writer.acknowledged >= count + 40 }, "nothing is written to the heir")
            arena.expect(daemon.end(within: .zero) == nil, "the daemon is gone")
            arena.atEnd {
                heir.remove()
                try primary.start()
                let admin = try Connection.connect(primary.conninfo())
                try admin.execute(script: "alter system reset synchronous_standby_names")
                try admin.execute(script: "select pg_reload_conf()")
            }
        }
    }
}

/// A file system of its own, in memory, that is easily filled (mount).
struct Disk: Sendable {
    let folder: String

    init?(folder: String, megabytes: Int) {
        self.folder = folder
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        guard mount("concierge", folder, "tmpfs", 0, "size=\(megabytes)m") == 0 else { return nil }
        guard let postgres = getpwnam("postgres") else { return nil }
        chown(folder, postgres.pointee.pw_uid, postgres.pointee.pw_gid)
    }

    /// Takes all the room there is.
    func fill() throws {
        let file = open(folder + "/ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError(call: "open", code: errno) }
        defer { close(file) }
        let zeros = [UInt8](repeating: 0, count: 4096)
        while Glibc.write(file, zeros, zeros.count) > 0 {}
    }

    func clear() throws { try FileManager.default.removeItem(atPath: folder + "/ballast") }

    func remove() { umount2(folder, Int32(MNT_DETACH)) }
}

/// What the body finds, as soon as it can and there is something.
private func eventuallyThere<Element>(_ body: () throws -> [Element]) throws -> [Element] {
    var found: [Element] = []
    _ = eventually {
        found = (try? body()) ?? []
        return !found.isEmpty
    }
    return found
}

extension Arena {
    /// The server processes of daemons, the listening one first.
    func sessions(_ connection: Connection) throws -> [Int] {
        try connection.query("""
            select pid from pg_stat_activity
            where application_name = 'concierge-daemon' and datname = current_database()
            order by backend_start
            """).map { try $0.value("pid") }
    }
}
