import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

@testable import Daemon

/// The built command, which lies beside the tests.
private let program: String? = {
    let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/concierge"
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
}()

/// A sanitizer's shadow memory is not the daemon's.
private let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

/// One server for all tests of the daemon, made when the first one asks and gone with the process.
private let sharedCluster: Result<PrivateCluster, any Error> = Result {
    let cluster = try PrivateCluster()
    try Connection.connect(cluster.conninfo()).execute(script: "create role concierge_worker")
    atexit { if case .success(let cluster) = sharedCluster { cluster.remove() } }
    return cluster
}

/// The loop against a real server. One after the other: the tests restart it.
@Suite(
    "With a server", .serialized,
    .enabled(if: PrivateCluster.binaries != nil, "PostgreSQL's server programs are not on this machine"))
final class DaemonRuntimeTests {
    let cluster: PrivateCluster
    /// Each test has a database of its own.
    let database = "test_" + UUID().uuidString.prefix(8).lowercased()
    var server: Connection
    let daemon: RunningDaemon

    init() throws {
        cluster = try sharedCluster.get()
        try Connection.connect(cluster.conninfo()).execute(script: "create database \(database)")
        server = try Connection.connect(cluster.conninfo(database: database))
        try server.execute(script: fakeQueue)
        // A slow poll, so that what comes quickly came by notification.
        var configuration = Configuration(conninfo: cluster.conninfo(database: database))
        configuration.poll = .seconds(30)
        configuration.logLevel = .debug
        daemon = RunningDaemon(configuration)
        try #require(eventually { daemon.count("ready") == 2 })
    }

    deinit {
        daemon.signal()
        daemon.signal()
        _ = eventually { daemon.hasLeft }
    }

    @discardableResult
    func sql(_ statement: String) throws -> String? { try server.query(statement).first?[0] }

    func isFresh() throws -> Bool { try sql("select wanted = made from queue.topic") == "t" }
    func touch() throws { try sql("update queue.topic set wanted = wanted + 1") }

    func enqueue(_ payload: String, kind: String = "deliver") throws -> String {
        try sql("insert into queue.job (kind, payload) values ('\(kind)', '\(payload)') returning job_id") ?? ""
    }

    func isFinished(_ job: String) throws -> Bool {
        try sql("select result = '{\"channel\": \"inbox\"}' from queue.job where job_id = \(job)") == "t"
    }

    func pid(of link: String) throws -> String? {
        let query = link == "listening" ? "%queue.%" : "call queue.refresh()"
        return try sql("""
            select pid from pg_stat_activity
            where application_name = 'concierge-daemon' and datname = current_database()
                and query like '\(query)' limit 1
            """)
    }

    @Test("A notification leads to a refresh within tens of milliseconds, also on a channel with an odd name")
    func refresh() throws {
        var waits: [Duration] = []
        for _ in 1...10 {
            Thread.sleep(forTimeInterval: 0.15) // the lingering after the last one
            let start = ContinuousClock.now
            try touch()
            #expect(try eventually(within: .seconds(1)) { try isFresh() })
            waits.append(ContinuousClock.now - start)
        }
        #expect(waits.sorted()[5] < .milliseconds(100))
    }

