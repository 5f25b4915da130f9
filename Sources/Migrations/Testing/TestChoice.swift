/// Which test files a change touches, by the names in their texts. It errs on the side of running too many:
/// a test is touched by a changed file when it mentions what that file makes or alters, or mentions something
/// whose definition does, and so on.
///
/// What it cannot see is a name put together from pieces.
public struct TestChoice {
    /// A changed file, and its text before, where there was one and it is known.
    public struct Change: Hashable, Sendable {
        /// Relative to the project's root.
        public let path: String
        public let before: String?

        public init(path: String, before: String? = nil) {
            self.path = path
            self.before = before
        }
    }

    /// A test file, and the changed file that is the reason.
    public struct Chosen: Hashable, Sendable {
        public let name: String
        public let reason: String
    }

    private let root: String
    /// What each file of `sql/` makes or alters.
    private let altered: [String: Set<Name>]
    /// From an object to those its definition mentions.
    private var edges: [Name: Set<Name>] = [:]
    /// What the set-up of every test database leads to when it runs.
    private var everywhere: Set<Name> = []
    private var tests: [(name: String, text: String, reached: Set<Name>)] = []

    public init(root: String) throws {
        self.root = root
        func read(_ folder: String) throws -> [(path: String, statements: [Statement])] {
            try filesBelow(root + "/" + folder, suffix: ".sql").map { name in
                let path = folder + "/" + name
                return (path, statements(String(decoding: try readFile(root + "/" + path), as: UTF8.self)))
            }
        }
        let objects = try read("sql")
        let setup = try read("Tests/sql/_setup")
        let all = try read("migrations") + objects + setup
        let universe = Universe(all.flatMap { $0.statements.compactMap(Made.init) })
        // What is set for all sessions; what a function sets for itself is in its own statement.
        let path = Set(
            all.flatMap(\.statements).filter { Made($0) == nil }.flatMap { universe.searchPath($0) })
        altered = Dictionary(
            uniqueKeysWithValues: objects.map { ($0.path, alters($0.statements, universe, path)) })
        for statement in all.flatMap(\.statements) {
            let mentions = universe.mentions(in: [statement], path: path)
            if let made = Made(statement) {
                edges[made.name, default: []].formUnion(mentions)
            } else if !["comment", "grant", "revoke"].contains(statement.verb) {
                // A trigger, a policy, a call that makes them: whoever uses the table meets the functions.
                let functions = mentions.filter(universe.isFunction)
                // The functions do not meet each other by it.
                for name in mentions.subtracting(functions) { edges[name, default: []].formUnion(functions) }
            }
        }
        everywhere = reach(
            Set(
                universe.mentions(
                    in: setup.flatMap(\.statements).filter { Made($0) == nil }, path: path)))
        for name in try TestRunner.files(of: root) {
            let text = String(decoding: try readFile(root + "/Tests/sql/" + name), as: UTF8.self)
            let named = universe.mentions(in: statements(text), path: path)
            tests.append((name, text, reach(named).union(everywhere)))
        }
    }

    /// The test files that changes touch, in their order.
    public func touched(by changes: [Change]) throws -> [Chosen] {
        if let change = changes.first(where: touchesAll) {
            return tests.map { Chosen(name: $0.name, reason: change.path) }
        }
        let objects = changes.filter { $0.path.hasPrefix("sql/") && $0.path.hasSuffix(".sql") }
        let now = objects.map { ($0.path, altered[$0.path] ?? []) }
        // What a file made before and does not now is in no file any more.
        let before = objects.map { change in
            let old = statements(change.before ?? "")
            let universe = Universe(old.compactMap(Made.init))
            return (change.path, alters(old, universe, []), universe)
        }
        return tests.compactMap { test in
            let path = "Tests/sql/" + test.name
            if changes.contains(where: { $0.path == path }) { return Chosen(name: test.name, reason: path) }
            if let file = changes.first(where: { isRead($0.path, by: test.text) }) {
                return Chosen(name: test.name, reason: file.path)
            }
            guard let first = objects.first else { return nil }
            if readsCatalogue(test.text) { return Chosen(name: test.name, reason: first.path) }
            if let file = now.first(where: { !$0.1.isDisjoint(with: test.reached) }) {
                return Chosen(name: test.name, reason: file.0)
            }
            let file = before.first {
                !$0.1.isDisjoint(with: test.reached) || !$0.2.mentions(in: statements(test.text)).isEmpty
            }
            return file.map { Chosen(name: test.name, reason: $0.0) }
        }
    }

