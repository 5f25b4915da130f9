import TestSupport
import Testing

@testable import Migrations

/// One statement of the corpus in Tests/fixtures/lint.
struct LintCase: Sendable, CustomStringConvertible {
    let codes: [String]
    let what: String
    let sql: String
    var description: String { what }

    /// The cases of a file: each after a line of three dashes.
    static func read(_ name: String) throws -> [LintCase] {
        let bytes = try readFile(TestServer.projectRoot + "/Tests/fixtures/lint/" + name)
        let text = "\n" + String(decoding: bytes, as: UTF8.self)
        return text.split(separator: "\n--- ").dropFirst().map { part in
            let lines = part.split(separator: "\n", maxSplits: 1)
            let title = lines[0].split(separator: ": ", maxSplits: 1).map(String.init)
            let codes = title.count == 2 ? title[0].split(separator: " ").map(String.init) : []
            return LintCase(codes: codes, what: title.last ?? "", sql: String(lines[1]))
        }
    }
}

@Suite struct LintTests {
    private static func fixture(_ name: String) throws -> String {
        String(
            decoding: try readFile(TestServer.projectRoot + "/Tests/fixtures/lint/" + name), as: UTF8.self)
    }

    /// What is found in a migration after the corpus's base, in the corpus's project.
    private func lint(_ sql: String, objects: [String: String] = [:]) throws -> [Finding] {
        let files = [
            "migrations/0001_base.sql": try Self.fixture("base.sql"), "migrations/0002_case.sql": sql,
            "sql/manifest": try Self.fixture("sql/manifest") + objects.keys.map { $0.dropFirst(4) }.joined(),
            "sql/shop/dearest.sql": try Self.fixture("sql/shop/dearest.sql"),
        ]
        let project = try TemporaryProject(files.merging(objects) { $1 })
        return try withExtendedLifetime(project) { try Linter(project.load()).findings() }
    }

    /// Codes with their lines: `D302:1`.
    private func places(_ sql: String) throws -> [String] { try lint(sql).map { "\($0.code):\($0.line)" } }

    @Test(
        "Every dangerous statement is found, by its codes and no others",
        arguments: try LintCase.read("dangerous.sql"))
    func dangerous(_ example: LintCase) throws {
        let findings = try lint(example.sql)
        #expect(Set(findings.map(\.code)) == Set(example.codes), "\(findings)")
        #expect(findings.allSatisfy { $0.file == "migrations/0002_case.sql" })
    }

    @Test("Nothing is said about harmless statements", arguments: try LintCase.read("harmless.sql"))
    func harmless(_ example: LintCase) throws {
        #expect(try lint(example.sql) == [])
    }

    @Test("The corpus is large, and has a case for every rule")
    func corpus() throws {
        let dangerous = try LintCase.read("dangerous.sql")
        #expect(dangerous.count >= 60)
        #expect(try LintCase.read("harmless.sql").count >= 30)
        // A body that cannot be read is shown below.
        let missing = Set(LintRule.all.map(\.code)).subtracting(dangerous.flatMap(\.codes))
        #expect(missing == ["L604"])
    }

    @Test("This project is clean")
    func ourselves() throws {
        #expect(try Linter(Project(root: TestServer.projectRoot)).findings().map(\.description) == [])
    }

    @Test(
        "What is allowed is what stands directly below, or on the same line",
        arguments: [
            ("-- allow D302: why\ntruncate shop.item;", []),
            ("-- allow D302: why\n-- and more of it\ntruncate shop.item;", []),
            ("truncate\n  shop.item;  -- allow D302: why", []),
            ("-- allow D302: why\r\ntruncate shop.item;\r\ntruncate shop.item;", ["D302:3"]),
            ("-- allow D302: why\n\ntruncate shop.item;", ["L603:1", "D302:3"]),
            ("-- allow D302: why\nselect 1;\ntruncate shop.item;", ["L603:1", "D302:3"]),
            ("-- allow D301: why\ntruncate shop.item;", ["L603:1", "D302:2"]),
            ("-- allow D302, M113: why\ntruncate shop.item;", []),
            ("-- allow X999: why\nselect 1;", ["L603:1"]),
            ("-- allow D302:\ntruncate shop.item;", ["L602:1"]),
            ("-- allow writers some time\nselect 1;", []),
            ("do $$ begin\n  -- allow S507: why\n  raise 'a';\n  raise 'b';\nend $$;", ["S507:4"]),
            ("do $$ begin\n  raise 'a';  -- allow S507: why\nend $$;", []),
        ])
    func allowances(_ sql: String, _ expected: [String]) throws {
        #expect(try places(sql) == expected)
    }