    @Test("A job is claimed, performed and finished; what cannot be performed fails with a sentence")
    func jobs() throws {
        let inbox = try enqueue(#"{"channel":"inbox"}"#)
        let fax = try enqueue(#"{"channel":"fax"}"#)
        let broken = try enqueue(#"{"channel":"inbox","error":1}"#)
        #expect(try eventually { try isFinished(inbox) })
        #expect(try eventually { try sql("select count(*) from queue.job where error is not null") == "2" })
        #expect(try sql("select error from queue.job where job_id = \(fax)")
            == "this daemon does not deliver by \"fax\", only to the inbox")
        #expect(try sql("select error from queue.job where job_id = \(broken)")
            == "the continuation failed: no such person [P0001]")
        #expect(daemon.count("unfinished") == 1)
    }

    @Test("A thousand jobs are each done once")
    func manyJobs() throws {
        try sql("""
            insert into queue.job (kind, payload)
            select 'deliver', '{"channel":"inbox"}' from generate_series(1, 1000)
            """)
        #expect(try eventually(within: .seconds(20)) {
            try sql("select count(*) from queue.job where result is not null and token = 1") == "1000"
        })
        #expect(eventually { daemon.count("finished") == 1000 })
        #expect(daemon.count("stale") == 0)
    }

    @Test("Both sessions work as concierge_worker and are idle between events, in no transaction")
    func sessions() throws {
        #expect(try eventually {
            try sql("""
                select count(*) from pg_stat_activity
                where application_name = 'concierge-daemon' and datname = current_database()
                    and state = 'idle' and xact_start is null
                """) == "2"
        })
        // What the login might do, the daemon may not.
        try sql("revoke execute on function queue.look(text[]) from public")
        try touch()
        #expect(eventually { daemon.count("blind") == 1 })
        #expect(daemon.log.contains("sqlstate=42501"))
    }

    @Test("After the server restarts it listens again, and finds what was written while it did not")
    func restart() throws {
        try cluster.stop()
        #expect(eventually { daemon.count("lost") == 2 })
        try cluster.start()
        server = try Connection.connect(cluster.conninfo(database: database))
        let job = try enqueue(#"{"channel":"inbox"}"#)
        try touch()
        #expect(try eventually { try isFinished(job) && isFresh() })
        #expect(eventually { daemon.count("ready") == 4 })
        Thread.sleep(forTimeInterval: 0.3)
        try touch()
        #expect(try eventually(within: .seconds(1)) { try isFresh() })
        #expect(daemon.count("unready") <= 4, "\(daemon.log)")
    }

    @Test("A listening session that is terminated is replaced, and a notification sent meanwhile is not missed")
    func terminated() throws {
        for round in 1...3 {
            try sql("""
                select pg_terminate_backend(pid) from pg_stat_activity
                where application_name = 'concierge-daemon' and datname = current_database()
                    and query not like 'call %'
                """)
            try touch()
            #expect(try eventually(within: .seconds(3)) { try isFresh() }, "round \(round)")
        }
        #expect(daemon.log.contains("terminating connection due to administrator command"))
    }

    @Test("A listening session that falls silent without a word is noticed and replaced")
    func silent() throws {
        var configuration = Configuration(conninfo: cluster.conninfo(database: database))
        configuration.poll = .milliseconds(200)
        configuration.answerLimit = .milliseconds(700)
        daemon.signal()
        #expect(eventually { daemon.hasLeft })
        let second = RunningDaemon(configuration)
        defer { second.signal() }
        #expect(eventually { second.count("ready") == 2 })
        let pid = try #require(try pid(of: "listening").flatMap { pid_t($0) })
        kill(pid, SIGSTOP)
        defer { kill(pid, SIGCONT) }
        try touch()
        #expect(try eventually(within: .seconds(3)) { try isFresh() })
        #expect(second.log.contains(#"event=lost link=listening reason="no answer in time""#))
    }

    @Test("A refresh whose session is terminated is made again")
    func terminatedRefresh() throws {
        try sql("update queue.topic set seconds = 30")
        try touch()
        #expect(try eventually { try pid(of: "working") != nil })
        try sql("update queue.topic set seconds = 0")
        try sql("select pg_terminate_backend(\(try pid(of: "working") ?? "0"))")
        #expect(try eventually { try isFresh() })
    }

    @Test("A refresh that fails gives its session lock back and does not spin")
    func failingRefresh() throws {
        try sql("alter table queue.topic add constraint never check (made = 0) not valid")
        try touch()
        #expect(eventually { daemon.count("unrefreshed") == 1 })
        #expect(try eventually { try sql("select count(*) from pg_locks where locktype = 'advisory'") == "0" })
        Thread.sleep(forTimeInterval: 0.5)
        #expect(daemon.count("unrefreshed") == 1)
    }

    @Test("Five hundred writers' notifications lead to a handful of refreshes")
    func storm() throws {
        try sql("create table queue.made (at timestamptz)")
        try sql("grant insert on queue.made to concierge_worker")
        try sql("""
            create function queue.count_made() returns trigger language plpgsql as
            $$ begin insert into queue.made values (clock_timestamp()); return null; end $$
            """)
        try sql("create trigger made after update of made on queue.topic execute function queue.count_made()")
        let start = ContinuousClock.now
        for _ in 1...500 { try touch() }
        let windows = (ContinuousClock.now - start) / .milliseconds(20)
        #expect(try eventually { try isFresh() })
        let refreshes = Double(try sql("select count(*) from queue.made") ?? "") ?? 1000
        #expect(refreshes <= windows + 3)
    }

    @Test("A stale token changes nothing and is forgotten")
    func stale() throws {
        // As if the lease had run out before the end, and somebody else had claimed the job: its token moved on.
        try server.execute(script: """
            create or replace function queue.claim(worker text, kinds text[], size int)
            returns table (job_id bigint, token bigint, kind text, payload jsonb) language sql as $$
                update queue.job as j set token = j.token + 1, leased_until = now() + interval '1 hour'
                where j.result is null returning j.job_id, j.token - 1, j.kind, j.payload $$
            """)
        let late = try enqueue(#"{"channel":"inbox"}"#)
        #expect(eventually { daemon.count("stale") == 1 })
        #expect(try !isFinished(late))
        #expect(daemon.count("finished") == 0)
    }

    @Test("Told to stop under work it ends the job and the refresh in hand, and leaves")
    func stopUnderWork() throws {
        let job = try enqueue(#"{"channel":"inbox","seconds":0.7}"#)
        #expect(eventually { daemon.count("claimed") == 1 })
        daemon.signal()
        let late = try enqueue(#"{"channel":"inbox"}"#)
        #expect(eventually { daemon.hasLeft })
        #expect(try isFinished(job))
        #expect(try !isFinished(late))
        #expect(try eventually {
            try sql("select count(*) from pg_stat_activity where datname = current_database()") == "1"
        })
    }

    @Test("Told twice it cancels what it is doing and leaves at once")
    func stopTwice() throws {
        try sql("update queue.topic set seconds = 60")
        try touch()
        #expect(try eventually { try pid(of: "working") != nil })
        daemon.signal()
        Thread.sleep(forTimeInterval: 0.1)
        #expect(!daemon.hasLeft)
        daemon.signal()
        #expect(eventually(within: .seconds(2)) { daemon.hasLeft })
        #expect(try eventually(within: .seconds(5)) { try pid(of: "working") == nil })
    }

    @Test(
        "The real program ends its job on SIGTERM, exits with 0, and is small",
        .enabled(if: program != nil, "the concierge executable is not built beside the tests"))
    func realProgram() throws {
        daemon.signal()
        #expect(eventually { daemon.hasLeft })
        let process = try ChildProcess(
            [try #require(program), "daemon", "--database", cluster.conninfo(database: database)])
        let job = try enqueue(#"{"channel":"inbox","seconds":0.7}"#)
        #expect(try eventually { try sql("select token from queue.job") == "1" })
        let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let resident = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            .flatMap { Int($0.filter(\.isNumber)) }
        kill(process.pid, SIGTERM)
        #expect(process.wait() == 0)
        #expect(try isFinished(job))
        #expect(try #require(resident) < (isSanitized ? 1_000_000 : 30_000))
    }

    @Test("Before the database is migrated it waits, says so once, and starts when it is")
    func beforeMigration() throws {
        try sql("create database \(database)_bare")
        var configuration = Configuration(conninfo: cluster.conninfo(database: "\(database)_bare"))
        configuration.backOff.cap = .milliseconds(400)
        let early = RunningDaemon(configuration)
        defer { early.signal() }
        #expect(eventually { early.count("unready") == 1 })
        #expect(early.log.contains("run `concierge migrate` on this database"))
        Thread.sleep(forTimeInterval: 0.5)
        #expect(early.count("unready") == 1)
        try Connection.connect(cluster.conninfo(database: "\(database)_bare")).execute(script: fakeQueue)
        #expect(eventually { early.count("ready") == 2 })
    }
}