    /// Whether plpgsql_check has anything new to look at.
    public static func touchesFunctions(_ changes: [Change]) -> Bool {
        changes.contains {
            $0.path.hasPrefix("sql/") || $0.path.hasPrefix("migrations/")
                || $0.path.hasPrefix("Tests/sql/_setup/")
        }
    }

    /// A migration may change anything, and so may what every test database is made with, and a file that
    /// is gone.
    private func touchesAll(_ change: Change) -> Bool {
        let path = change.path
        if path.hasPrefix("migrations/") || path.hasPrefix("Tests/sql/_setup/")
            || path.hasPrefix("extensions/")
            || path == "sql/manifest"
        {
            return true
        }
        // A file that is gone, or that makes nothing and so is for all the others.
        return path.hasPrefix("sql/") && altered[path]?.isEmpty != false
    }

    /// Whether a test reads a file that is no SQL of ours: names it, or the folder it lies in.
    private func isRead(_ path: String, by text: String) -> Bool {
        guard !path.hasPrefix("sql/"), !path.hasPrefix("Tests/sql/") else { return false }
        let parts = path.split(separator: "/")
        guard let name = parts.last else { return false }
        let folder = parts.dropLast().joined(separator: "/") + "/"
        return contains(text, String(name)) || parts.count > 1 && contains(text, folder)
    }

    /// Whether a test looks at objects by what the catalogue says of them, without naming them.
    private func readsCatalogue(_ text: String) -> Bool {
        let tables = [
            "pg_proc", "pg_class", "pg_namespace", "pg_attribute", "pg_constraint", "pg_index", "pg_trigger",
            "pg_policy", "pg_policies", "pg_type", "pg_description", "pg_depend", "pg_views", "pg_matviews",
            "information_schema", "aclexplode", "obj_description",
        ]
        let found = words(in: text)
        return tables.contains { table in found.contains { $0.name == table || $0.schema == table } }
    }

    /// All that some names lead to.
    private func reach(_ start: Set<Name>) -> Set<Name> {
        var reached = start
        var rest = Array(start)
        while let name = rest.popLast() {
            for next in edges[name] ?? [] where reached.insert(next).inserted { rest.append(next) }
        }
        return reached
    }
}

/// An object by its name; nil schema when the text does not say it.
private struct Name: Hashable {
    let schema: String?
    let name: String
}

/// What a `create` statement makes.
private struct Made {
    let name: Name
    let isFunction: Bool

    /// Nil for other statements, and for what is part of another object.
    init?(_ statement: Statement) {
        let kinds: Set = [
            "function", "procedure", "view", "table", "type", "domain", "sequence", "aggregate",
        ]
        let tokens = statement.tokens
        guard tokens.first == "create", let kind = tokens.prefix(6).firstIndex(where: kinds.contains) else {
            return nil
        }
        var rest = tokens[(kind + 1)...]
        if rest.starts(with: ["if", "not", "exists"]) { rest = rest.dropFirst(3) }
        guard let first = rest.popFirst().map(lowercasedName) else { return nil }
        if rest.popFirst() == ".", let second = rest.popFirst() {
            name = Name(schema: first, name: lowercasedName(second))
        } else {
            name = Name(schema: nil, name: first)
        }
        isFunction = ["function", "procedure", "aggregate"].contains(tokens[kind])
    }
}

