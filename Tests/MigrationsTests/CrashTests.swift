import Foundation
import Postgres
import TestSupport
import Testing

@testable import Migrations

/// A migrator that dies anywhere leaves nothing that the next one cannot finish by itself.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct CrashTests {
    private static let files = [
        "migrations/0001_base.sql": """
        create table p (id int, at date) partition by range (at);
        create table p1 partition of p for values from ('2027-01-01') to ('2028-01-01');
        create table t (id int, name text);
        insert into t select n, 'name ' || n from generate_series(1, 100) as n;
        create index t_old on t (name);
        create procedure fill() language plpgsql as $$
        begin
            for n in 1..3 loop
                update t set name = id || ' filled' where id % 3 = n - 1 and name not like '%filled';
                commit;
            end loop;
        end $$;
        """,
        "migrations/0002_alone.sql": """
        -- transaction: none
        alter table t add column extra int;
        set search_path = public;
        create unique index concurrently t_id on t (id);
        call fill();
        insert into t values (101, 'once');
        vacuum (analyze) t;
        alter table p detach partition p1 concurrently;
        drop index concurrently t_old;
        reindex index concurrently t_id;
        create type mood as enum ('good');
        alter type mood add value 'bad';
        """,
        "migrations/0003_more.sql": "alter table t add primary key using index t_id; create table u ();",
        "sql/manifest": "f.sql\nv.sql",
        "sql/f.sql": "create or replace function f() returns int language sql return 1;",
        "sql/v.sql": "create or replace view v as select f() as f, t.* from t;",
    ]

    /// Ends every session of the migrator in this database, as the server does when its client is gone.
    private func killMigrator(_ stranger: Connection) {
        _ = try? stranger.query(
            """
            select pg_terminate_backend(pid, 5000) from pg_stat_activity
            where datname = current_database() and application_name = 'concierge migrate'
            """)
    }

    /// Kills the migrator after its n-th statement; false when it had fewer.
    private func kill(after count: Int, _ project: Project, _ target: Target) throws -> Bool {
        let stranger = try target.connect(as: "a stranger")
        var ran = 0
        var runner = Runner(project, target) { progress in
            guard case .ran = progress else { return }
            ran += 1
            if ran == count { killMigrator(stranger) }
        }
        runner.cronSkipReason = "a test"
        do {
            try runner.apply()
            return false
        } catch {
            #expect(ran == count, "\(error)")
            return true
        }
    }

    /// With the whole server gone at once after a statement, in a cluster of its own.
    @Test(
        "The server killed after a statement, the next run ends as a clean install",
        .enabled(if: PrivateCluster.binaries != nil, "PostgreSQL's server programs are not on this machine"))
    func serverKilled() throws {
        let cluster = try PrivateCluster()
        defer { cluster.remove() }
        let small = try TemporaryProject(CrashTests.files)
        let projects = [
            (try small.load(), isWhole ? 1 : 5),
            (try Project(root: TestServer.projectRoot), isWhole ? 1 : 400),
        ]
        for (index, (project, step)) in projects.enumerated() {
            for count in stride(from: step, through: project.statementCount, by: step) {
                let name = "crash_\(index)_\(count)"
                try Connection.connect(cluster.conninfo()).execute(script: "create database \(name)")
                let target = Target(cluster.conninfo(), database: name)
                var ran = 0
                var runner = Runner(project, target) { progress in
                    guard case .ran = progress else { return }
                    ran += 1
                    if ran == count { #expect(throws: Never.self) { try cluster.stop() } }
                }
                runner.cronSkipReason = "a test"
                #expect(throws: (any Error).self, "statement \(count)") { try runner.apply() }
                try cluster.start()
                try finish(project, target)
                try Connection.connect(cluster.conninfo()).execute(script: "drop database \(name)")
            }
        }
    }

    /// All of our own with CONCIERGE_FAULTS=all (`make faults`), a sample otherwise.
    private let isWhole = ProcessInfo.processInfo.environment["CONCIERGE_FAULTS"] == "all"

    private func finish(_ project: Project, _ target: Target) throws {
        var runner = Runner(project, target)
        runner.cronSkipReason = "a test"
        try runner.apply()
        let differences = try runner.drift()
        #expect(differences.isEmpty, "\(differences)")
        #expect(try target.connect().query("select count(*) from migration.step").scalar == "0")
    }

    @Test("Killed after any statement, the next run ends as a clean install, and nothing was done twice")
    func everyStatement() throws {
        let project = try TemporaryProject(CrashTests.files).load()
        var count = 0
        var goesOn = true
        while goesOn {
            count += 1
            try TestServer.withDatabase { target in
                goesOn = try kill(after: count, project, target)
                try finish(project, target)
                let rows = try target.connect().query(
                    "select count(*) || ' ' || count(*) filter (where name like '%filled') from t"
                ).scalar
                #expect(rows == "101 100", "after statement \(count)")
            }
        }
        #expect(count == 6 + 11 + 2 + 2 + 1)
    }

    /// What an old snapshot makes wait half-way.
    @Test(
        "Killed in the middle of a statement that is no transaction, too",
        arguments: [
            "create unique index concurrently t_id on t (id)",
            "alter table p detach partition p1 concurrently",
            "drop index concurrently t_old", "reindex index concurrently t_old",
        ])
    func inTheMiddle(_ statement: String) throws {
        let files = [
            "migrations/0001_base.sql": CrashTests.files["migrations/0001_base.sql"] ?? "",
            "migrations/0002_alone.sql": "-- transaction: none\n\(statement);\ncreate table u ();",
        ]
        let project = try TemporaryProject(files).load()
        try TestServer.withDatabase { target in
            let base = try TemporaryProject([
                "migrations/0001_base.sql": files["migrations/0001_base.sql"] ?? ""
            ])
            try Runner(base.load(), target).apply()

            let (old, stranger) = (
                try target.connect(as: "an old snapshot"), try target.connect(as: "a stranger")
            )
            try old.execute(script: "begin isolation level repeatable read")
            try old.execute(script: "select count(*) from t, p")
            var wasBlocked = false
            #expect(throws: (any Error).self) {
                try Runner(project, target) { progress in
                    guard case .blocked = progress else { return }
                    wasBlocked = true
                    killMigrator(stranger)
                }.apply()
            }
            #expect(wasBlocked)
            try old.execute(script: "commit")
            try finish(project, target)
        }
    }

    @Test("Killed after a statement of our own migrations, the next run ends as a clean install")
    func ourOwn() throws {
        let project = try Project(root: TestServer.projectRoot)
        let total = project.statementCount
        for count in stride(from: 1, through: total, by: isWhole ? 1 : 97) {
            try TestServer.withDatabase { target in
                #expect(try kill(after: count, project, target), "statement \(count) of \(total)")
                try finish(project, target)
            }
        }
    }
}

extension Project {
    /// What an install runs.
    fileprivate var statementCount: Int {
        (migrations.map(\.source) + (preamble + objects).map(\.source)).map(\.statements.count).reduce(0, +)
    }
}
