import CPgQuery

/// A node of PostgreSQL's own parse tree. Fields are named as in the server's `parsenodes.h`, so that a
/// rule reads like a sentence about them: `index.relation.relname.text`, `index.concurrent.isTrue`.
///
/// The one door to libpg_query: every call to it is in this file.
@dynamicMemberLookup
struct SyntaxTree: Hashable, Sendable {
    /// `AlterTableStmt`; empty where the place in the tree says what it is.
    let kind: String
    private let json: JSON

    fileprivate init(_ json: JSON) {
        // A node of any kind is an object with one field, the kind.
        if case .object(let fields) = json, fields.count == 1,
            let only = fields.first, only.name.first?.isUppercase == true || only.name.hasPrefix("PLpgSQL")
        {
            kind = only.name
            // A list within a list, such as the names of DROP, is its elements.
            self.json = only.name == "List" ? only.value["items"] : only.value
        } else {
            kind = ""
            self.json = json
        }
    }

    subscript(dynamicMember field: String) -> SyntaxTree { self[field] }
    /// A field whose name is taken by a property above or below.
    subscript(field: String) -> SyntaxTree { SyntaxTree(json[field]) }

    var exists: Bool { json != .null }

    /// A string, or a node that is nothing but one.
    var text: String? {
        switch json {
        case .string(let text): text
        case .object where kind == "String": self["sval"].text
        default: nil
        }
    }

    var number: Int? { if case .number(let number) = json { number } else { nil } }
    /// The library leaves out what is false.
    var isTrue: Bool { json == .bool(true) }

    var nodes: [SyntaxTree] {
        guard case .array(let elements) = json else { return [] }
        return elements.map { SyntaxTree($0) }
    }

    /// The strings of a list of them: a qualified name.
    var words: [String] { nodes.compactMap(\.text) }

    /// This node and all below it, but nothing below those for which `isClosed` says so.
    func walk(closed isClosed: (SyntaxTree) -> Bool = { _ in false }, _ visit: (SyntaxTree) -> Void) {
        if !kind.isEmpty { visit(self) }
        if isClosed(self) { return }
        switch json {
        case .object(let fields):
            for field in fields { SyntaxTree(field.value).walk(closed: isClosed, visit) }
        case .array: for node in nodes { node.walk(closed: isClosed, visit) }
        default: break
        }
    }

    /// Every node of a kind, itself included.
    func all(_ wanted: String) -> [SyntaxTree] {
        var found: [SyntaxTree] = []
        walk { if $0.kind == wanted { found.append($0) } }
        return found
    }
}

/// Why PostgreSQL's parser does not accept a text.
struct SyntaxError: Error, Hashable {
    let message: String
    /// In code points from 1, as the server counts; nil where it does not say.
    let position: Int?
}

extension SyntaxTree {
    /// The statements of a text (`pg_query_parse`).
    static func parse(_ sql: String) throws(SyntaxError) -> [SyntaxTree] {
        let result = pg_query_parse(sql)
        defer { pg_query_free_parse_result(result) }
        if let error = result.error { throw SyntaxError(error) }
        guard let tree = JSON(String(cString: result.parse_tree)) else {
            throw SyntaxError(message: "the parse tree cannot be read", position: nil)
        }
        return SyntaxTree(tree).stmts.nodes.map(\.stmt)
    }

    /// The body of a `create function` or `do` in PL/pgSQL (`pg_query_parse_plpgsql`). Line numbers count
    /// from the line the body's quote stands on.
    ///
    /// The library's compiler knows no types of ours: an assignment to a field of a row, and a bare `return
    /// next`, are refused, so they are put in words it understands, which changes no line.
    static func parseBody(_ sql: String) throws(SyntaxError) -> SyntaxTree {
        var text = sql
        var known: Set<String> = []
        while true {
            do throws(SyntaxError) {
                return try parseBodyOnce(text)
            } catch {
                guard known.insert(error.message).inserted else { throw error }
                let parts = error.message.split(separator: "\"", omittingEmptySubsequences: false)
                if error.message.hasSuffix("is not a known variable"), parts.count == 3,
                    let row = parts[1].split(separator: ".").first, row.count < parts[1].count
                {
                    text = replacing(fieldsOf: row, in: text)
                } else if error.message.hasPrefix("missing expression") {
                    text = text.replacing(/(?i)\breturn\s+next\s*;/) { match in
                        match.output.dropLast() + " null;"
                    }
                } else {
                    throw error
                }
            }
        }
    }

    private static func replacing(fieldsOf row: Substring, in text: String) -> String {
        text.replacing(/([A-Za-z_]\w*)\.[A-Za-z_]\w*/) { match in
            match.1.lowercased() == row.lowercased() ? match.1 : match.0
        }
    }

    private static func parseBodyOnce(_ sql: String) throws(SyntaxError) -> SyntaxTree {
        let result = pg_query_parse_plpgsql(sql)
        defer { pg_query_free_plpgsql_parse_result(result) }
        if let error = result.error { throw SyntaxError(error) }
        guard let tree = JSON(String(cString: result.plpgsql_funcs)) else {
            throw SyntaxError(message: "the parse tree cannot be read", position: nil)
        }
        return SyntaxTree(tree)
    }

    /// The major version whose grammar this is.
    static var grammarVersion: String { PG_MAJORVERSION }
}

extension SyntaxError {
    fileprivate init(_ error: UnsafeMutablePointer<PgQueryError>) {
        message = String(cString: error.pointee.message)
        position = error.pointee.cursorpos > 0 ? Int(error.pointee.cursorpos) : nil
    }
}

extension SyntaxTree {
    /// The text of a string constant, or of a number written as one.
    var constant: String? {
        kind == "A_Const" ? (self["sval"]["sval"].text ?? self["fval"]["fval"].text) : nil
    }
}

extension Scanner {
    /// The words of an SQL text in lower case, those in strings and comments left out, those in function
    /// bodies not.
    static func words(in text: String) -> Set<String> {
        guard let statements = try? statements(in: text) else { return [] }
        var words: Set<String> = []
        for token in statements.flatMap(\.tokens) {
            if token.hasPrefix("$"), let tagEnd = token.dropFirst().firstIndex(of: "$") {
                let tag = token[...tagEnd].count
                words.formUnion(self.words(in: String(token.dropFirst(tag).dropLast(tag))))
            } else if let first = token.utf8.first, isWordStart(first), token.last != "'" {
                words.insert(token)
            } else if token.hasPrefix("\"") {
                words.insert(String(token.dropFirst().dropLast()))
            }
        }
        return words
    }
}
