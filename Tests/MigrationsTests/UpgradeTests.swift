import Foundation
import Postgres
import TestSupport
import Testing

@testable import Migrations
@testable import concierge

/// A database that has come a long way is the same as a new one, and so is one that was dumped and restored.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct UpgradeTests {
    private static let root = TestServer.projectRoot

    /// The commits to come from: the newest, the oldest whose migrations are still a part of today's, and one
    /// between. Empty where there is no history, as in an archive or a shallow clone.
    static let commits: [String] = {
        let log = ["git", "-C", root, "log", "--format=%h", "--first-parent", "--", "migrations", "sql"]
        guard let result = try? runChild(log, mergeErrors: false), result.status == 0 else { return [] }
        let all = result.text.split(separator: "\n").map(String.init)
        let fitting = all.prefix { isPart($0) }
        let spread = [0, fitting.count / 2, fitting.count - 1].reduce(into: [String]()) { chosen, index in
            guard fitting.indices.contains(index), !chosen.contains(fitting[index]) else { return }
            chosen.append(fitting[index])
        }
        return spread + onceTroubled.filter { commit in fitting.contains { $0.hasPrefix(commit) } }
    }()

    /// Those from which an upgrade once failed. f06e15e: months of chat.records had a trigger of a function that went.
    private static let onceTroubled = ["f06e15e"]

    /// Whether each migration of a commit is there today, unedited.
    private static func isPart(_ commit: String) -> Bool {
        let arguments = ["git", "-C", root, "diff", "--name-status", commit, "--", "migrations"]
        guard let result = try? runChild(arguments, mergeErrors: false), result.status == 0 else {
            return false
        }
        return result.text.split(separator: "\n").allSatisfy { $0.hasPrefix("A") }
    }

    /// The project as it was at a commit.
    private func checkOut(_ commit: String) throws -> TemporaryProject {
        let project = try TemporaryProject()
        try FileManager.default.createDirectory(atPath: project.root, withIntermediateDirectories: true)
        try project.remove("sql")
        let archive = project.root + "/archive.tar"
        try runOrFail([
            "git", "-C", Self.root, "archive", "--output", archive, commit, "migrations", "sql",
        ])
        try runOrFail(["tar", "-xf", archive, "-C", project.root])
        return project
    }

    private func migrate(_ project: Project, _ target: Target) throws {
        var runner = Runner(project, target)
        runner.cronSkipReason = "a test"
        try runner.apply()
    }

    @Test(
        "A database of an earlier version, migrated, is as a fresh one",
        .enabled(if: !commits.isEmpty, "there is no history here"), arguments: commits)
    func freshEqualsUpgraded(_ commit: String) throws {
        try TestServer.withDatabase { target in
            try migrate(checkOut(commit).load(), target)
            try target.connect().execute(script: months)
            try migrate(Project(root: Self.root), target)
            var runner = Runner(try Project(root: Self.root), target)
            runner.cronSkipReason = "a test"
            #expect(try runner.drift().map(\.description) == [])
        }
    }

    @Test("A dump that is restored is the same database, and answers at once")
    func dumpAndRestore() throws {
        let server = try ServerInstallation.newest()
        let dump = NSTemporaryDirectory() + "concierge-\(UUID().uuidString.prefix(8)).dump"
        defer { try? FileManager.default.removeItem(atPath: dump) }
        try TestServer.withDatabase { here in
            try migrate(Project(root: Self.root), here)
            let connection = try here.connect()
            try connection.execute(script: people)
            try connection.execute(script: "call event.refresh()")
            try runOrFail([
                server.binary("pg_dump"), "--format=custom", "--file", dump, TestServer.url(here),
            ])
            try TestServer.withDatabase { there in
                let restore = ["--exit-on-error", "--dbname", TestServer.url(there), dump]
                try runOrFail([server.binary("pg_restore")] + restore)
                let restored = try there.connect()
                let differences = try Catalogue(restored).differences(from: Catalogue(connection))
                #expect(differences.map(\.description) == [])
                #expect(try rows(restored) == rows(connection))
                // What was in the ledger is: there is nothing to do, and what comes next can be applied.
                let plan = try Runner(Project(root: Self.root), there).plan()
                #expect(plan.migrations.isEmpty && plan.objects.isEmpty)
                // Somebody asks, under row-level security, with a token the restored key signs.
                try restored.execute(
                    script: "select access.sign_in(access.issue_token('acme', 'anna'), for_session => true)")
                let now = try restored.query(
                    "select session_title from event.sessions_now(event.event_id('fair'))")
                #expect(now.scalar == "Now on")
            }
        }
    }

    /// Tables that no file makes: those of this month, as soon as there is something to write down.
    private let months = """
        set role concierge_owner;
        do $$
        begin
            if to_regprocedure('chat.record_turn(uuid)') is not null then
                perform chat.record_turn(gen_random_uuid());
            end if;
        end
        $$
        """

    /// How many rows each table and materialized view has.
    private func rows(_ connection: Connection) throws -> [String] {
        try connection.query(
            """
            select c.oid::regclass || ' ' || (pg_catalog.xpath('//n/text()', pg_catalog.query_to_xml(
                pg_catalog.format('select count(*) as n from %s', c.oid::regclass), false, true, '')))[1]::text
            from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            where c.relkind in ('r', 'm') and n.nspname !~ '^(pg_|information_schema$)'
            order by 1
            """
        ).compactMap { $0[0] }
    }

    /// A tenant, an attendee and a session that is on.
    private let people = """
        select access.create_tenant('acme', 'Acme');
        select access.create_token_key('acme', tenant => 'acme');
        select access.create_person('acme', 'anna', 'Anna');
        insert into event.events (tenant_id, slug, title, time_zone, starts_at, ends_at)
        select t.tenant_id, 'fair', 'Fair', 'UTC', now() - interval '1 day', now() + interval '1 day'
        from access.tenants as t;
        insert into event.event_speakers (tenant_id, event_id, session_title, session_start, session_end)
        select e.tenant_id, e.event_id, 'Now on', now() - interval '1 hour', now() + interval '1 hour'
        from event.events as e;
        """
}
