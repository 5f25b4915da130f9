/// What the database remembers: which migrations ran, and which object files it has in which version.
public struct Ledger: Sendable {
    public struct Migration: Hashable, Sendable {
        public let number: Int
        public let name: String
        public let checksum: String
        /// As the server prints it.
        public let appliedAt: String

        public init(number: Int, name: String, checksum: String, appliedAt: String) {
            self.number = number
            self.name = name
            self.checksum = checksum
            self.appliedAt = appliedAt
        }
    }

    /// What a file of `sql/` made.
    public struct Made: Hashable, Sendable {
        public let object: MadeObject
        /// Of a materialized view: `MaterializedView.definition` as it was built.
        public let definition: String?
        /// Of a materialized view: `MaterializedInputs` as it was built.
        public let inputs: String?
        /// Whether the database still has it.
        public let isThere: Bool

        init(object: MadeObject, definition: String? = nil, inputs: String? = nil, isThere: Bool = true) {
            self.object = object
            self.definition = definition
            self.inputs = inputs
            self.isThere = isThere
        }
    }

    /// By number.
    public var migrations: [Int: Migration]
    /// Checksums by path.
    public var objects: [String: String]
    /// What the files made, by path; nil when they were applied by a runner that did not note it.
    public var made: [String: [Made]]?

    public init(
        migrations: [Migration] = [], objects: [String: String] = [:], made: [String: [Made]]? = [:]
    ) {
        self.migrations = Dictionary(migrations.map { ($0.number, $0) }) { first, _ in first }
        self.objects = objects
        self.made = made
    }
}

/// What an apply would do. Made from values only, so every decision can be tested without a database.
public struct Plan: Sendable {
    /// Migrations to run, in order, one transaction each.
    public let migrations: [Migration]
    /// Object files to run, in order, in one transaction. Files whose objects stand on what changes its shape
    /// are found only then, and run as well.
    public let objects: [ObjectFile]
    /// Files to run where pg_cron lives.
    public let cron: [ObjectFile]
    /// Paths the database remembers and the manifest no longer names. What they made is dropped, unless
    /// another file makes it now.
    public let orphans: [String]
    /// Why a file is to be run, by path.
    public let reasons: [String: Reason]

    /// Why a file of `sql/` is to be run.
    public enum Reason: Hashable, Sendable, CustomStringConvertible {
        case new
        case changed
        /// What runs before all of them changed.
        case preamble
        /// The database has lost what the file made.
        case missing(MadeObject)
        /// It was applied before the ledger noted what files make.
        case unnoted

        public var description: String {
            switch self {
            case .new: "new"
            case .changed: "changed"
            case .preamble: "what runs before it changed"
            case .missing(let object): "\(object) is missing"
            case .unnoted: "not yet noted what it makes"
            }
        }
    }

    public var isEmpty: Bool { cron.isEmpty && restIsEmpty }
    /// Whether all that is left is what runs where pg_cron lives.
    public var isOnlyCron: Bool { !cron.isEmpty && restIsEmpty }

    private var restIsEmpty: Bool { migrations.isEmpty && objects.isEmpty && orphans.isEmpty }

    /// Compares the project with the ledger; throws `Refusal` when history was rewritten.
    public init(_ project: Project, _ ledger: Ledger) throws {
        let problems = contradictions(project, ledger)
        guard problems.isEmpty else { throw Refusal(problems) }

        migrations = project.migrations.filter { ledger.migrations[$0.number] == nil }

        func isChanged(_ file: ObjectFile) -> Bool { !file.source.isNoted(as: ledger.objects[file.path]) }
        let isPreambleChanged = project.preamble.contains(where: isChanged)
        func reason(_ file: ObjectFile) -> Reason? {
            if ledger.objects[file.path] == nil { return .new }
            if isChanged(file) { return .changed }
            if file.role == .cron { return nil }
            if isPreambleChanged { return .preamble }
            guard let made = ledger.made else { return .unnoted }
            return made[file.path]?.first { !$0.isThere }.map { .missing($0.object) }
        }
        let reasons = Dictionary(
            (project.objects + project.cron).compactMap { file in reason(file).map { (file.path, $0) } },
            uniquingKeysWith: { first, _ in first })
        self.reasons = reasons
        objects = project.objects.filter { reasons[$0.path] != nil }
        cron = project.cron.filter { reasons[$0.path] != nil }
        let named = Set((project.preamble + project.objects + project.cron).map(\.path))
        orphans = ledger.objects.keys.filter { !named.contains($0) }.sorted()
    }
}

/// Where the files contradict what was already applied.
private func contradictions(_ project: Project, _ ledger: Ledger) -> [Problem] {
    var problems: [Problem] = []
    let newest = ledger.migrations.keys.max() ?? 0
    for migration in project.migrations {
        let file = migration.source.path
        guard let applied = ledger.migrations[migration.number] else {
            if migration.number < newest {
                problems.append(
                    Problem(
                        file: file,
                        "out of order: number \(newest) is applied already, \(migration.number) is not",
                        hint: "Give the migration the next free number."))
            }
            continue
        }
        if !migration.source.isNoted(as: applied.checksum) {
            problems.append(
                Problem(
                    file: file, "edited after it was applied on \(applied.appliedAt)",
                    detail:

                        "Applied with checksum \(applied.checksum), "
                        + "the file now has \(migration.source.checksum).",
                    hint: "Restore the file, and write what you want changed as a new migration."))
        } else if applied.name != migration.name {
            problems.append(
                Problem(
                    file: file, "renamed after it was applied as \(applied.name)",
                    hint: "Give it its old name back."))
        }
    }
    let numbers = Set(project.migrations.map(\.number))
    for applied in ledger.migrations.values.sorted(by: { $0.number < $1.number })
    where !numbers.contains(applied.number) {
        let number = String(applied.number)
        let padded = String(repeating: "0", count: max(0, 4 - number.count)) + number
        problems.append(
            Problem(
                file: "migrations/\(padded)_\(applied.name).sql",
                "applied on \(applied.appliedAt), but the file is missing",
                hint: "Restore the file; is this an older checkout than the one that was deployed?"))
    }
    return problems
}