/// What the statements of a file make or alter.
private func alters(_ statements: [Statement], _ universe: Universe, _ path: Set<String>) -> Set<Name> {
    Set(statements.flatMap { Made($0).map { [$0.name] } ?? universe.mentions(in: [$0], path: path) })
}

/// All objects there are.
private struct Universe {
    private var byName: [String: Set<Name>] = [:]
    private var schemas: Set<String> = []
    private var functions: Set<Name> = []

    init(_ made: [Made]) {
        for each in made {
            byName[each.name.name, default: []].insert(each.name)
            if let schema = each.name.schema { schemas.insert(schema) }
            if each.isFunction { functions.insert(each.name) }
        }
    }

    func isFunction(_ name: Name) -> Bool { functions.contains(name) }

    /// The objects that the statements of a text may mean, be it in a string.
    ///
    /// `a.b` means b of schema a. A lone `b` means one that some search path leads to, or any when the
    /// statement puts SQL together, or when it is a string of its own.
    func mentions(in statements: [Statement], path: Set<String> = []) -> Set<Name> {
        let path = path.union(statements.flatMap { searchPath($0) })
        return Set(statements.flatMap { mentions(in: words(in: $0.text), path) })
    }

    /// The schemas a statement names together with the search path.
    func searchPath(_ statement: Statement) -> Set<String> {
        let words = words(in: statement.text).map(\.name)
        return words.contains("search_path") ? schemas.intersection(words) : []
    }

    private func mentions(in words: Set<Word>, _ path: Set<String>) -> Set<Name> {
        let isOpen = words.contains { $0.name == "execute" || $0.name == "format" }
        var found: Set<Name> = []
        for word in words {
            for name in byName[word.name] ?? [] {
                guard let schema = name.schema, schema != "public" else {
                    found.insert(name)
                    continue
                }
                let isMeant =
                    if let said = word.schema, schemas.contains(said) {
                        said == schema
                    } else {
                        isOpen || word.isQuoted || path.contains(schema)
                    }
                if isMeant { found.insert(name) }
            }
        }
        return found
    }
}

/// A word in lower case, the word before its dot, and whether it is all there is between quotes.
private struct Word: Hashable {
    let schema: String?
    let name: String
    let isQuoted: Bool
}

private func words(in text: String) -> Set<Word> {
    let quote = UInt8(ascii: "'")
    let bytes = Array(text.utf8)
    var found: Set<Word> = []
    var word: [UInt8] = []
    var last: String?
    var schema: String?
    for (index, byte) in (bytes + [UInt8(ascii: " ")]).enumerated() {
        if isWordStart(byte) || !word.isEmpty && (byte == UInt8(ascii: "$") || isDigit(byte)) {
            word.append((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte)
            continue
        }
        if !word.isEmpty {
            let start = index - word.count
            let isQuoted = byte == quote && start > 0 && bytes[start - 1] == quote
            let name = String(decoding: word, as: UTF8.self)
            found.insert(Word(schema: schema, name: name, isQuoted: isQuoted))
            last = name
            word = []
            schema = nil
        }
        if byte == UInt8(ascii: ".") {
            schema = last
        } else if byte != UInt8(ascii: "\"") {
            schema = nil
            last = nil
        }
    }
    return found
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// The statements of a text; one that cannot be split is one statement that is no `create`.
private func statements(_ text: String) -> [Statement] {
    (try? Scanner.statements(in: text)) ?? [Statement(text: text, line: 1, tokens: [])]
}

private func contains(_ text: String, _ part: String) -> Bool {
    let (text, part) = (Array(text.utf8), Array(part.utf8))
    return text.indices.contains { text[$0...].starts(with: part) }
}

/// A name as it is looked for in texts, whatever its case there.
private func lowercasedName(_ token: String) -> String { unquoted(token).lowercased() }
