/// One file of `Tests/sql`, read and split, with the data it asks for.
struct TestFile: Sendable {
    let source: Source
    /// Relative to `Tests/sql`.
    let name: String
    let data: [DataDirective]
    /// What is said by whom, in a file of several sessions.
    let script: SessionScript?

    init(root: String, name: String) throws {
        self.name = name
        source = try Source(root: root, path: "Tests/sql/" + name)
        let text = String(decoding: try readFile(root + "/Tests/sql/" + name), as: UTF8.self)
        data = DataDirective.all(in: text)
        script = try SessionScript(text, source.statements, file: source.path)
    }
}

/// `-- data: relative/path[.gz] into table_name`: before the statements run, the file's text becomes the one
/// row of a temporary table with the column `body`. Where the file is not at hand the table is empty, and the
/// test can skip. The path is relative to the data beside the project, or with `./` before it to the project.
struct DataDirective: Hashable, Sendable {
    let path: String
    let table: String
    let line: Int

    static func all(in text: String) -> [DataDirective] {
        lines(of: text).enumerated().compactMap { index, line in
            let words = line.split(separator: " ")
            guard words.count == 5, words[0] == "--", words[1] == "data:", words[3] == "into" else {
                return nil
            }
            return DataDirective(path: String(words[2]), table: String(words[4]), line: index + 1)
        }
    }
}

/// How one test file went.
public struct TestReport: Sendable {
    /// Relative to `Tests/sql`.
    public let name: String
    /// Relative to the project's root.
    public let path: String
    public let duration: Duration
    public let assertions: [Assertion]
    public let problems: [TestProblem]
    /// Why the file as a whole was skipped.
    public let skippedAll: String?
    /// The command that opens the database kept of it, or why there is none.
    public internal(set) var kept: String?
    /// The first line that failed.
    public var firstFailure: Int? {
        (assertions.filter { $0.verdict == .failed }.map(\.line) + problems.map(\.line)).min()
    }

    public var passed: Int { assertions.count { $0.verdict == .passed } }
    public var failed: Int { assertions.count { $0.verdict == .failed } + problems.count }
    public var skipped: Int {
        assertions.count - passed - assertions.count { $0.verdict == .failed } + (skippedAll == nil ? 0 : 1)
    }

    init(name: String, path: String, duration: Duration, _ collector: TAPCollector) {
        self.name = name
        self.path = path
        self.duration = duration
        assertions = collector.assertions
        problems = collector.problems
        skippedAll = collector.skippedAll
    }

    init(name: String, duration: Duration, assertions: [Assertion], problems: [TestProblem]) {
        self.name = name
        path = name
        self.duration = duration
        self.assertions = assertions
        self.problems = problems
        skippedAll = nil
    }
}
