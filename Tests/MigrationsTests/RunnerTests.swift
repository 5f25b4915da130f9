import Postgres
import TestSupport
import Testing

@testable import Migrations

@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct RunnerTests {
    private let files = [
        "migrations/0001_base.sql": "create schema a;\ncreate table a.t (id int);",
        "migrations/0002_more.sql": "alter table a.t add name text;",
        "sql/manifest": "always session.sql\nf.sql\ng.sql",
        "sql/session.sql": "set local search_path = a;",
        "sql/f.sql": "create or replace function f() returns int language sql begin atomic select 1; end;",
        "sql/g.sql": "create or replace function g() returns int language sql return f() + 1;",
    ]

    private func withProject(_ body: (TemporaryProject, Target) throws -> Void) throws {
        let project = try TemporaryProject(files)
        try TestServer.withDatabase { target in try body(project, target) }
    }

    private func scalar(_ target: Target, _ sql: String) throws -> String? {
        try target.connect().query(sql).scalar
    }

    @Test("A fresh database gets every migration and every object, and nothing a second time")
    func freshDatabase() throws {
        try withProject { project, target in
            var steps: [String] = []
            let runner = Runner(try project.load(), target) { progress in
                if case .finished(let name, _) = progress { steps.append(name) }
            }
            try runner.apply()
            #expect(steps == ["migrations/0001_base.sql", "migrations/0002_more.sql", "sql/"])
            #expect(try scalar(target, "select a.g()") == "2")
            #expect(
                try scalar(
                    target, "select string_agg(number || name, ' ' order by number) from migration.applied")
                    == "1base 2more")
            #expect(try scalar(target, "select min(duration) > '0' from migration.applied") == "t")
            #expect(
                try scalar(target, "select has_schema_privilege('pg_monitor', 'migration', 'usage')") == "f")

            let before = try scalar(target, "select max(applied_at) from migration.object")
            #expect(try runner.apply().isEmpty)
            #expect(try scalar(target, "select max(applied_at) from migration.object") == before)
        }
    }

    @Test("The ledger's checksum is SHA-256, as the server computes it, of what the file says")
    func checksums() throws {
        try withProject { project, target in
            try Runner(project.load(), target).apply()
            let same = try target.connect().query(
                """
                select checksum = '1:' || encode(sha256($1::text::bytea), 'hex')
                from migration.applied where number = 1
                """,
                [Parameter("create schema a\n;\ncreate table a . t ( id int )")])
            #expect(same.scalar == "t")
        }
    }

    @Test("A ledger that noted bytes is brought up to date while the bytes are the same")
    func oldLedger() throws {
        try withProject { project, target in
            let loaded = try project.load()
            try Runner(loaded, target).apply()
            let connection = try target.connect()
            for migration in loaded.migrations {
                try connection.query(
                    "update migration.applied set checksum = $2 where number = $1",
                    [Parameter(migration.number), Parameter(migration.source.byteChecksum)])
            }
            for file in loaded.preamble + loaded.objects {
                try connection.query(
                    "update migration.object set checksum = $2 where path = $1",
                    [Parameter(file.path), Parameter(file.source.byteChecksum)])
            }
            #expect(try Runner(loaded, target).apply().isEmpty)
            try project.write("migrations/0001_base.sql", "-- Why.\n" + (files["migrations/0001_base.sql"] ?? ""))
            try project.write("sql/f.sql", "-- Why.\n" + (files["sql/f.sql"] ?? ""))
            #expect(try Runner(project.load(), target).apply().isEmpty)
        }
    }

    @Test("An edited migration is refused and nothing is changed")
    func editedMigration() throws {
        try withProject { project, target in
            try Runner(project.load(), target).apply()
            try project.write("migrations/0001_base.sql", "create schema a; -- edited")
            try project.write("migrations/0003_new.sql", "create table a.new ();")
            #expect(throws: Refusal.self) { try Runner(project.load(), target).apply() }
            #expect(try scalar(target, "select to_regclass('a.new') is null") == "t")
        }
    }

    @Test("A refusal on a fresh database leaves not even the ledger")
    func refusalChangesNothing() throws {
        try withProject { project, target in
            let loaded = try project.load()
            #expect(throws: ScriptError.self) {
                try project.write("migrations/0001_base.sql", "select 1/0")
                try Runner(project.load(), target).apply()
            }
            #expect(try scalar(target, "select count(*) from migration.applied") == "0")
            try Runner(loaded, target).apply()
        }
    }

    @Test(
        "An error names file, line, code and hint, and undoes its own migration only",
        arguments: [
            ("select 1;\n\nselect\n  nope;", 4, "42703"), ("select 1;\n\n-- hm\nselect 1/0;", 4, "22012"),
            ("select 'ä\n日',\n1,\nnope;", 4, "42703"),
            ("do $$\nbegin\n  raise 'no' using errcode = 'QC999', hint = 'H';\nend $$", 1, "QC999"),
            ("create table a.x ();\ncreate index concurrently on a.t (id);", 2, "25001"),
            ("copy a.t from stdin;", 1, "57014"),
        ])
    func errorLines(_ sql: String, _ line: Int, _ code: String) throws {
        try withProject { project, target in
            try project.write("migrations/0003_bad.sql", sql)
            do {
                try Runner(project.load(), target).apply()
                Issue.record("the migration was applied")
            } catch let error as ScriptError {
                #expect(error.file == "migrations/0003_bad.sql")
                #expect(error.line == line)
                #expect(error.error.sqlState == SQLState(code))
                #expect("\(error)".hasPrefix("migrations/0003_bad.sql:\(line): ERROR: "))
            }
            #expect(try scalar(target, "select max(number) from migration.applied") == "2")
            #expect(try scalar(target, "select to_regclass('a.x') is null") == "t")
        }
    }

    @Test("What a file sets for its session does not reach the next one")
    func sessionIsReset() throws {
        try withProject { project, target in
            try project.write(
                "migrations/0002_more.sql",
                """
                set search_path = nowhere;
                set role pg_monitor;
                """)
            try project.write(
                "migrations/0003_next.sql",
                """
                do $$ begin
                    assert current_user = session_user, current_user;
                    assert current_setting('search_path') <> 'nowhere';
                end $$;
                """)
            try Runner(project.load(), target).apply()
            #expect(try scalar(target, "select count(*) from migration.applied") == "3")
        }
    }

    @Test("A warning of the server is passed on with its file")
    func warnings() throws {
        try withProject { project, target in
            try project.write(
                "migrations/0003_warn.sql", "do $$ begin raise warning 'mind'; raise notice 'hum'; end $$")
            var seen: [String] = []
            try Runner(project.load(), target) { progress in
                if case .warning(let name, let warning) = progress {
                    seen.append("\(name): \(warning.message)")
                }
            }.apply()
            #expect(seen == ["migrations/0003_warn.sql: mind"])
        }
    }

    @Test("A cron file is skipped with a reason where it cannot run, and tried again the next time")
    func skippedCron() throws {
        try withProject { project, target in
            try project.write("sql/manifest", "always session.sql\nf.sql\ng.sql\ncron c.sql")
            try project.write("sql/c.sql", "select 1")
            var reasons: [String] = []
            var runner = Runner(try project.load(), target) { progress in
                if case .skipped(let path, let reason) = progress { reasons.append("\(path): \(reason)") }
            }
            runner.cronSkipReason = "not here"
            try runner.apply()
            #expect(reasons == ["sql/c.sql: not here"])
            let left = try runner.plan()
            #expect(left.cron.map(\.path) == ["c.sql"] && left.isOnlyCron && !left.isEmpty)
        }
    }

    @Test("Whoever waits for the lock is told who holds it, and gives up after a while")
    func lockHolder() throws {
        try withProject { project, target in
            let holder = try target.connect(as: "the other one")
            try holder.query("select pg_advisory_lock($1)", [Parameter(MigrationLock.key)])
            var met: [String] = []
            var runner = Runner(try project.load(), target) { progress in
                if case .waiting(let holder) = progress { met.append(holder.application) }
            }
            runner.patience = .milliseconds(500)
            #expect(throws: Refusal.self) { try runner.apply() }
            #expect(met == ["the other one"])
            holder.close()
            runner.patience = .seconds(10)
            try runner.apply()
        }
    }

    @Test("Repair notes edited and renamed files as they are, and runs nothing")
    func repair() throws {
        try withProject { project, target in
            try Runner(project.load(), target).apply()
            #expect(try Runner(project.load(), target).edits().isEmpty)
            try project.write("migrations/0001_base.sql", "create schema a;\ncreate table a.t (id bigint);")
            try project.remove("migrations/0002_more.sql")
            try project.write("migrations/0002_name.sql", "alter table a.t add name text;")
            let runner = Runner(try project.load(), target)
            let edits = try runner.edits()
            #expect(
                edits.map { $0.description.prefix { $0 != "2" } + "…" }
                    == ["migrations/0001_base.sql: edited after it was applied on …", "migrations/000…"])
            #expect(edits.last?.description.contains("renamed from more after") == true)
            #expect(throws: Refusal.self) { try runner.apply() }
            try runner.accept(edits)
            #expect(try runner.edits().isEmpty)
            #expect(try runner.apply().isEmpty)
            let type =
                "select atttypid::regtype from pg_attribute where attrelid = 'a.t'::regclass and attname = 'id'"
            #expect(try scalar(target, type) == "integer")
            // Accepted twice, from an old look: no.
            #expect(throws: Refusal.self) { try runner.accept(edits) }
        }
    }

    @Test("A baseline notes what is there from elsewhere, and the next run goes on after it")
    func baseline() throws {
        try withProject { project, target in
            try target.connect().execute(script: "create schema a; create table a.t (id int)")
            let runner = Runner(try project.load(), target)
            #expect(throws: Refusal.self) { try runner.baseline(through: 3) }
            #expect(try runner.baseline(through: 1).map(\.number) == [1])
            #expect(try runner.apply().migrations.map(\.number) == [2])
            #expect(try runner.drift() == [])
            #expect(throws: Refusal.self) { try runner.baseline(through: 2) }
        }
    }

    @Test("A new migration takes the next number, and overwrites nothing")
    func newMigration() throws {
        let project = try TemporaryProject(files)
        #expect(try project.load().newMigration(named: "add_rooms") == "migrations/0003_add_rooms.sql")
        #expect(try project.load().migrations.map(\.number) == [1, 2, 3])
        #expect(throws: Refusal.self) { try project.load().newMigration(named: "Add rooms") }
        #expect(throws: Refusal.self) { try project.load().newMigration(named: "../x") }
    }
}
