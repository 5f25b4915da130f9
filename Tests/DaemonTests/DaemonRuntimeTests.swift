import Foundation
import Glibc
import HTTP
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Daemon

/// The built command, which lies beside the tests.
let program: String? = {
    let path = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path + "/concierge"
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
}()

/// A sanitizer's shadow memory is not the daemon's.
private let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

/// One server for all tests of the daemon, made when the first one asks and gone with the process. Its
/// database `migrated` has the real schema and `testQueue`.
private let sharedCluster: Result<PrivateCluster, any Error> = Result {
    let cluster = try PrivateCluster()
    try Connection.connect(cluster.conninfo()).execute(script: "create database migrated")
    try cluster.migrate("migrated")
    try Connection.connect(cluster.conninfo(database: "migrated")).execute(script: testQueue)
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
        try Connection.connect(cluster.conninfo()).execute(
            script: "create database \(database) template migrated strategy file_copy")
        server = try Connection.connect(cluster.conninfo(database: database))
        // A slow poll, so that what comes quickly came by notification.
        var configuration = Configuration(conninfo: cluster.conninfo(database: database))
        configuration.poll = .seconds(30)
        configuration.logLevel = .debug
        daemon = RunningDaemon(configuration)
        try #require(eventually { daemon.count("ready") == 3 })
    }

    deinit {
        daemon.signal()
        daemon.signal()
        _ = eventually { daemon.hasLeft }
    }

    @discardableResult
    func sql(_ statement: String) throws -> String? { try server.query(statement).first?[0] }

    func isFresh() throws -> Bool { try sql("select wanted = made from test.topic") == "t" }
    func touch() throws { try sql("update test.topic set wanted = wanted + 1") }

    func enqueue(_ continuation: String = "test.note", maxAttempts: Int = 5) throws -> String {
        let options = "continuation => '\(continuation)', max_attempts => \(maxAttempts)"
        return try sql("select queue.enqueue('call', \(options))") ?? ""
    }

    /// Done, and continued exactly once.
    func isFinished(_ job: String) throws -> Bool {
        try sql("""
            select count(*) = 1 from queue.history as h join test.noted as n using (job_id)
            where h.state = 'done' and h.result = n.result and job_id = \(job)
            """) == "t"
    }

    /// The session of a line: between two looks, or in a refresh.
    func pid(of link: String) throws -> String? {
        let (query, state) = link == "listening" ? ("queue.look", "idle") : ("^call test.refresh", "active")
        return try sql("""
            select pid from pg_stat_activity
            where application_name = 'concierge-daemon' and datname = current_database() and query ~ '\(query)'
                and state = '\(state)'
            limit 1
            """)
    }

    /// Another daemon on this database instead of the usual one.
    func restarted(_ change: (inout Configuration) -> Void) throws -> RunningDaemon {
        daemon.signal()
        try #require(eventually { daemon.hasLeft })
        var configuration = Configuration(conninfo: cluster.conninfo(database: database))
        change(&configuration)
        let second = RunningDaemon(configuration)
        try #require(eventually { second.count("ready") == 3 })
        return second
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

    @Test("A job is claimed, performed and finished; one whose continuation refuses fails alone")
    func jobs() throws {
        let good = try enqueue()
        let broken = try enqueue("test.refuse", maxAttempts: 1)
        let another = try enqueue()
        #expect(try eventually { try isFinished(good) && isFinished(another) })
        #expect(try eventually { try sql("select count(*) from queue.dead_letter") == "1" })
        #expect(try sql("select error from queue.dead_letter where job_id = \(broken)")
            == "test.refuse raised P0001: no such person")
        #expect(!daemon.log.contains("no such person"))
    }

    @Test("A thousand jobs are each done once")
    func manyJobs() throws {
        try sql("""
            select count(queue.enqueue('call', continuation => 'test.note')) from generate_series(1, 1000)
            """)
        #expect(try eventually(within: .seconds(20)) {
            try sql("select count(*) from queue.history where state = 'done' and attempts = 1") == "1000"
        })
        #expect(try sql("select count(distinct job_id) = 1000 and count(*) = 1000 from test.noted") == "t")
        #expect(eventually { daemon.count("finished") == 1000 })
        #expect(daemon.count("stale") == 0)
    }

    @Test("A slow continuation does not hold up the ends of other jobs")
    func pool() throws {
        let slow = try enqueue("test.note_slowly")
        #expect(eventually { daemon.count("claimed") == 1 })
        let start = ContinuousClock.now
        let quick = try (1...5).map { _ in try enqueue() }
        #expect(try eventually { try quick.allSatisfy { try isFinished($0) } })
        #expect(ContinuousClock.now - start < .milliseconds(600), "\(daemon.log)")
        #expect(try !isFinished(slow))
        #expect(daemon.log.contains("event=ready link=ending-2"))
        #expect(try eventually { try isFinished(slow) })
    }

    @Test("A worker is known before it has anything to do, and gone when it has left")
    func worker() throws {
        #expect(try eventually { try sql("select count(*) from queue.worker") == "1" })
        daemon.signal()
        #expect(eventually { daemon.hasLeft })
        #expect(try sql("select count(*) from queue.worker") == "0")
    }

    @Test("The lease of an idle worker is extended; one that was lost is taken anew")
    func lease() throws {
        let second = try restarted {
            $0.poll = .milliseconds(100)
            $0.extend = .milliseconds(100)
            $0.lease = .milliseconds(500)
        }
        defer { second.signal() }
        #expect(try eventually { try sql("select count(*) from queue.worker") == "1" })
        Thread.sleep(forTimeInterval: 1)
        #expect(try sql("select leased_until > now() from queue.worker") == "t")
        try sql("select queue.release(worker) from queue.worker")
        #expect(try eventually(within: .seconds(2)) { try sql("select count(*) from queue.worker") == "1" })
    }

    @Test("A job that was claimed in its name, and that it does not know of, comes back")
    func unknown() throws {
        let second = try restarted {
            $0.poll = .milliseconds(100)
            $0.extend = .milliseconds(200)
        }
        defer { second.signal() }
        #expect(try eventually { try sql("select count(*) from queue.worker") == "1" })
        // As if the answer to this claim had been lost on the way.
        try server.execute(script: """
            begin;
            select queue.enqueue('call', continuation => 'test.note');
            update queue.job set state = 'running', worker = (select worker from queue.worker), token = 1;
            commit
            """)
        let job = try #require(try sql("select lastval()"))
        #expect(try eventually(within: .seconds(3)) { try isFinished(job) })
    }

    @Test("All sessions work as concierge_worker and are idle between events, in no transaction")
    func sessions() throws {
        #expect(try eventually {
            try sql("""
                select count(*) from pg_stat_activity
                where application_name = 'concierge-daemon' and datname = current_database()
                    and state = 'idle' and xact_start is null
                """) == "3"
        })
        // What the login might do, the daemon may not.
        try sql("revoke execute on function queue.look(text, text[]) from concierge_worker")
        try touch()
        #expect(eventually { daemon.count("blind") == 1 })
        #expect(daemon.log.contains("sqlstate=42501"))
    }

    @Test("After the server restarts it listens again, and finds what was written while it did not")
    func restart() throws {
        try cluster.stop()
        #expect(eventually { daemon.count("lost") == 3 })
        try cluster.start()
        server = try Connection.connect(cluster.conninfo(database: database))
        let job = try enqueue()
        try touch()
        #expect(try eventually { try isFinished(job) && isFresh() })
        #expect(eventually { daemon.count("ready") == 6 })
        Thread.sleep(forTimeInterval: 0.3)
        try touch()
        #expect(try eventually(within: .seconds(1)) { try isFresh() })
        #expect(daemon.count("unready") <= 6, "\(daemon.log)")
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
        let second = try restarted {
            $0.poll = .milliseconds(200)
            $0.answerLimit = .milliseconds(700)
        }
        defer { second.signal() }
        // Between two looks: one that is stopped while it writes would hold up the whole server.
        #expect(try eventually { try sql("select count(*) from queue.worker") == "1" })
        #expect(try eventually { try self.pid(of: "listening") != nil })
        let pid = try #require(try self.pid(of: "listening").flatMap { pid_t($0) })
        kill(pid, SIGSTOP)
        defer { kill(pid, SIGCONT) }
        try touch()
        #expect(try eventually(within: .seconds(3)) { try isFresh() })
        #expect(second.log.contains(#"event=lost link=listening reason="no answer in time""#))
    }

    @Test("A refresh whose session is terminated is made again")
    func terminatedRefresh() throws {
        try sql("update test.topic set seconds = 30")
        try touch()
        #expect(try eventually { try pid(of: "refreshing") != nil })
        try sql("update test.topic set seconds = 0")
        try sql("select pg_terminate_backend(\(try pid(of: "refreshing") ?? "0"))")
        #expect(try eventually { try isFresh() })
    }

    @Test("A refresh that fails gives its session lock back and does not spin")
    func failingRefresh() throws {
        try sql("alter table test.topic add constraint never check (made = 0) not valid")
        try touch()
        #expect(eventually { daemon.count("unrefreshed") == 1 })
        #expect(try eventually { try sql("select count(*) from pg_locks where locktype = 'advisory'") == "0" })
        Thread.sleep(forTimeInterval: 0.5)
        #expect(daemon.count("unrefreshed") == 1)
    }

    @Test("Five hundred writers' notifications lead to a handful of refreshes")
    func storm() throws {
        try sql("create table test.made (at timestamptz)")
        try sql("grant insert on test.made to concierge_worker")
        try sql("""
            create function test.count_made() returns trigger language plpgsql as
            $$ begin insert into test.made values (clock_timestamp()); return null; end $$
            """)
        try sql("create trigger made after update of made on test.topic execute function test.count_made()")
        let start = ContinuousClock.now
        for _ in 1...500 { try touch() }
        let windows = (ContinuousClock.now - start) / .milliseconds(20)
        #expect(try eventually { try isFresh() })
        let refreshes = Double(try sql("select count(*) from test.made") ?? "") ?? 1000
        #expect(refreshes <= windows + 3)
    }

    @Test("A stale token changes nothing and is forgotten")
    func stale() throws {
        // Its end waits behind another; meanwhile, as if the lease had run out, somebody else claims it.
        let second = try restarted { $0.endings = 1; $0.logLevel = .debug }
        defer { second.signal() }
        let slow = try enqueue("test.note_slowly")
        #expect(eventually { second.count("claimed") == 1 })
        let late = try enqueue()
        #expect(eventually { second.count("claimed") == 2 })
        try sql("update queue.job set token = token + 1 where job_id = \(late)")
        #expect(eventually { second.count("stale") == 1 })
        #expect(try isFinished(slow))
        #expect(try !isFinished(late))
        #expect(second.count("finished") == 1)
    }

    @Test(
        "A site is crawled and a file converted by real effects; crawled again, only what changed is fetched in full",
        .enabled(if: Converter.pandoc.path != nil, "pandoc is not installed"))
    func knowledge() throws {
        let changed = Mutex(false)
        let web = try HTTPStub { request in
            let html = [("Content-Type", "text/html; charset=utf-8")]
            switch request.target {
            case "/robots.txt":
                return [.answer(headers: [("Content-Type", "text/plain")], body: Array("User-agent: *\nDisallow: /no".utf8))]
            case "/":
                return [.answer(headers: html, body: Array("""
                    <title>Pumps &amp; valves</title><nav>Home</nav><p>Welcome to the <a href="/blue">blue</a> house,
                    <a href="/moved">moved</a>, <a href="/no">no</a>.</p><script>var secret</script>
                    """.utf8))]
            case "/moved":
                return [.redirect(to: "/straße".addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? "")]
            case "/stra%C3%9Fe":
                return [.answer(headers: html, body: Array("<h1>Straße</h1><p>Sie ist gesperrt.".utf8))]
            case "/blue" where request.header("If-None-Match") == "\"1\"" && !changed.withLock { $0 }:
                return [.answer(304)]
            case "/blue":
                let word = changed.withLock { $0 } ? "crimson" : "azure"
                return [.answer(headers: html + [("ETag", "\"1\"")], body: Array("<p>It is \(word).".utf8))]
            default:
                return [.answer(404)]
            }
        }
        let local = try #require(AddressPolicy.Allowance("127.0.0.1"))
        let second = try restarted { $0.allowances = [local] }
        defer { second.signal() }
        try server.execute(script: """
            select access.create_tenant('acme', 'Acme'), access.create_token_key('key');
            select access.create_person('acme', 'olga', 'Olga', '{organizer}');
            select set_config('request.jwt', access.issue_token('acme', 'olga'), false);
            select knowledge.create_workspace('docs', 'Docs');
            select knowledge.add_site('docs', '\(web.url)', pause => '0.1 s');
            select knowledge.add_file('docs', 'page.html', '<h1>Tap</h1><p>Turn it &ouml;fter.<script>x</script>')
            """)
        let settled = "select count(*) = 4 and bool_and(status = 'processed') from knowledge.documents"
        #expect(try eventually(within: .seconds(20)) { try sql(settled) == "t" }, "\(second.log)")
        #expect(try sql("select content from knowledge.documents where key = 'page.html'") == "# Tap\n\nTurn it öfter.\n")
        #expect(try sql("select title || ': ' || content from knowledge.documents where key = '\(web.url)/'")
            == "Pumps & valves: Welcome to the blue house, moved, no.\n")
        #expect(try sql("select content from knowledge.documents where key = '\(web.url)/stra%C3%9Fe'")
            == "# Straße\n\nSie ist gesperrt.\n")
        #expect(web.requests.map(\.target).filter { $0 == "/no" }.isEmpty)
        #expect(try sql("select string_agg(state, ' ' order by url) from knowledge.site_pages") == "read read alias read")

        let unchanged = try sql("select string_agg(key || version, ' ' order by key) from knowledge.documents")
        let crawled = "select bool_and(p.run = 2) from knowledge.site_pages as p"
        try sql("select knowledge.crawl_again('docs', '\(web.url)')")
        #expect(try eventually(within: .seconds(20)) { try sql(crawled) == "t" }, "\(second.log)")
        #expect(try sql("select string_agg(key || version, ' ' order by key) from knowledge.documents") == unchanged)
        changed.withLock { $0 = true }
        try sql("select knowledge.crawl_again('docs', '\(web.url)')")
        #expect(try eventually(within: .seconds(20)) {
            try sql("select content from knowledge.documents where key = '\(web.url)/blue'") == "It is crimson.\n"
        }, "\(second.log)")
    }

    @Test("Told to stop under work it ends the job and the refresh in hand, and leaves")
    func stopUnderWork() throws {
        let job = try enqueue("test.note_slowly")
        #expect(eventually { daemon.count("claimed") == 1 })
        daemon.signal()
        let late = try enqueue()
        #expect(eventually { daemon.hasLeft })
        #expect(try isFinished(job))
        #expect(try !isFinished(late))
        #expect(try eventually {
            try sql("select count(*) from pg_stat_activity where datname = current_database()") == "1"
        })
    }

    @Test("Told twice it cancels what it is doing and leaves at once")
    func stopTwice() throws {
        try sql("update test.topic set seconds = 60")
        try touch()
        #expect(try eventually { try pid(of: "refreshing") != nil })
        daemon.signal()
        Thread.sleep(forTimeInterval: 0.1)
        #expect(!daemon.hasLeft)
        daemon.signal()
        #expect(eventually(within: .seconds(2)) { daemon.hasLeft })
        #expect(try eventually(within: .seconds(5)) { try pid(of: "refreshing") == nil })
    }

    @Test(
        "The real program ends its job on SIGTERM, exits with 0, and is small",
        .enabled(if: program != nil, "the concierge executable is not built beside the tests"))
    func realProgram() throws {
        daemon.signal()
        #expect(eventually { daemon.hasLeft })
        let process = try ChildProcess(
            [try #require(program), "daemon", "--database", cluster.conninfo(database: database)])
        let job = try enqueue("test.note_slowly")
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
        try cluster.migrate("\(database)_bare")
        #expect(eventually { early.count("ready") == 3 })
    }

    @Test("Every statement the daemon sends is one the schema takes, and its answer is read")
    func contract() throws {
        daemon.signal()
        #expect(eventually { daemon.hasLeft })
        func ask(_ request: Request, inHand: [String] = []) throws -> Answer {
            let (sql, parameters) = try request.statement(
                worker: "test", kinds: ["call"], lease: .seconds(15), inHand: inHand,
                quoted: server.escapeIdentifier)
            return try request.answer(from: server.query(sql, parameters))
        }
        func claimed(_ limit: Int) throws -> [Job] {
            guard case .claimed(let jobs) = try ask(.claim(limit: limit)) else { return [] }
            return jobs.sorted { $0.id < $1.id }
        }
        func found() throws -> Found {
            guard case .found(let found) = try ask(.look) else { return Found(refreshCalls: ["nothing"]) }
            return found
        }
        #expect(try ask(.assumeRole) == .done)
        #expect(try ask(.limitStatements(.milliseconds(1500))) == .done)
        #expect(try server.query("show statement_timeout").scalar == "1500ms")
        #expect(try ask(.channels) == .channels(["Odd \"name\"", "queue_job"]))
        #expect(try ask(.listen(channel: "Odd \"name\"")) == .done)
        #expect(try ask(.heartbeat) == .channels(["queue_job"]))
        #expect(try found() == Found())
        #expect(try ask(.extend) == .extended(stop: nil))

        try server.execute(script: "reset role")
        let ids = try (1...5).map { _ in try enqueue() }
        try touch()
        #expect(try ask(.assumeRole) == .done)
        #expect(try found() == Found(refreshCalls: ["call test.refresh()"], hasJobs: true, nextDueIn: .zero))
        #expect(try ask(.refresh(call: "call test.refresh()")) == .done)
        #expect(try ask(.unlock) == .done)
        let jobs = try claimed(4)
        #expect(jobs.map(\.id) == Array(ids.prefix(4)))
        #expect(jobs.allSatisfy { $0.token == "1" && $0.payload == "{}" && $0.traceID.count == 32 })
        #expect(try ask(.extend, inHand: jobs.map(\.id)) == .extended(stop: []))

        // Odd texts arrive as they are; a stale token is not accepted.
        let odd = #"{"text": "a\"b\\\\c, {d} \u00e9"}"#
        let stale = Request.Result(job: Job(id: jobs[3].id, token: "0", kind: "", payload: ""), result: "{}")
        let first = Request.Result(job: jobs[0], result: odd)
        let second = Request.Result(job: jobs[1], result: "{}")
        #expect(try ask(.finish([first, second, stale])) == .accepted([jobs[0].id, jobs[1].id]))
        let failure = Failure(error: "busy: \"a\\b\"", fault: .rate, retryAfter: .seconds(30))
        #expect(try ask(.fail(jobs[2], failure)) == .accepted([jobs[2].id]))
        #expect(try ask(.fail(jobs[2], failure)) == .accepted([]))
        // A call has nothing to say, whatever its token.
        let text = Emission(job: jobs[3], number: 1, text: #"a "b" \\ {}"#)
        #expect(try ask(.emit([text])) == .emitted(stop: [jobs[3].id]))
        #expect(try ask(.emit([])) == .emitted(stop: []))

        try server.execute(script: "reset role; select queue.cancel(\(jobs[3].id))")
        #expect(try sql("select result = '\(odd)' from test.noted where job_id = \(jobs[0].id)") == "t")
        #expect(try sql("""
            select state = 'ready' and attempts = 0 and last_error = 'busy: "a\\b"'
                and run_at - now() between interval '25 s' and interval '30 s'
            from queue.job where job_id = \(jobs[2].id)
            """) == "t")
        #expect(try ask(.assumeRole) == .done)
        #expect(try ask(.extend, inHand: [jobs[3].id]) == .extended(stop: [jobs[3].id]))
        #expect(try found().toStop == [jobs[3].id])
        #expect(try ask(.release) == .done)
        #expect(try ask(.extend) == .extended(stop: nil))
    }
}
