import Foundation
import TestSupport
import Testing

@testable import Migrations

@Suite struct PlanTests {
    /// What is wrong with a project, one sentence each.
    private func problems(_ files: [String: String], _ ledger: Ledger = Ledger()) throws -> [String] {
        let project = try TemporaryProject(files)
        do {
            _ = try Plan(project.load(), ledger)
            return []
        } catch let refusal as Refusal {
            return refusal.problems.map { "\($0.file)\($0.line.map { ":\($0)" } ?? ""): \($0.message)" }
        }
    }

    private func applied(_ number: Int, _ name: String, _ content: String) -> Ledger.Migration {
        Ledger.Migration(
            number: number, name: name, checksum: sha256(Array(content.utf8)), appliedAt: "2027-05-03")
    }

    @Test(
        "A project that is not sound is refused with file and line",
        arguments: [
            (["migrations/1_a.sql": ""], "migrations/1_a.sql: not the name of a migration"),
            (["migrations/0001_Big.sql": ""], "migrations/0001_Big.sql: not the name of a migration"),
            (["migrations/0001.sql": ""], "migrations/0001.sql: not the name of a migration"),
            (["migrations/0000_zero.sql": ""], "migrations/0000_zero.sql: not the name of a migration"),
            (
                ["migrations/0001_a.sql": "", "migrations/00001_b.sql": ""],
                "migrations/0001_a.sql: number 1 is taken by migrations/00001_b.sql"
            ),
            (
                ["migrations/0001_a.sql": "select 1;\nCommit;"],
                "migrations/0001_a.sql:2: the file has a COMMIT of its own"
            ),
            (
                ["migrations/0001_a.sql": "select 1;\nselect 'x"],
                "migrations/0001_a.sql:2: string is never closed"
            ),
            (["sql/manifest": "a.sql"], "sql/manifest:1: there is no file sql/a.sql"),
            (["sql/manifest": "# x", "sql/a/b.sql": ""], "sql/a/b.sql: not named in sql/manifest"),
            (
                ["sql/manifest": "a.sql\n\na.sql", "sql/a.sql": ""],
                "sql/manifest:3: a.sql is named already on line 1"
            ),
            (["sql/manifest": "never a.sql"], "sql/manifest:1: not a line of a manifest"),
            (["sql/manifest": "object a.sql"], "sql/manifest:1: not a line of a manifest"),
            (
                ["sql/manifest": "../a.sql"],
                "sql/manifest:1: ../a.sql is not the path of an .sql file below sql/"
            ),
            (
                ["sql/manifest": "a.sql", "sql/a.sql": "begin;"],
                "sql/a.sql:1: the file has a BEGIN of its own"
            ),
        ])
    func unsoundProjects(_ files: [String: String], _ expected: String) throws {
        #expect(try problems(files) == [expected])
    }

    @Test("All problems are told at once")
    func allProblemsAtOnce() throws {
        #expect(try problems(["migrations/x.sql": "", "sql/a.sql": "", "sql/b.sql": ""]).count == 3)
    }

