import Foundation
import Migrations
import Postgres
import TestSupport
import Testing

@testable import concierge

/// The command itself, as a process: what signals, pipes and exit codes do.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct ProcessTests {
    /// A `concierge` under way.
    final class Child {
        private let process = Process()
        private let pipe = Pipe()

        init(
            _ arguments: [String], in folder: String, environment: [String: String] = [:], input: String? = nil
        ) throws {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            // The command lies beside the bundle of tests.
            process.executableURL = Bundle.main.bundleURL.appendingPathComponent("concierge")
            process.arguments = arguments
            process.currentDirectoryURL = URL(fileURLWithPath: folder)
            process.standardOutput = pipe
            process.standardError = pipe
            let words = input.map { _ in Pipe() }
            process.standardInput = words ?? FileHandle.nullDevice
            try process.run()
            if let words, let input {
                // Less than a pipe holds: it need not be read first.
                words.fileHandleForWriting.write(Data(input.utf8))
                try words.fileHandleForWriting.close()
            }
        }

        func kill() { Foundation.kill(process.processIdentifier, SIGKILL) }
        func terminate() { Foundation.kill(process.processIdentifier, SIGTERM) }

        /// Reads until a line begins so; nil at the end of the output, or after half a minute of silence.
        func line(after prefix: String) -> String? {
            while let line = readLine() { if line.hasPrefix(prefix) { return line } }
            return nil
        }

        private func readLine() -> String? {
            var bytes: [UInt8] = []
            let descriptor = pipe.fileHandleForReading.fileDescriptor
            var byte: UInt8 = 0
            while true {
                var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, 30_000) == 1, read(descriptor, &byte, 1) == 1 else { return nil }
                if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
                bytes.append(byte)
            }
        }

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

    /// Waits until a query answers true, ten seconds at most.
    private func wait(_ connection: Connection, until sql: String) throws {
        for _ in 0..<1000 where try connection.query(sql).scalar != "t" { usleep(50_000) }
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
            let path = project.root + "/daemon.conf"
            try project.write("daemon.conf", "poll = soon\n")
            let setting = try Child(
                ["daemon", "--database", url, "--config", path], in: project.root
            ).end()
            #expect(setting.status == 2)
            #expect(
                setting.output == """
                    concierge: \(path): line 1: poll is "soon"; expected a time like 250ms, 5s or 2min, from 0.01 seconds to 60.0 seconds
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
        let project = try TemporaryProject([
            "migrations/0001_a.sql": "create table a (); select pg_advisory_xact_lock(4711);"
        ])
        try TestServer.withDatabase { target in
            let url = TestServer.url(target)
            let watcher = try target.connect()
            try watcher.query("select pg_advisory_lock(4711)")
            let first = try Child(["migrate", "--database", url], in: project.root)
            try wait(watcher, until: isRunning("pg_advisory_xact_lock(4711)"))
            let waiting = try Child(["migrate", "--database", url], in: project.root)
            #expect(waiting.line(after: "waiting for concierge migrate of postgres") != nil)
            try watcher.query("select pg_advisory_unlock(4711)")
            let one = first.end()
            let second = waiting.end()
            #expect(one.status == 0 && second.status == 0)
            #expect(one.output.contains("up to date"))
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
                "Tests/sql/bad.sql:5: not ok: two is three",
                "        have: 2\n", "        want: 3\n",
                "Tests/sql/error.sql:5: ERROR: column \"nope\" does not exist [42703]",
                "Tests/sql/no_plan.sql:2: no plan: neither plan(n) nor finish() printed one",
                "Tests/sql/plan.sql:2: 3 assertions were planned, 1 ran",
                "Tests/sql/unfinished.sql:3: string is never closed",
                // What the tester's own assertions say.
                "Tests/sql/helpers.sql:5: not ok: a word is looked up", "        want: big_pkey\n",
                "           plan: Seq Scan on fixture.big\n",
                "Tests/sql/helpers.sql:7: not ok: a word needs no scan",
                "Tests/sql/helpers.sql:9: not ok: an update locks the table",
                "           have: row exclusive\n",
                "The transaction held access exclusive before: ask in a new one.",
                // Files of several sessions.
                "Tests/sql/sessions.sql:10: not ok: two is quick\n      have: waits for one\n      want: done\n",
                "sessions.sql:14: not ok: three hears nothing: one row\n      have: 1\n      want: 2\n",
                "      have: no notification\n      want: notified gossip\n",
                "Tests/sql/sessions.sql:19: three: ERROR: relation \"nowhere\" does not exist [42P01]",
                "Tests/sql/unknown_answer.sql:3: \"perhaps\" is no answer of a session",
                "skipped: the data is elsewhere",
                "not ok: fixture.broken()",
                "line 5: RETURN", "unused variable",
            ]
            for text in expected { #expect(result.output.contains(text), "\(text)\n\(result.output)") }
            #expect(result.output.hasSuffix("\n11 passed, 15 failed, 1 skipped\n"), "\(result.output)")

            let one = try run(
                ["test", "good.sql", "--format", "tap", "--database", TestServer.url(target)], in: fixture)
            #expect(one.status == 0)
            let timeless = one.output.split(separator: "\n").filter { !$0.hasPrefix("  ") }
            #expect(
                timeless == [
                    "TAP version 13", "ok 1 - good.sql: a commit is kept",
                    "ok 2 - good.sql: no data means no rows", "ok 3 - good.sql # SKIP the data is elsewhere",
                    "ok 4 - good.sql: the project's folder is known", "ok 5 - good.sql: the set-up ran",
                    "1..5",
                ], "\(one.output)")
            #expect(one.output.split(separator: "\n").count { $0.hasPrefix("  duration_ms: ") } == 5)
        }
    }

    /// A project small enough to be tested in a moment.
    private let smallProject = [
        "migrations/0001_a.sql": "create schema a; create table a.t (id int);",
        "sql/manifest": "f.sql\ng.sql",
        "sql/f.sql": """
        create or replace function a.f(x int) returns int language plpgsql immutable as $$
        begin
            if x > 1 then
                return 2;
            end if;
            return 1;
        end $$;
        """,
        "sql/g.sql": "create or replace function a.g() returns int language sql immutable security definer "
            + "set search_path = pg_catalog as $$ select 3 $$;",
        "Tests/sql/f.sql": """
        begin;
        select plan(2);
        insert into a.t values (7);
        select is(a.f(1), 1, 'f of one');
        select is(a.f(0), 1, 'f of nothing');
        rollback;
        """,
        "Tests/sql/g.sql": "select plan(1); select is(a.g(), 3, 'g');",
    ]

    @Test("Only what a change touches is run, and the reason is said")
    func changedTests() throws {
        let project = try TemporaryProject(smallProject)
        func git(_ words: String...) throws { try runOrFail(["git", "-C", project.root] + words) }
        try git("init", "-q", "-b", "main")
        try git("config", "user.email", "t@example.org")
        try git("config", "user.name", "T")
        try git("add", "-A")
        try git("commit", "-q", "-m", "a")
        try TestServer.withDatabase { target in
            let command = ["test", "--changed", "--database", TestServer.url(target)]
            let none = try run(command, in: project.root)
            #expect(none.output.contains("0 files changed since "), "\(none.output)")
            #expect(none.output.hasSuffix("  touches no test\n0 passed, 0 failed, 0 skipped\n"))

            try project.write(
                "sql/g.sql", (smallProject["sql/g.sql"] ?? "") + "\ncomment on function a.g() is 'G.';")
            let one = try run(command, in: project.root)
            #expect(one.status == 0 && one.output.contains("\n  sql/g.sql: g.sql\n"), "\(one.output)")
            #expect(!one.output.contains("\nf.sql"))

            // A file git does not know yet counts, too.
            try project.write("Tests/sql/new.sql", "select plan(1); select ok(true, 'new');")
            let two = try run(command, in: project.root)
            #expect(two.output.contains("\n  Tests/sql/new.sql: new.sql\n"), "\(two.output)")
            try project.write("migrations/0002_b.sql", "create table a.u ();")
            let all = try run(command, in: project.root)
            #expect(
                all.output.contains("\n  migrations/0002_b.sql: f.sql, g.sql, new.sql\n"), "\(all.output)")
            let unknown = try run(["test", "--changed=nowhere"] + command.dropFirst(2), in: project.root)
            #expect(unknown.output.hasPrefix("concierge: git knows no commit \"nowhere\" here\nHINT: "))
        }
    }

    @Test("A watching tester runs what a change touches and what failed, and outlives a broken file")
    func watching() throws {
        let project = try TemporaryProject(smallProject)
        try TestServer.withDatabase { target in
            let child = try Child(
                ["test", "--watch", "--database", TestServer.url(target)], in: project.root)
            defer { child.terminate() }
            #expect(child.line(after: "4 passed, 0 failed") != nil)
            _ = child.line(after: "waiting for a change")
            try project.write(
                "sql/g.sql", (smallProject["sql/g.sql"] ?? "").replacing("select 3", with: "select 4"))
            #expect(child.line(after: "  sql/g.sql: ") == "  sql/g.sql: g.sql")
            #expect(child.line(after: "  Tests/sql/g.sql:1: ") == "  Tests/sql/g.sql:1: not ok: g")
            _ = child.line(after: "waiting for a change")
            try project.write("Tests/sql/f.sql", "select 'never closed")
            #expect(
                child.line(after: "  Tests/sql/f.sql:1: ") == "  Tests/sql/f.sql:1: string is never closed")
            _ = child.line(after: "waiting for a change")
            // g still fails: it is run again with whatever changes.
            try project.write("Tests/sql/f.sql", smallProject["Tests/sql/f.sql"] ?? "")
            #expect(child.line(after: "  Tests/sql/g.sql:1: ") == "  Tests/sql/g.sql:1: not ok: g")
            _ = child.line(after: "waiting for a change")
            try project.write("sql/g.sql", smallProject["sql/g.sql"] ?? "")
            #expect(child.line(after: "g.sql .")?.hasSuffix(", ok") == true)
        }
    }

    @Test("Coverage names what did not run, by line, and makes a page of it")
    func coverage() throws {
        let project = try TemporaryProject(smallProject)
        try TestServer.withDatabase { target in
            let page = project.root + "/coverage.html"
            let result = try run(
                ["test", "--coverage=" + page, "--slowest", "1", "--database", TestServer.url(target)],
                in: project.root)
            #expect(result.output.contains("  a.f(integer) ......"), "\(result.output)")
            #expect(result.output.contains(" 3 of 4, 75 %, not line 4\n"), "\(result.output)")
            #expect(result.output.contains("1 of 2 functions in full"), "\(result.output)")
            #expect(result.output.contains(" 4 of 5 statements, 80 %\n"), "\(result.output)")
            #expect(result.output.contains("\nslowest:\n"))
            let html = try String(contentsOfFile: page, encoding: .utf8)
            #expect(
                html.contains("<span class=\"missed\"><i>      0 </i>        return 2;</span>"), "\(html)")
            #expect(html.contains("<span class=\"ran\"><i>      2 </i>    return 1;</span>"), "\(html)")
            #expect(!html.contains("http"))
        }
    }

    @Test("An answer can be held against a file, line by line, and the file be renewed")
    func renewing() throws {
        let project = try TemporaryProject(smallProject)
        try project.write(
            "Tests/sql/golden.sql",
            "-- session: main\n-- All of it.\nselect i, 'x' from generate_series(1, 3) as i;\n--> as in Tests/all.txt"
        )
        try TestServer.withDatabase { target in
            let command = ["test", "golden.sql", "--database", TestServer.url(target)]
            #expect(
                try run(command, in: project.root).output.contains("      there is no file Tests/all.txt\n"))
            try project.write("Tests/all.txt", "1 | x\n2 | y\n3 | x\n")
            let different = try run(command, in: project.root)
            #expect(
                different.output.contains(
                    """
                      Tests/sql/golden.sql:4: not ok: All of it.
                          - 2 | y
                          + 2 | x
                          HINT: concierge test --renew writes Tests/all.txt as it is now.

                    """), "\(different.output)")
            #expect(try run(command + ["--renew"], in: project.root).status == 0)
            let text = try String(contentsOfFile: project.root + "/Tests/all.txt", encoding: .utf8)
            #expect(text == "1 | x\n2 | x\n3 | x\n")
            #expect(try run(command, in: project.root).status == 0)
        }
    }

    @Test("The database of a failing test can be kept, as the failure saw it, until the next time")
    func keeping() throws {
        let project = try TemporaryProject(smallProject)
        try project.write(
            "Tests/sql/keep/it.sql",
            "begin; select plan(1);\ninsert into a.t values (7);\nselect is(a.f(1), 5, 'five');\nrollback;")
        try TestServer.withDatabase { target in
            let command = ["test", "keep", "--keep", "--database", TestServer.url(target)]
            let result = try run(command, in: project.root)
            let words = result.output.split(whereSeparator: { " \"\n".contains($0) })
            let name = String(
                try #require(words.first { $0.hasPrefix("dbname=concierge_kept_") }).dropFirst(7))
            #expect(name.hasSuffix("_keep_it"))
            let kept = try target.inDatabase(name).connect()
            #expect(try kept.query("select id from a.t").scalar == "7")
            kept.close()
            try project.write("Tests/sql/keep/it.sql", "select plan(1); select ok(true, 'fine');")
            #expect(try run(command, in: project.root).status == 0)
            let left = "select count(*) from pg_database where datname = '\(name)'"
            #expect(try target.connect().query(left).scalar == "0")
        }
    }

    @Test("A directory of documents is added, again changes nothing, and what cannot be read stops nothing else")
    func documents() throws {
        let project = try TemporaryProject([
            "docs/pump.md": "# Pump\n\nPress reset when error ERR_42 shows.",
            "docs/deep/Überblick.txt": "Die Häuser der Straße.",
            "docs/data.bin": "\u{1}\u{2}",
            "docs/.hidden.md": "nobody",
        ])
        try TestServer.withMigratedDatabase { target in
            let url = TestServer.url(target)
            let connection = try target.connect()
            try connection.query("select access.create_token_key('k'), access.create_tenant('acme', 'Acme')")
            try connection.query("select access.create_person('acme', 'olga', 'Olga', '{organizer}')")

            let load = ["load", "docs", project.root + "/docs", "--workspace", "manuals", "--database", url]
            let first = try run(load, in: project.root)
            #expect(first.status == 1, "\(first.output)")
            #expect(first.output.contains("data.bin .") && first.output.contains("refused, QC219"))
            #expect(first.output.contains("2 processed, 0 waiting, 0 failed"), "\(first.output)")
            let again = try run(load, in: project.root)
            #expect(again.output.contains("2 processed"))
            let documents = try connection.query(
                "select string_agg(key || ' ' || version, ', ' order by key) from knowledge.documents")
            #expect(documents.scalar == "deep/Überblick.txt 1, pump.md 1")
            let found = try run(
                ["search", "ERR_42", "--database", url, "--workspace", "manuals"], in: project.root)
            #expect(found.output.contains("Press reset when error ERR_42 shows."), "\(found.output)")

            let none = try run(["load", "docs", "nowhere", "--workspace", "x", "--database", url], in: project.root)
            #expect(none.status == 1 && none.output == "concierge: there is no directory nowhere\n")
            let what = try run(["load", "docs", "--workspace", "x", "--database", url], in: project.root)
            #expect(what.status == 2)
        }
    }

    @Test("The demo asks, moves a session, and the next answer knows; then anyone can ask")
    func demo() throws {
        try TestServer.withMigratedDatabase { target in
            let url = TestServer.url(target)

            let demo = try run(["demo", "--database", url], in: TestServer.projectRoot)
            #expect(demo.status == 0, "\(demo.output)")
            #expect(demo.output.contains("(Thu 10:45–11:45") && demo.output.contains("(Thu 11:00–12:00"))

            let options = ["--as", "maria-alvarez", "--database", url]
            let answer = try run(
                ["ask", "Which sponsors should I visit?"] + options, in: TestServer.projectRoot)
            #expect(answer.status == 0, "\(answer.output)")
            #expect(answer.output.contains("[P1]\n") && answer.output.contains("  [P1] sponsor: Borealine"))
            let nobody = try run(
                ["ask", "What now?", "--as", "nobody", "--database", url], in: TestServer.projectRoot)
            #expect(nobody.status == 1)
            #expect(nobody.output.hasPrefix("concierge: there is no \"nobody\"\nHINT: "))

            #expect(demo.output.contains("»Vans and trucks over seven feet do not fit into the garage"))
            let guide = ["--workspace", "guide"] + options
            let parking = try run(["ask", "When does lot E close?"] + guide, in: TestServer.projectRoot)
            #expect(parking.status == 0 && parking.output.hasPrefix("Lot E closes at 21:00"), "\(parking.output)")
            #expect(parking.output.contains("Visitor guide > Parking\n      …") && parking.output.contains("»Lot E closes"))
            let found = try run(["search", "panel permit", "--limit", "1"] + guide, in: TestServer.projectRoot)
            #expect(found.status == 0 && found.output.contains("[1] Rebates and permits"), "\(found.output)")
            let why = try run(["search", "panel permit", "--explain"] + guide, in: TestServer.projectRoot)
            #expect(why.status == 0 && why.output.contains("\"candidates_at_most\""), "\(why.output)")
            let filter = ["--filter", "{\"colour\": 1}"]
            let wrong = try run(["search", "panel"] + filter + guide, in: TestServer.projectRoot)
            #expect(wrong.status == 1 && wrong.output.contains("QC218"), "\(wrong.output)")

            let file = TestServer.projectRoot + "/demo/conference.json"
            let load = try run(["load", "schedule", file, "--database", url], in: TestServer.projectRoot)
            #expect(load.status == 0 && load.output.contains("40 sessions, 0 added, 1 changed, 0 cancelled"))
        }
    }

    @Test("Due follow-ups reach the inbox once each, though the daemon is killed while it delivers them")
    func followUps() throws {
        try TestServer.withMigratedDatabase { target in
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
                    script: "update queue.worker set leased_until = now()")
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
            let jobs = try connection.query(
                "select (select count(*) from queue.job) || ' left, ' || count(*) || ' done' "
                    + "from queue.history where state = 'done'"
            ).scalar
            #expect(jobs == "0 left, 1000 done")
        }
    }
}
