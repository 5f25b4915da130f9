import Foundation
import Migrations
import Postgres
import TestSupport
import Testing

/// `--env`: who writes to production has a commit, sees the plan, and is asked.
@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct EnvironmentTests {
    private struct Place {
        let project: TemporaryProject
        let connection: Connection
        let services: String

        func concierge(_ arguments: String...) throws -> (status: Int32, output: String) {
            try ProcessTests.Child(arguments, in: project.root, environment: ["PGSERVICEFILE": services])
                .end()
        }

        func git(_ arguments: String...) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments =
                ["git", "-C", project.root, "-c", "user.name=Test", "-c", "user.email=test@example.org"]
                + arguments
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "git \(arguments)")
        }
    }

    private func withPlace(_ body: (Place) throws -> Void) throws {
        let project = try TemporaryProject(["migrations/0001_a.sql": "create table a (id int);"])
        try TestServer.withDatabase { target in
            let connection = try target.connect()
            let host = try connection.query("select current_setting('unix_socket_directories')").scalar ?? ""
            let services = project.root + ".services"
            let text = ["prod", "dev"].map { name in
                """
                [\(name)]
                host=\(host)
                port=5432
                user=postgres
                dbname=\(connection.database)

                """
            }
            try Data(text.joined().utf8).write(to: URL(fileURLWithPath: services))
            defer { try? FileManager.default.removeItem(atPath: services) }
            try body(Place(project: project, connection: connection, services: services))
        }
    }

    @Test("Production is shown the plan and asked for; dev is not")
    func asks() throws {
        try withPlace { place throws in
            let asked = try place.concierge("migrate", "--env", "prod")
            #expect(asked.status == 1)
            #expect(asked.output.contains("create table a (id int)"))
            #expect(asked.output.contains("concierge: nobody can be asked: Apply this in prod?"))
            #expect(try place.connection.query("select to_regclass('a') is null").scalar == "t")
            #expect(try place.concierge("migrate", "--env", "dev").status == 0)
            // With nothing to do nobody is asked.
            #expect(try place.concierge("migrate", "--env=prod").status == 0)
            try place.project.write("migrations/0002_b.sql", "create table b ();")
            let answered = try place.concierge("migrate", "--env", "prod", "--yes")
            #expect(answered.status == 0, "\(answered.output)")
            let unknown = try place.concierge("migrate", "--env", "nowhere")
            #expect(
                unknown.status == 1 && unknown.output.contains("definition of service \"nowhere\" not found"))
            #expect(try place.concierge("migrate", "--env", "x y").status == 2)
            #expect(try place.concierge("migrate", "--env", "dev", "--database", "x").status == 2)
        }
    }

    @Test("Production takes commits only, and the log names them")
    func commits() throws {
        try withPlace { place throws in
            try place.git("init", "-q")
            try place.git("add", ".")
            try place.git("commit", "-qm", "One table.")
            try place.project.write("migrations/0002_b.sql", "create table b ();")
            let dirty = try place.concierge("migrate", "--env", "prod", "--yes")
            #expect(dirty.status == 1)
            #expect(
                dirty.output.contains(
                    "concierge: the working tree differs from its commit, and prod takes commits only"))
            #expect(try place.connection.query("select to_regclass('a') is null").scalar == "t")
            try place.git("add", ".")
            try place.git("commit", "-qm", "Another.")
            #expect(try place.concierge("migrate", "--env", "prod", "--yes").status == 0)
            try place.project.write("migrations/0003_c.sql", "select nope;")
            #expect(try place.concierge("migrate", "--env", "dev").status == 1)
            let log = try place.concierge("migrate", "log").output
            let wanted = try place.concierge("migrate", "log", "--env", "dev").output
            #expect(log != wanted)
            let lines = wanted.split(separator: "\n")
            #expect(lines.count == 4, "\(wanted)")
            #expect(lines[0].hasSuffix("  up  migrations 3"))
            #expect(
                lines[1].contains("failed: migrations/0003_c.sql:1: ERROR: column \"nope\" does not exist"))
            #expect(lines[1].hasSuffix(" and changes"))
            #expect(lines[2].hasSuffix("  up  migrations 1, 2"))
            #expect(lines[3].hasPrefix("    ok, ") && lines[3].contains("; postgres, "))
            let rows = try place.connection.query(
                "select count(*) from migration.run where commit ~ '^[0-9a-f]{40}$' and called_by like '%@%'")
            #expect(rows.scalar == "2")
        }
    }

    @Test("Events come one JSON object a line")
    func events() throws {
        try withPlace { place throws in
            try place.project.write(
                "migrations/0002_b.sql", "do $$ begin raise warning 'mind \"this\"'; end $$;")
            let output = try place.concierge("migrate", "--json", "--env", "dev").output
            let events = try output.split(separator: "\n").map {
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            }
            let names = events.compactMap { $0?["event"] as? String }
            #expect(
                names == ["began", "ran", "finished", "began", "warning", "ran", "finished", "up_to_date"])
            #expect(
                events[1]?["line"] as? Int == 1 && events[1]?["step"] as? String == "migrations/0001_a.sql")
        }
    }
}
