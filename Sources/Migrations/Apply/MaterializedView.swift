import Postgres

/// A materialized view as a file of `sql/` makes it. It holds rows, so it is not made anew with its file but
/// only when it would hold others: then beside the old one, which answers until both change places.
struct MaterializedView: Hashable {
    /// As the file writes it: `event.mv_sessions_now`.
    let name: String
    /// SHA-256 of what makes it and its indexes: comments, grants and settings do not count.
    let definition: String
    /// Its indexes, as the file writes their names.
    let indexes: [String]

    /// Those of a file; an index without a name is a problem.
    static func all(in source: Source) throws(Refusal) -> [MaterializedView] {
        var views: [MaterializedView] = []
        for statement in source.statements {
            guard let name = createdName(statement) else { continue }
            var parts = [statement.canonical]
            var indexes: [String] = []
            for other in source.statements {
                guard let index = IndexStatement(other), isSame(index.table, name) else { continue }
                guard let indexName = index.name else {
                    throw Refusal(
                        Problem(
                            file: source.path, line: other.line,
                            "an index of a materialized view needs a name",
                            hint:
                                "By its name the new one takes the old one's place when the view is made anew."
                        ))
                }
                parts.append(other.canonical)
                indexes.append(indexName)
            }
            let definition = sha256(Array(parts.joined(separator: "\n").utf8))
            views.append(MaterializedView(name: name, definition: definition, indexes: indexes))
        }
        return views
    }

    /// Whether a statement makes the view or an index of it, or clears the way for it.
    func isMade(by statement: Statement) -> Bool {
        if let name = MaterializedView.createdName(statement) { return isSame(name, self.name) }
        if let index = IndexStatement(statement) { return isSame(index.table, name) }
        guard statement.tokens.starts(with: ["drop", "materialized", "view"]) else { return false }
        let rest = statement.tokens.dropFirst(3)
        let names = rest.starts(with: ["if", "exists"]) ? rest.dropFirst(2) : rest
        return qualifiedName(names).map { isSame($0, name) } ?? false
    }

    /// Whether a statement is about the view, and nothing else: these are said of the new one, too.
    private static func isAbout(_ statement: Statement) -> Bool {
        switch statement.verb {
        case "comment", "grant", "revoke", "analyze", "refresh", "cluster": true
        case "alter": ["materialized", "index"].contains(statement.words(2).last)
        case "create": createdName(statement) != nil || IndexStatement(statement) != nil
        default: false
        }
    }

    /// The statement with a name for the view and one for each index until the swap.
    func beside(_ statement: Statement, _ temporary: (String) -> String) -> Statement {
        guard MaterializedView.isAbout(statement) else { return statement }
        let pieces = Scanner.pieces(of: statement.text)
        let words = pieces.map { folded($0.token) }
        let isIndex = IndexStatement(statement) != nil
        // After ON come the names; before it, columns may be called the same.
        let hasOn = isIndex || ["grant", "revoke"].contains(statement.verb)
        let begin = hasOn ? (words.firstIndex(of: "on") ?? 0) : 0
        var replacements: [(Range<Int>, String)] = []
        // comment on column view.column
        let isColumn = words.starts(with: ["comment", "on", "column"])
        if let at = MaterializedView.find(name, in: pieces, words, from: begin, followed: isColumn) {
            replacements.append((pieces[at].range, temporary(name)))
        }
        for index in indexes {
            guard isIndex || words.prefix(3).contains("index"),
                let at = MaterializedView.find(index, in: pieces, words, from: 0),
                !isIndex || at < begin
            else { continue }
            replacements.append((pieces[at].range, temporary(index)))
        }
        var bytes = Array(statement.text.utf8)
        for (range, new) in replacements.sorted(by: { $0.0.lowerBound > $1.0.lowerBound }) {
            bytes.replaceSubrange(range, with: Array(new.utf8))
        }
        return Statement(
            text: String(decoding: bytes, as: UTF8.self), line: statement.line, tokens: statement.tokens)
    }

    /// The place of the last part of a name, where it is written out.
    private static func find(
        _ name: String, in pieces: [(token: String, range: Range<Int>)], _ words: [String], from begin: Int,
        followed: Bool = false
    ) -> Int? {
        for start in pieces.indices.dropFirst(begin) where start == 0 || words[start - 1] != "." {
            guard let written = qualifiedName(pieces[start...].map(\.token)[...]) else { continue }
            let parts = nameParts(written).dropLast(followed ? 1 : 0)
            guard !parts.isEmpty, isSame(parts, nameParts(name)[...]) else { continue }
            return start + 2 * (parts.count - 1)
        }
        return nil
    }

    private static func createdName(_ statement: Statement) -> String? {
        guard statement.tokens.starts(with: ["create", "materialized", "view"]) else { return nil }
        let rest = statement.tokens.dropFirst(3)
        return qualifiedName(rest.starts(with: ["if", "not", "exists"]) ? rest.dropFirst(3) : rest)
    }
}

/// `create [unique] index [if not exists] [name] on [only] table`.
private struct IndexStatement {
    let name: String?
    let table: String

    init?(_ statement: Statement) {
        var rest = statement.tokens[...]
        guard rest.popFirst() == "create" else { return nil }
        if rest.first == "unique" { rest.removeFirst() }
        guard rest.popFirst() == "index" else { return nil }
        if rest.starts(with: ["if", "not", "exists"]) { rest.removeFirst(3) }
        if rest.first == "on" {
            name = nil
        } else {
            name = rest.popFirst()
        }
        guard rest.popFirst() == "on" else { return nil }
        if rest.first == "only" { rest.removeFirst() }
        guard let table = qualifiedName(rest) else { return nil }
        self.table = table
    }
}
