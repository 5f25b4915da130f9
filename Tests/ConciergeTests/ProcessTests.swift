import Foundation
import Migrations
import Postgres
import TestSupport
import Testing

/// The command itself, as a process: what signals, pipes and exit codes do.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct ProcessTests {
    /// A `concierge` under way.
    final class Child {
        private let process = Process()
        private let pipe = Pipe()

        init(_ arguments: [String], in folder: String, environment: [String: String] = [:]) throws {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            // The command lies beside the bundle of tests.
            process.executableURL = Bundle.main.bundleURL.appendingPathComponent("concierge")
            process.arguments = arguments
            process.currentDirectoryURL = URL(fileURLWithPath: folder)
            process.standardOutput = pipe
            process.standardError = pipe
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }

        func kill() { Foundation.kill(process.processIdentifier, SIGKILL) }
        func terminate() { Foundation.kill(process.processIdentifier, SIGTERM) }

        /// Waits for the end; exit code and output.
        func end() -> (status: Int32, output: String) {
            let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (process.terminationStatus, output)
        }
    }

    private func run(_ arguments: [String], in folder: String) throws -> (status: Int32, output: String) {
        try Child(arguments, in: folder).end()
    }

    /// A database with all of ours; not made by the command, whose cron job would outlive it.
    private func withMigratedDatabase(_ body: (Target) throws -> Void) throws {
        try TestServer.withDatabase { target in
            var runner = Runner(try Project(root: TestServer.projectRoot), target)
            runner.cronSkipReason = "a test"
            try runner.apply()
            try body(target)
        }
    }

    /// Waits until a query answers true, ten seconds at most.
    private func wait(_ connection: Connection, until sql: String) throws {
        for _ in 0..<200 where try connection.query(sql).scalar != "t" { usleep(50_000) }
        let holds = try connection.query(sql).scalar == "t"
        #expect(holds, "\(sql)")
    }

    /// Asks whether another session runs a statement with this text.
    private func isRunning(_ text: String) -> String {
        """
        select exists (
            select from pg_stat_activity where query like '%\(text)%' and pid <> pg_backend_pid())
        """
    }

    @Test("Exit codes are 0 done, 1 failed, 2 used wrongly")
    func exitCodes() throws {
        let project = try TemporaryProject(["migrations/0001_a.sql": "select 1"])
        try TestServer.withDatabase { target in
            let url = TestServer.url(target)
            let done = try run(["migrate", "--database", url], in: project.root)
            #expect(done.status == 0)
            #expect(done.output.contains("migrations/0001_a.sql ....") && done.output.contains("up to date"))

            try project.write("migrations/0002_b.sql", "select 1;\nselect nope;")
            let failed = try run(["migrate", "up", "--database", url], in: project.root)
            #expect(failed.status == 1)
            #expect(
                failed.output.contains(
                    "concierge: migrations/0002_b.sql:2: ERROR: column \"nope\" does not exist [42703]"))

            let plan = try run(["migrate", "plan", "--database", url], in: project.root)
            #expect(plan.output.contains("migrations/0002_b.sql\n  1: select 1\n  2: select nope\n"))
            let status = try run(["migrate", "status", "--json", "--database", url], in: project.root)
            let json = try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [[String: String]]
            #expect(json?.map { $0["path"] } == ["migrations/0001_a.sql", "migrations/0002_b.sql"])

            try project.write("migrations/0002_b.sql", "select 2")
            try project.write("migrations/0001_a.sql", "select 2")
            let asked = try run(["migrate", "repair", "--database", url], in: project.root)
            #expect(
                asked.status == 1
                    && asked.output.hasPrefix("migrations/0001_a.sql: edited after it was applied on "))
            #expect(
                asked.output.contains("concierge: nobody can be asked: ")
                    && asked.output.contains("--yes answers"))
            let repaired = try run(["migrate", "repair", "--yes", "--database", url], in: project.root)
            #expect(repaired.status == 0, "\(repaired.output)")
            #expect(try run(["migrate", "--database", url], in: project.root).status == 0)
            #expect(
                try run(["migrate", "drift", "--database", url], in: project.root).output
                    == "as a clean install\n")
            let new = try run(["migrate", "new", "c"], in: project.root)
            #expect(new.status == 0 && new.output == "migrations/0003_c.sql\n")

            let wrong = try run(["migrate", "--nope"], in: project.root)
            #expect(wrong.status == 2)
            #expect(wrong.output == "concierge: there is no option --nope\nTry: concierge help migrate\n")
            let setting = try Child(
                ["daemon", "--database", url], in: project.root, environment: ["CONCIERGE_POLL_MS": "soon"]
            ).end()
            #expect(setting.status == 2)
            #expect(
                setting.output == """
                    concierge: CONCIERGE_POLL_MS is "soon"; expected milliseconds from 10 to 60000
                    Try: concierge help daemon

                    """)
        }
    }

    @Test("A migrator killed half-way leaves whole migrations only, and the next one goes on within seconds")
    func killed() throws {
        let project = try TemporaryProject([
            "migrations/0001_a.sql": "create table a ();",
            "migrations/0002_b.sql": "create table b (); select pg_sleep(60);",
        ])
        try TestServer.withDatabase { target in
            let watcher = try target.connect()
            let child = try Child(["migrate", "--database", TestServer.url(target)], in: project.root)
            try wait(
                watcher,
                until:
                    isRunning("pg_sleep(60)")
            )
            child.kill()
            _ = child.end()
            try project.write("migrations/0002_b.sql", "create table b ();")
            let again = try run(["migrate", "--database", TestServer.url(target)], in: project.root)
            #expect(again.status == 0, "\(again.output)")
            let numbers = try watcher.query(
                "select string_agg(number::text, ',' order by number) from migration.applied"
            ).scalar
            #expect(numbers == "1,2")
        }
    }

    @Test("Two migrators take turns: one applies, the other waits, says for whom, and finds nothing to do")
    func takingTurns() throws {
        let project = try TemporaryProject(["migrations/0001_a.sql": "create table a (); select pg_sleep(1);"]
        )
        try TestServer.withDatabase { target in
            let url = TestServer.url(target)
            let watcher = try target.connect()
            let first = try Child(["migrate", "--database", url], in: project.root)
            try wait(
                watcher,
                until:
                    isRunning("pg_sleep(1)")
            )
            let second = try run(["migrate", "--database", url], in: project.root)
            let one = first.end()
            #expect(one.status == 0 && second.status == 0)
            #expect(one.output.contains("up to date"))
            #expect(second.output.contains("waiting for concierge migrate of postgres"))
            #expect(second.output.contains("nothing to do"))
        }
    }

    @Test("The tester says what failed, where, and what was wanted; its last line is the sum")
    func failingTests() throws {
        let fixture = TestServer.projectRoot + "/Tests/fixtures/tester"
        try TestServer.withDatabase { target in
            let result = try run(["test", "--database", TestServer.url(target), "--jobs", "2"], in: fixture)
            #expect(result.status == 1)
            let expected = [
                "Tests/sql/bad.sql:4: not ok: two is three",
                "        have: 2\n", "        want: 3\n",
                "Tests/sql/error.sql:5: ERROR: column \"nope\" does not exist [42703]",
                "Tests/sql/no_plan.sql:2: no plan: neither plan(n) nor finish() printed one",
                "Tests/sql/plan.sql:2: 3 assertions were planned, 1 ran",
                "Tests/sql/unfinished.sql:3: string is never closed",
                "skipped: the data is elsewhere",
                "not ok: fixture.broken()",
                "line 5: RETURN", "unused variable",
            ]
            for text in expected { #expect(result.output.contains(text), "\(text)\n\(result.output)") }
            #expect(result.output.hasSuffix("\n7 passed, 6 failed, 1 skipped\n"), "\(result.output)")

            let one = try run(
                ["test", "good.sql", "--format", "tap", "--database", TestServer.url(target)], in: fixture)
            #expect(one.status == 0)
            #expect(
                one.output == """
                    TAP version 13
                    ok 1 - good.sql: a commit is kept
                    ok 2 - good.sql: no data means no rows
                    ok 3 - good.sql # SKIP the data is elsewhere
                    ok 4 - good.sql: the project's folder is known
                    ok 5 - good.sql: the set-up ran
                    1..5

                    """, "\(one.output)")
        }
    }

    @Test("The demo asks, moves a session, and the next answer knows; then anyone can ask")
    func demo() throws {
        try withMigratedDatabase { target in
            let url = TestServer.url(target)

            let demo = try run(["demo", "--database", url], in: TestServer.projectRoot)
            #expect(demo.status == 0, "\(demo.output)")
            #expect(demo.output.contains("(Thu 10:45–11:45") && demo.output.contains("(Thu 11:00–12:00"))

            let options = ["--as", "maria-alvarez", "--database", url]
            let answer = try run(
                ["ask", "Which sponsors should I visit?"] + options, in: TestServer.projectRoot)
            #expect(answer.status == 0, "\(answer.output)")
            #expect(answer.output.contains("[1] ") && answer.output.contains("  [1] sponsor "))
            let nobody = try run(
                ["ask", "What now?", "--as", "nobody", "--database", url], in: TestServer.projectRoot)
            #expect(nobody.status == 1)
            #expect(nobody.output.hasPrefix("concierge: there is no \"nobody\"\nHINT: "))

            let file = TestServer.projectRoot + "/demo/conference.json"
            let load = try run(["load", "schedule", file, "--database", url], in: TestServer.projectRoot)
            #expect(load.status == 0 && load.output.contains("40 sessions, 0 added, 1 changed, 0 cancelled"))
        }
    }

    @Test("Due follow-ups reach the inbox once each, though the daemon is killed while it delivers them")
    func followUps() throws {
        try withMigratedDatabase { target in
            let connection = try target.connect()
            try connection.execute(
                script: """
                    select access.create_tenant('acme', 'Acme');
                    select access.create_token_key('acme', tenant => 'acme');
                    select access.create_person('acme', 'sam', 'Sam', '{service}');
                    insert into contractor.contractors (tenant_id, key, name)
                    select t.tenant_id, 'anna', 'Anna' from access.tenants as t;
                    insert into event.events (tenant_id, slug, title, time_zone, starts_at, ends_at)
                    select t.tenant_id, 'fair', 'Fair', 'UTC', now(), now() + interval '1 day'
                    from access.tenants as t;
                    select access.sign_in(access.issue_token('acme', 'sam'), for_session => true);

                    -- One row each time a follow-up becomes delivered.
                    create table public.delivery (follow_up_id uuid);
                    create function public.note_delivery() returns trigger language plpgsql security definer as $$
                    begin
                        insert into public.delivery values (new.follow_up_id);
                        return null;
                    end
                    $$;
                    create trigger note_delivery after update on contractor.follow_ups
                        for each row when (new.status = 'delivered') execute function public.note_delivery();

                    select contractor.schedule_followup(contractor.contractor_id('anna'), event.event_id('fair'),
                        'Call number ' || n, now() + interval '1 second', 'key ' || n)
                    from generate_series(1, 1000) as n;
                    """)

            let command = ["daemon", "--database", TestServer.url(target)]
            for share in [1, 300, 600] {
                let daemon = try Child(command, in: TestServer.projectRoot)
                try wait(connection, until: "select count(*) >= \(share) from public.delivery")
                daemon.kill()
                _ = daemon.end()
                // What it held is free when its lease has run out; nobody waits half a minute here.
                try connection.execute(
                    script: "update queue.job set leased_until = now() where state = 'running'")
            }
            let daemon = try Child(command, in: TestServer.projectRoot)
            try wait(connection, until: "select count(*) >= 1000 from public.delivery")
            daemon.terminate()
            let end = daemon.end()
            #expect(end.status == 0, "\(end.output)")

            let delivered = try connection.query(
                "select count(*) || ' of ' || count(distinct follow_up_id) from public.delivery"
            ).scalar
            #expect(delivered == "1000 of 1000")
            let jobs = try connection.query("select string_agg(distinct state, ',') from queue.job").scalar
            #expect(jobs == "done")
        }
    }
}
