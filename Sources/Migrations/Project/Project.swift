/// One SQL file, read and split.
public struct Source: Hashable, Sendable {
    /// Relative to the project's root: `migrations/0001_foundation.sql`.
    public let path: String
    /// `1:` and the SHA-256, in hex, of what the file says to the server: comments, white space and the case
    /// of unquoted words do not count.
    public let checksum: String
    private let bytes: [UInt8]
    public let statements: [Statement]
    /// How it wants to be run.
    public let header: Header

    /// Reads, decodes and splits a file; the problem names the line where that fails.
    init(root: String, path: String) throws {
        let bytes = try readFile(root + "/" + path)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Refusal(
                Problem(
                    file: path, line: lineOfInvalidUTF8(bytes), "not UTF-8",
                    hint: "Save the file in UTF-8 encoding."))
        }
        do {
            statements = try Scanner.statements(in: text)
        } catch let error {
            throw Refusal(Problem(file: path, line: error.line, error.message))
        }
        header = try Header(text, file: path)
        self.path = path
        checksum = "1:" + sha256(Array(statements.map(\.canonical).joined(separator: "\n;\n").utf8))
        self.bytes = bytes
    }

    /// Whether it has a name anywhere, in a string or a body, too.
    func mentions(_ name: String) -> Bool {
        let wanted = Array(asciiLowercased(nameParts(name).last ?? name).utf8)
        guard let first = wanted.first else { return false }
        for statement in statements {
            let text = Array(asciiLowercased(statement.text).utf8)
            var start = text[...]
            while let at = start.firstIndex(of: first) {
                let end = at + wanted.count
                let isWhole =
                    (at == 0 || !isWordPart(text[at - 1])) && (end >= text.count || !isWordPart(text[end]))
                if isWhole, text[at...].starts(with: wanted) { return true }
                start = text[(at + 1)...]
            }
        }
        return false
    }

    /// SHA-256 of the file's bytes: how ledgers began.
    var byteChecksum: String { sha256(bytes) }

    /// Whether this is what a ledger noted, in today's manner or the first one.
    public func isNoted(as noted: String?) -> Bool {
        noted == checksum || noted?.hasPrefix("1:") == false && noted == byteChecksum
    }

    /// The statements that cannot be found again after a crash, of a file that is not one transaction.
    var loneProblems: [Problem] {
        guard !header.isTransactional else { return [] }
        return statements.flatMap { statement -> [Problem] in
            do throws(Refusal) {
                _ = try LoneStatement(statement, file: path)
                return []
            } catch let refusal {
                return refusal.problems
            }
        }
    }

    /// The statements that would end the transaction the runner holds around the file.
    var transactionProblems: [Problem] {
        statements.filter(\.controlsTransaction).map { statement in
            Problem(
                file: path, line: statement.line, "the file has a \(statement.verb.uppercased()) of its own",
                hint: "The runner opens and commits the transaction; take the statement out.")
        }
    }
}

/// The first line that is not valid UTF-8.
private func lineOfInvalidUTF8(_ bytes: [UInt8]) -> Int {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return (lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0) + 1
}

/// What happened once: `migrations/NNNN_name.sql`.
public struct Migration: Hashable, Sendable {
    public let number: Int
    public let name: String
    public let source: Source
    /// `NNNN_name.verify.sql`: what must be true once it has run. May be changed at any time.
    public let verify: Source?
    /// `NNNN_name.revert.sql`: what undoes it. May be changed at any time.
    public let revert: Source?

    /// Number and name from a file name such as `0042_add_track.sql`, or nil.
    static func parse(fileName: String) -> (number: Int, name: String)? {
        let parts = fileName.split(separator: "_", maxSplits: 1)
        guard fileName.hasSuffix(".sql"), parts.count == 2, parts[0].count >= 4,
            parts[0].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(parts[0]), number > 0
        else { return nil }
        let name = parts[1].dropLast(4)
        let isPlain = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        return name.isEmpty || !isPlain ? nil : (number, String(name))
    }
}

/// What is true now: one file of `sql/`, in the manifest's order.
public struct ObjectFile: Hashable, Sendable {
    public let role: ManifestEntry.Role
    /// As the manifest names it, relative to `sql/`.
    public let path: String
    public let source: Source
}

/// The `migrations/` and `sql/` folders, read and found sound. Knows no database.
public struct Project: Sendable {
    public let root: String
    /// In numeric order.
    public let migrations: [Migration]
    /// In the manifest's order, without those that run elsewhere or always.
    public let objects: [ObjectFile]
    /// Run at the start of every transaction that applies objects.
    public let preamble: [ObjectFile]
    /// Run in the database where pg_cron lives.
    public let cron: [ObjectFile]

