import Postgres
import TestSupport
import Testing

@testable import Migrations

/// Checks that come with a migration, and the way back.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct RevertTests {
    private func scene(
        _ files: [String: String], _ body: (TemporaryProject, Target, Connection) throws -> Void
    ) throws {
        let project = try TemporaryProject(files)
        try TestServer.withDatabase { target in try body(project, target, target.connect(as: "a stranger")) }
    }

    private func refusal(_ body: () throws -> Void) throws -> Problem? {
        do {
            try body()
            return nil
        } catch let refusal as Refusal {
            return refusal.problems.first
        }
    }

    @Test(
        "A migration whose check does not hold is not applied",
        arguments: [
            ("select count(*) = 1 from t;", nil, nil), ("select true, true; select 1 = 1;", nil, nil),
            ("do $$ begin assert (select count(*) from t) = 1; end $$", nil, nil),
            ("-- Why.\nselect count(*) = 2\nfrom t;", 2, "It returned f."),
            ("select null::boolean", 1, "It returned null."),
            ("select count(*) from t", 1, "It returned 1."),
            ("select true from t where a = 5", 1, "It returned no row."),
            (
                "select true; select true, false, n from generate_series(1, 9) n", 1,
                "It returned t, f, 1, t, f, …."
            ),
        ] as [(String, Int?, String?)])
    func checked(_ check: String, _ line: Int?, _ detail: String?) throws {
        let files = [
            "migrations/0001_t.sql": "create table t (a int); insert into t values (1);",
            "migrations/0001_t.verify.sql": check,
        ]
        try scene(files) { project, target, stranger throws in
            let problem = try refusal { try Runner(project.load(), target).apply() }
            #expect(problem?.line == line && problem?.detail == detail)
            #expect(try stranger.query("select to_regclass('t') is null").scalar == (line == nil ? "f" : "t"))
            if line == nil {
                #expect(try Runner(project.load(), target).verify().isEmpty)
                try stranger.execute(script: "delete from t; insert into t values (2), (3)")
                let left = try Runner(project.load(), target).verify()
                #expect(left.isEmpty != check.contains("count"))
            }
        }
    }

    @Test("A check can only look")
    func readOnly() throws {
        let files = [
            "migrations/0001_t.sql": "create table t ();", "migrations/0001_t.verify.sql": "drop table t",
        ]
        try scene(files) { project, target, stranger throws in
            #expect {
                try Runner(project.load(), target).apply()
            } throws: { ($0 as? ScriptError)?.error.sqlState == SQLState("25006") }
            #expect(try stranger.query("select to_regclass('t') is null").scalar == "t")
        }
    }

    @Test("A migration without a transaction is checked before it counts as applied")
    func checkedAlone() throws {
        let files = [
            "migrations/0001_t.sql": "-- transaction: none\ncreate table t ();\nvacuum t;",
            "migrations/0001_t.verify.sql": "select to_regclass('u') is not null",
        ]
        try scene(files) { project, target, stranger throws in
            #expect(try refusal { try Runner(project.load(), target).apply() } != nil)
            #expect(try stranger.query("select count(*) from migration.applied").scalar == "0")
            try stranger.execute(script: "create table u ()")
            try Runner(project.load(), target).apply()
            #expect(try stranger.query("select count(*) from migration.applied").scalar == "1")
        }
    }

    @Test("A check or a way back without its migration is refused")
    func strayParts() throws {
        let project = try TemporaryProject([
            "migrations/0001_a.sql": "", "migrations/0001_b.verify.sql": "",
            "migrations/0002_x.revert.sql": "",
        ])
        #expect {
            try project.load()
        } throws: { error in
            (error as? Refusal)?.problems.map(\.message)
                == [
                    "there is no migrations/0001_b.sql to verify",
                    "there is no migrations/0002_x.sql to revert",
                ]
        }
        let alone = try TemporaryProject([
            "migrations/0001_a.sql": "", "migrations/0001_a.revert.sql": "-- transaction: none\nselect 1",
        ])
        #expect(throws: Refusal.self) { try alone.load() }
    }

    private let shop = [
        "migrations/0001_item.sql": "create table item (id int); insert into item values (1), (2);",
        "migrations/0002_size.sql": "alter table item add size text; create table box (id int);",
        "migrations/0002_size.revert.sql":
            "drop view if exists sizes; alter table item drop column size; drop table box;",
        "sql/manifest": "sizes.sql",
        "sql/sizes.sql": "create or replace view sizes as select size from item;",
    ]

    @Test("Applied, reverted and applied again, it is as a clean install")
    func roundTrip() throws {
        try scene(shop) { project, target, stranger throws in
            let runner = Runner(try project.load(), target)
            try runner.apply()
            let migrations = try runner.reverts()
            #expect(migrations.map(\.number) == [2])
            try runner.revert(migrations)
            #expect(try stranger.query("select to_regclass('box') is null").scalar == "t")
            #expect(try runner.ledger().migrations.keys.sorted() == [1])
            #expect(try runner.apply().objects.map(\.path) == ["sizes.sql"])
            #expect(try runner.drift() == [])
            #expect(try runner.runs().map(\.command) == ["up", "revert", "up"])
        }
    }

    @Test(
        "What would be lost is named, and stays",
        arguments: [
            ("update item set size = 'L' where id = 1", "1 values of public.item.size"),
            ("insert into box select generate_series(1, 1500)", "more than 1000 rows of public.box"),
            (
                "update item set size = 'L'; insert into box values (7)",
                "1 rows of public.box, 2 values of public.item.size"
            ),
        ])
    func losses(_ script: String, _ lost: String) throws {
        try scene(shop) { project, target, stranger throws in
            let runner = Runner(try project.load(), target)
            try runner.apply()
            try stranger.execute(script: script)
            let problem = try refusal { try runner.revert(runner.reverts()) }
            #expect(problem?.detail == "Lost would be: \(lost).")
            #expect(try stranger.query("select to_regclass('sizes') is not null").scalar == "t")
            #expect(try runner.ledger().migrations.count == 2)
            try runner.revert(runner.reverts(), losingData: true)
            #expect(try stranger.query("select to_regclass('box') is null").scalar == "t")
        }
    }

    @Test(
        "Rows that a script deletes or truncates are data, a rewrite is not",
        arguments: [
            ("delete from item where id = 1", "1 rows of public.item"),
            ("truncate item", "2 rows of public.item"),
            ("do $$ begin delete from item; end $$", "2 rows of public.item"),
            ("alter table item alter id type bigint", nil), ("update item set id = id + 1", nil),
            ("drop table box", nil),
        ] as [(String, String?)])
    func deletions(_ script: String, _ lost: String?) throws {
        try scene(shop) { project, target, _ throws in
            try project.write("migrations/0002_size.revert.sql", script)
            let runner = Runner(try project.load(), target)
            try runner.apply()
            #expect(
                try refusal { try runner.revert(runner.reverts()) }?.detail
                    == lost.map { "Lost would be: \($0)." })
        }
    }

    @Test("Down to a number, newest first, and only where every one has a way back")
    func downTo() throws {
        try scene(shop) { project, target, stranger throws in
            try Runner(project.load(), target).apply()
            #expect(
                try refusal { _ = try Runner(project.load(), target).reverts(downTo: 0) }?.hint
                    == "Write migrations/0001_item.revert.sql, or a new migration.")
            #expect(try refusal { _ = try Runner(project.load(), target).reverts(downTo: 5) } != nil)
            try project.write("migrations/0001_item.revert.sql", "drop table item")
            let runner = Runner(try project.load(), target)
            let migrations = try runner.reverts(downTo: 0)
            #expect(migrations.map(\.number) == [2, 1])
            // The first goes, the second would lose rows: what is done is noted.
            #expect(
                try refusal { try runner.revert(migrations) }?.detail
                    == "Lost would be: 2 rows of public.item.")
            #expect(try runner.ledger().migrations.keys.sorted() == [1])
            #expect(try runner.runs().first?.error?.contains("would lose data") == true)
        }
    }
}