    @Test(
        "A finding names its line",
        arguments: [
            ("select 1;\n\ntruncate shop.item;", ["D302:3"]),
            ("select 1;\nselect\n  from from;", ["L601:3"]),
            ("do $$\nbegin\n\n  delete from shop.item;\nend\n$$;", ["D301:4"]),
            ("do '\nbegin\n  raise exception ''x'';\nend';", ["S507:3"]),
            ("do $$\nbegin\n  if;\nend\n$$;", ["L604:1"]),
        ])
    func lineNumbers(_ sql: String, _ expected: [String]) throws {
        #expect(try places(sql) == expected)
    }

    @Test("Rows of a field, and RETURN NEXT, do not keep a body from being read")
    func bodiesOfOurs() throws {
        let sql = """
            create function shop.all() returns table (a int, b text) language plpgsql as $$
            declare v_item shop.item;
            begin
                v_item.name := 'x';
                select 1, 'x' into v_item.item_id, v_item.note;
                a := 1;
                return next;
                raise exception '%', v_item.name;
            end
            $$;
            comment on function shop.all() is 'Everything.';
            """
        #expect(try places(sql) == ["S507:8"])
    }

    @Test("sql/ is applied again and again: there rows may be deleted, and objects dropped to be made anew")
    func objectsAreOthers() throws {
        let again = """
            drop view if exists shop.dear;
            create view shop.dear as select i.item_id from shop.item as i;
            comment on view shop.dear is 'What costs much.';
            delete from shop.customer;
            refresh materialized view shop.stock;
            """
        #expect(try lint("select 1", objects: ["sql/shop/again.sql": again]).map(\.code) == ["M112"])
    }

    @Test("What PUBLIC may not do by default is known of each role")
    func defaultPrivileges() throws {
        let create =
            "create function shop.pay() returns void language sql as 'select 1';\n"
            + "comment on function shop.pay() is 'Pays.';\n"
        let revoke = "alter default privileges for role keeper revoke execute on functions from public;\n"
        #expect(try lint(create).map(\.code) == [])
        #expect(try lint("set role keeper;\n" + create).map(\.code) == ["S503"])
        #expect(try lint(revoke + "set role keeper;\n" + create).map(\.code) == [])
        #expect(try lint(revoke + "set role keeper;\n" + create + "reset role;\n").map(\.code) == [])
    }

    @Test(
        "A file from elsewhere is judged as a migration still to come, and alone where only it is asked for")
    func otherFiles() throws {
        let project = try TemporaryProject(["migrations/0001_base.sql": try Self.fixture("base.sql")])
        try project.write("later.sql", "create index on shop.item (note);")
        let path = project.root + "/later.sql"
        let linter = try Linter(project.load(), extra: [path])
        #expect(linter.findings(in: [path]).map(\.code) == ["M101"])
        #expect(linter.findings(in: ["migrations"]) == [])
    }

    @Test("Every rule has a code of its own, a reason and a fix")
    func rules() {
        #expect(Set(LintRule.all.map(\.code)).count == LintRule.all.count)
        #expect(Set(LintRule.all.map(\.name)).count == LintRule.all.count)
        #expect(LintRule.all.map(\.code).allSatisfy { $0.wholeMatch(of: /[MDTSL]\d{3}/) != nil })
        #expect(LintRule.all.allSatisfy { !$0.reason.isEmpty && !$0.fix.isEmpty })
    }

    @Test("docs/lint.md lists every rule as the code has it")
    func documentation() throws {
        let text = String(
            decoding: try readFile(TestServer.projectRoot + "/docs/lint.md"), as: UTF8.self)
        let rows = text.split(separator: "\n").filter { $0.wholeMatch(of: /\| [MDTSL]\d{3} .*/) != nil }
        let expected = LintRule.all.map { "| \($0.code) | \($0.name) | \($0.reason) | \($0.fix) |" }
        #expect(rows.map(String.init) == expected)
    }
}
