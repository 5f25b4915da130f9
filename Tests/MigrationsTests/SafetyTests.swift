import Postgres
import TestSupport
import Testing

@testable import Migrations

/// What a busy database, a failure or a crash may do to a migration, and may not.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct SafetyTests {
    private func withDatabase(
        _ files: [String: String], _ body: (TemporaryProject, Target, Connection) throws -> Void
    ) throws {
        let project = try TemporaryProject(files)
        try TestServer.withDatabase { target in try body(project, target, target.connect(as: "a stranger")) }
    }

    private func runner(
        _ project: TemporaryProject, _ target: Target,
        _ progress: @escaping (Runner.Progress) -> Void = { _ in }
    ) throws -> Runner {
        var runner = Runner(try project.load(), target, progress: progress)
        runner.backOff = BackOff(first: .milliseconds(10), cap: .milliseconds(20))
        return runner
    }

    @Test("A migration that cannot get a lock gives way, says who is in the way, and tries again")
    func lockTimeout() throws {
        let files = [
            "migrations/0002_more.sql":
                "-- lock_timeout: 700ms\nalter table u add a int; alter table t add a int;"
        ]
        try withDatabase(files) { project, target, stranger in
            try stranger.execute(script: "create table t (); create table u ();")
            try stranger.execute(script: "begin; lock table t in access share mode")
            var story: [String] = []
            try runner(project, target) { progress in
                switch progress {
                case .blocked(let name, let holders):
                    #expect(name == "migrations/0002_more.sql")
                    #expect(holders.map(\.pid) == [Int(stranger.backendPID)])
                    story.append("blocked")
                case .retrying(_, let reason, _):
                    #expect(
                        reason.hasPrefix(
                            "canceling statement due to lock timeout; in the way: a stranger of "))
                    story.append("retrying")
                    // Meanwhile it holds nothing, so the stranger can take what it held.
                    _ = try? stranger.execute(script: "lock table u; commit")
                case .ran(_, let statement) where statement.verb == "alter":
                    story.append("ran")
                default:
                    break
                }
            }.apply()
            #expect(story == ["ran", "blocked", "retrying", "ran", "ran"])
            #expect(stranger.transactionStatus == .idle)
        }
    }

    @Test("After its last try it fails and has changed nothing")
    func retriesEnd() throws {
        let files = [
            "migrations/0001_more.sql":
                "-- lock_timeout: 10ms\n-- retries: 2\ncreate table v (); alter table t add a int;"
        ]
        try withDatabase(files) { project, target, stranger in
            try stranger.execute(script: "create table t ()")
            try stranger.execute(script: "begin; lock table t in access share mode")
            var tries = 0
            #expect {
                try runner(project, target) { if case .ran = $0 { tries += 1 } }.apply()
            } throws: {
                ($0 as? ScriptError)?.error.sqlState == .lockNotAvailable && ($0 as? ScriptError)?.line == 3
            }
            #expect(tries == 3)
            try stranger.execute(script: "commit")
            #expect(try stranger.query("select to_regclass('v') is null").scalar == "t")
        }
    }

    @Test("A statement may not run for ever when its migration says so")
    func statementTimeout() throws {
        try withDatabase(["migrations/0001_a.sql": "-- statement_timeout: 50ms\nselect pg_sleep(20)"]) {
            project, target, _ in
            #expect { try runner(project, target).apply() } throws: {
                ($0 as? ScriptError)?.error.sqlState == .queryCanceled
            }
        }
    }

    @Test(
        "An index that failed to build is found, dropped and built again",
        arguments: [
            "create unique index concurrently i on s.t (a)",
            "create unique index concurrently if not exists i on s.t (a)",
            "create unique index concurrently \"I \"\"x\" on only s.t (a)",
        ])
    func invalidIndex(_ sql: String) throws {
        let files = [
            "migrations/0001_t.sql":
                "create schema s; create table s.t (a int); insert into s.t values (1), (1);",
            "migrations/0002_i.sql":
                "-- transaction: none\ncreate table s.before ();\n\(sql);\ncreate table s.after ();",
        ]
        try withDatabase(files) { project, target, stranger in
            #expect { try runner(project, target).apply() } throws: {
                ($0 as? ScriptError)?.error.sqlState == .uniqueViolation && ($0 as? ScriptError)?.line == 3
            }
            let valid =
                "select string_agg(indisvalid::text, ',') from pg_index where indrelid = 's.t'::regclass"
            #expect(try stranger.query(valid).scalar == "false")
            #expect(
                try stranger.query("select count(*) from migration.step where done_at is not null").scalar
                    == "1")

            try stranger.execute(script: "delete from s.t where ctid = '(0,1)'")
            try runner(project, target).apply()
            #expect(try stranger.query(valid).scalar == "true")
            #expect(try stranger.query("select to_regclass('s.after') is null").scalar == "f")
            #expect(try stranger.query("select count(*) from migration.step").scalar == "0")
            #expect(try stranger.query("select name from migration.applied where number = 2").scalar == "i")
        }
    }

    @Test("An index somebody else made stands, and is told of")
    func indexOfAnother() throws {
        let files = ["migrations/0001_i.sql": "-- transaction: none\ncreate index concurrently i on t (a)"]
        try withDatabase(files) { project, target, stranger in
            try stranger.execute(script: "create table t (a int); create index i on t (a)")
            #expect { try runner(project, target).apply() } throws: {
                ($0 as? ScriptError)?.error.sqlState == SQLState("42P07")
            }
        }
    }

    @Test("A build that waits for an old snapshot says so, holds no transaction, and others go on")
    func buildWaits() throws {
        let files = ["migrations/0001_i.sql": "-- transaction: none\ncreate index concurrently i on t (a)"]
        try withDatabase(files) { project, target, stranger in
            try stranger.execute(script: "create table t (a int)")
            try stranger.execute(script: "begin isolation level repeatable read; select 1")
            var blocked = 0
            var phases: [String] = []
            let writer = try target.connect()
            try runner(project, target) { progress in
                switch progress {
                case .blocked:
                    blocked += 1
                    _ = try? writer.execute(script: "set lock_timeout = '1s'; insert into t values (1)")
                case .building(_, let phase):
                    phases.append(phase)
                    _ = try? stranger.execute(script: "commit")
                default:
                    break
                }
            }.apply()
            #expect(blocked == 1)
            #expect(phases.first == "waiting for old snapshots")
            #expect(try writer.query("select count(*) from t").scalar == "1")
        }
    }

    @Test("What was applied of a half applied migration cannot be edited, what comes after can")
    func editedHalf() throws {
        let files = ["migrations/0001_a.sql": "-- transaction: none\ncreate table a ();\nselect nope;"]
        try withDatabase(files) { project, target, stranger in
            #expect(throws: ScriptError.self) { try runner(project, target).apply() }
            try project.write("migrations/0001_a.sql", "-- transaction: none\ncreate table b ();\nselect 1;")
            #expect { try runner(project, target).apply() } throws: { error in
                let problem = (error as? Refusal)?.problems.first
                return problem?.line == 2 && problem?.message == "edited while it was half applied"
                    && problem?.detail == "Statement 1 was: create table a ( )"
            }
            try project.write(
                "migrations/0001_a.sql", "-- transaction: none\n-- Why.\nCREATE TABLE a ();\nselect 1;")
            try runner(project, target).apply()
            #expect(try stranger.query("select to_regclass('a') is null").scalar == "f")
        }
    }

    @Test(
        "Who a migration says it is, it still is after every statement, and the ledger is written by the migrator"
    )
    func roles() throws {
        let files = [
            "migrations/0001_a.sql": """
            -- transaction: none
            set role pg_monitor;
            do $$ begin assert current_user = 'pg_monitor'; end $$;
            vacuum pg_catalog.pg_ts_parser;
            do $$ begin assert current_user = 'pg_monitor'; end $$;
            """,
            "migrations/0002_b.sql": "do $$ begin assert current_user = session_user; end $$;",
        ]
        try withDatabase(files) { project, target, stranger in
            try runner(project, target).apply()
            #expect(try stranger.query("select count(*) from migration.applied").scalar == "2")
        }
    }

    @Test(
        "What a file says of how it is to be run",
        arguments: [
            (
                "-- Why.\n\n-- lock_timeout: 2s\n--retries:3\n  -- transaction: none \nselect 1; -- retries: 9",
                "2s nil 3 false"
            ),
            (
                "-- Note: prose, and more: prose\n-- statement_timeout: 10min\n-- transaction: one",
                "nil 10min 10 true"
            ),
            ("-- Adds a table.\r\n-- transaction: none\r\n-- retries: 5\r\nselect 1;\r\n", "nil nil 5 false"),
            ("select 1;\n-- lock_timeout: 2s", "nil nil 10 true"), ("-- lock_timeout: 0", "0 nil 10 true"),
            ("", "nil nil 10 true"),
        ])
    func headers(_ text: String, _ expected: String) throws {
        let header = try Header(text, file: "f")
        #expect(
            "\(header.lockTimeout ?? "nil") \(header.statementTimeout ?? "nil") \(header.retries) \(header.isTransactional)"
                == expected)
    }

    @Test(
        "What it cannot mean is refused with its line",
        arguments: [
            "-- lock_timeout: 2", "-- lock_timeout: soon", "-- lock_timeout: 1s; drop table t",
            "-- statement_timeout:",
            "-- retries: -1", "-- retries: many", "-- transaction: maybe", "-- lock_timeout: 5 s",
            "-- transactional: none", "-- retry: 3", "-- my_timeout: 2s",
        ])
    func wrongHeaders(_ line: String) throws {
        #expect { try Header("-- Why.\n" + line, file: "f") } throws: { error in
            let problem = (error as? Refusal)?.problems.first
            return problem?.line == 2 && problem?.hint != nil
                && problem?.message.hasSuffix("is no setting of a migration") == true
        }
    }

    @Test("An index without a name could not be found again, so it is refused before anything runs")
    func namelessIndex() throws {
        let project = try TemporaryProject([
            "migrations/0001_i.sql": "-- transaction: none\n\ncreate index concurrently on t (a)"
        ])
        #expect { try project.load() } throws: { ($0 as? Refusal)?.problems.first?.line == 3 }
    }
}