    /// Reads the folders below `root`; throws `Refusal` with everything that is wrong with them.
    public init(root: String) throws {
        var problems: [Problem] = []
        func collect<Value>(_ body: () throws -> Value) throws -> Value? {
            do { return try body() } catch let refusal as Refusal {
                problems += refusal.problems
                return nil
            } catch let error as FileError {
                problems.append(Problem(file: error.path, "cannot be read", detail: error.description))
                return nil
            }
        }
        let migrations = try collect { try readMigrations(root) } ?? []
        let files = try collect { try readObjects(root) } ?? []
        let parts = migrations.flatMap { [$0.source, $0.verify, $0.revert].compactMap(\.self) }
        for source in parts + files.map(\.source) {
            problems += source.transactionProblems
        }
        for migration in migrations {
            problems += migration.source.loneProblems
            for part in [migration.verify, migration.revert].compactMap(\.self)
            where !part.header.isTransactional {
                problems.append(
                    Problem(
                        file: part.path, "only a migration itself can be without a transaction",
                        hint: "Take out -- transaction: none."))
            }
        }
        for file in files {
            _ = try collect { try MaterializedView.all(in: file.source) }
        }
        guard problems.isEmpty else { throw Refusal(problems) }

        self.root = root
        self.migrations = migrations
        objects = files.filter { $0.role == .object }
        preamble = files.filter { $0.role == .always }
        cron = files.filter { $0.role == .cron }
    }
}

extension Project {
    /// Makes an empty migration with the next free number; returns its path below the root.
    public func newMigration(named name: String) throws -> String {
        let number = String((migrations.last?.number ?? 0) + 1)
        let file = String(repeating: "0", count: max(0, 4 - number.count)) + number + "_" + name + ".sql"
        guard Migration.parse(fileName: file) != nil else {
            throw Refusal(
                Problem(
                    file: "migrations/" + file, "not the name of a migration",
                    hint: "Lower-case words joined by _."))
        }
        try writeNewFile(root + "/migrations/" + file, "-- What it changes, and why now.\n")
        return "migrations/" + file
    }
}

/// What a file of `migrations/` is to its migration.
private enum MigrationPart: String, CaseIterable {
    case verify, revert

    /// The part a name such as `0042_add_track.verify.sql` says, and the name of the migration's own file.
    static func parse(_ fileName: String) -> (part: MigrationPart?, of: String) {
        for part in allCases where fileName.hasSuffix(".\(part.rawValue).sql") {
            return (part, fileName.dropLast(part.rawValue.count + 5) + ".sql")
        }
        return (nil, fileName)
    }
}

private func readMigrations(_ root: String) throws -> [Migration] {
    var problems: [Problem] = []
    var migrations: [Migration] = []
    let folder = root + "/migrations"
    let names = fileKind(folder) == nil ? [] : try listFolder(folder)
    func read(_ name: String) -> Source? {
        do { return try Source(root: root, path: "migrations/" + name) } catch let refusal as Refusal {
            problems += refusal.problems
        } catch {
            problems.append(Problem(file: "migrations/" + name, "cannot be read", detail: "\(error)"))
        }
        return nil
    }
    for name in names {
        let path = "migrations/" + name
        if name.lowercased().hasPrefix("readme") { continue }
        let (part, owner) = MigrationPart.parse(name)
        guard let parsed = Migration.parse(fileName: owner) else {
            problems.append(
                Problem(
                    file: path, "not the name of a migration",
                    hint:
                        "Name it NNNN_what_it_does.sql: four digits or more, lower-case words joined by _."
                ))
            continue
        }
        if let part {
            if !names.contains(owner) {
                problems.append(
                    Problem(
                        file: path, "there is no migrations/\(owner) to \(part.rawValue)",
                        hint: "Give it the name of its migration."))
            }
            continue
        }
        if let twin = migrations.first(where: { $0.number == parsed.number }) {
            problems.append(
                Problem(
                    file: path, "number \(parsed.number) is taken by \(twin.source.path)",
                    hint: "Give the newer of the two the next free number."))
            continue
        }
        func other(_ part: MigrationPart) -> Source? {
            let file = String(name.dropLast(4)) + ".\(part.rawValue).sql"
            return names.contains(file) ? read(file) : nil
        }
        guard let source = read(name) else { continue }
        migrations.append(
            Migration(
                number: parsed.number, name: parsed.name, source: source, verify: other(.verify),
                revert: other(.revert)))
    }
    guard problems.isEmpty else { throw Refusal(problems) }
    return migrations.sorted { $0.number < $1.number }
}

private func readObjects(_ root: String) throws -> [ObjectFile] {
    let folder = root + "/sql"
    guard fileKind(folder + "/manifest") == .file else {
        throw Refusal(
            Problem(
                file: "sql/manifest", "there is no manifest",
                hint: "It names the files of sql/ in the order they are applied, one path a line."))
    }
    let entries = try Manifest.parse(readFile(folder + "/manifest"))
    var problems: [Problem] = []
    var files: [ObjectFile] = []
    for entry in entries {
        guard fileKind(folder + "/" + entry.path) == .file else {
            problems.append(
                Problem(
                    file: "sql/manifest", line: entry.line, "there is no file sql/\(entry.path)",
                    hint: "Write the file, or take the line out."))
            continue
        }
        do {
            let source = try Source(root: root, path: "sql/" + entry.path)
            files.append(ObjectFile(role: entry.role, path: entry.path, source: source))
        } catch let refusal as Refusal {
            problems += refusal.problems
        }
    }
    let named = Set(entries.map(\.path))
    for path in try filesBelow(folder, suffix: ".sql") where !named.contains(path) {
        problems.append(
            Problem(
                file: "sql/" + path, "not named in sql/manifest",
                hint: "Add the line \"\(path)\" where its turn is, or delete the file."))
    }
    guard problems.isEmpty else { throw Refusal(problems) }
    return files
}
