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
    /// What sql/ of the corpus's project says.
    private static let objects = [
        "sql/manifest": "shop/dearest.sql",
        "sql/shop/dearest.sql": """
        create or replace function shop.dearest() returns numeric language sql stable
        return (select max(i.price) + shop.ticket() from shop.item as i);
        comment on function shop.dearest() is 'The price of the dearest item.';
        """,
    ]

    /// The codes found in a migration after the corpus's base, and what was said.
    private func lint(_ sql: String, _ more: [String: String] = objects) throws -> [Finding] {
        let base = String(
            decoding: try readFile(TestServer.projectRoot + "/Tests/fixtures/lint/base.sql"), as: UTF8.self)
        let files = ["migrations/0001_base.sql": base, "migrations/0002_case.sql": sql]
        let project = try TemporaryProject(files.merging(more) { $1 })
        return try Linter(project.load()).findings()
    }

    @Test("Every dangerous statement is found, by its codes and no others", arguments: try LintCase.read("dangerous.sql"))
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