    @Test("Bytes that are not UTF-8 are refused with their line")
    func notUTF8() throws {
        let project = try TemporaryProject()
        try project.write("migrations/0001_a.sql", Data("select 1;\n-- caf".utf8) + Data([0xE9]))
        #expect { try project.load() } throws: { error in
            (error as? Refusal)?.problems.map { "\($0.file):\($0.line ?? 0): \($0.message)" }
                == ["migrations/0001_a.sql:2: not UTF-8"]
        }
    }

    @Test("A project without a manifest is refused")
    func noManifest() throws {
        let project = try TemporaryProject()
        try project.remove("sql/manifest")
        #expect(throws: Refusal.self) { try project.load() }
    }

    @Test("A manifest has headings, and files for other times and places")
    func manifestLines() throws {
        let entries = try Manifest.parse(
            Array("# head\u{2028}\u{0b}\n\nalways s.sql  # why\n a.sql\r\ncron c/d.sql\n".utf8))
        #expect(
            entries == [
                ManifestEntry(role: .always, path: "s.sql", line: 3),
                ManifestEntry(role: .object, path: "a.sql", line: 4),
                ManifestEntry(role: .cron, path: "c/d.sql", line: 5),
            ])
    }

    @Test("Pending migrations come in numeric order")
    func numericOrder() throws {
        let project = try TemporaryProject([
            "migrations/0010_c.sql": "", "migrations/0002_b.sql": "", "migrations/0001_a.sql": "x",
            "migrations/10000_d.sql": "",
        ])
        let ledger = Ledger(migrations: [applied(1, "a", "x")])
        #expect(try Plan(project.load(), ledger).migrations.map(\.number) == [2, 10, 10000])
    }

    @Test("An edited migration is refused with both checksums")
    func editedMigration() throws {
        let ledger = Ledger(migrations: [applied(1, "a", "old")])
        let project = try TemporaryProject(["migrations/0001_a.sql": "new"])
        #expect { try Plan(project.load(), ledger) } throws: { error in
            let problem = (error as? Refusal)?.problems.first
            return problem?.message == "edited after it was applied on 2027-05-03"
                && problem?.detail?.contains(sha256(Array("old".utf8))) == true
                && problem?.detail?.contains("1:" + sha256(Array("new".utf8))) == true && problem?.hint != nil
        }
    }

    @Test("A comment or white space locks nobody out; a ledger that noted bytes is believed byte for byte")
    func commentedMigration() throws {
        let files = ["migrations/0001_a.sql": "-- Why.\nCREATE TABLE t (a int);\n"]
        let noted = "1:" + sha256(Array("create table t ( a int )".utf8))
        let now = Ledger.Migration(number: 1, name: "a", checksum: noted, appliedAt: "2027-05-03")
        #expect(try problems(files, Ledger(migrations: [now])) == [])
        #expect(
            try problems(files, Ledger(migrations: [applied(1, "a", files["migrations/0001_a.sql"] ?? "")]))
                == [])
        #expect(
            try problems(files, Ledger(migrations: [applied(1, "a", "create table t (a int);")]))
                == ["migrations/0001_a.sql: edited after it was applied on 2027-05-03"])
    }

    @Test("History that was rewritten is refused")
    func rewrittenHistory() throws {
        #expect(
            try problems([:], Ledger(migrations: [applied(7, "gone", "")]))
                == ["migrations/0007_gone.sql: applied on 2027-05-03, but the file is missing"])
        #expect(
            try problems(["migrations/0001_new.sql": ""], Ledger(migrations: [applied(1, "old", "")]))
                == ["migrations/0001_new.sql: renamed after it was applied as old"])
        #expect(
            try problems(
                ["migrations/0001_a.sql": "", "migrations/0002_b.sql": ""],
                Ledger(migrations: [applied(2, "b", "")]))
                == ["migrations/0001_a.sql: out of order: number 2 is applied already, 1 is not"])
    }

    @Test("A changed object is applied again, and one that the database has lost; each for a reason")
    func changedObjects() throws {
        let project = try TemporaryProject([
            "sql/manifest": "always s.sql\na.sql\nb.sql\nc.sql\ncron d.sql",
            "sql/s.sql": "s", "sql/a.sql": "a", "sql/b.sql": "b", "sql/c.sql": "c", "sql/d.sql": "d",
        ])
        func ledger(_ except: String...) -> Ledger {
            let known = ["s", "a", "b", "c", "d"].filter { !except.contains($0) }  // noted as bytes
            return Ledger(
                objects: Dictionary(uniqueKeysWithValues: known.map { ("\($0).sql", sha256(Array($0.utf8))) })
            )
        }
        func reasons(_ ledger: Ledger) throws -> [String] {
            let plan = try Plan(project.load(), ledger)
            return (plan.objects + plan.cron).map {
                "\($0.path): \(plan.reasons[$0.path].map { "\($0)" } ?? "")"
            }
        }
        #expect(try reasons(ledger()) == [])
        #expect(try reasons(ledger("b")) == ["b.sql: new"])
        #expect(try reasons(ledger("d")) == ["d.sql: new"])
        let why = "what runs before it changed"
        #expect(try reasons(ledger("s")) == ["a.sql: \(why)", "b.sql: \(why)", "c.sql: \(why)"])
        #expect(
            try reasons(Ledger()) == ["a.sql: new", "b.sql: new", "c.sql: new", "d.sql: new"])
        var old = ledger()
        old.objects["gone.sql"] = "x"
        old.objects["b.sql"] = "y"
        let view = MadeObject(kind: "view", identity: "event.v")
        old.made = [
            "a.sql": [Ledger.Made(object: view, isThere: true)],
            "c.sql": [Ledger.Made(object: view, isThere: false)],
        ]
        #expect(try reasons(old) == ["b.sql: changed", "c.sql: view event.v is missing"])
        #expect(try Plan(project.load(), old).orphans == ["gone.sql"])
        old.made = nil
        let unnoted = "not yet noted what it makes"
        #expect(try reasons(old) == ["a.sql: \(unnoted)", "b.sql: changed", "c.sql: \(unnoted)"])
    }

    @Test(
        "Checksums are SHA-256",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 64),
                "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"
            ),
            (
                String(repeating: "ä", count: 1000),
                "f02bb0d3c6e620be53d966e99864685c811c655ba66bb1c2c70b5ec2a20b9c04"
            ),
        ])
    func checksums(_ text: String, _ expected: String) {
        #expect(sha256(Array(text.utf8)) == expected)
    }
}
