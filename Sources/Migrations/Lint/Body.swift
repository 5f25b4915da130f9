/// The body of a function or `do` block in PL/pgSQL, with the lines of the file its parts stand on.
struct Body: Sendable {
    let tree: SyntaxTree
    /// The line of the file its quote opens on.
    private let line: Int

    /// Reads the body of a statement; nil when it has none in PL/pgSQL.
    init?(_ statement: Statement, _ tree: SyntaxTree) throws(SyntaxError) {
        let options = tree.kind == "DoStmt" ? tree.args.nodes : tree.options.nodes
        guard ["DoStmt", "CreateFunctionStmt"].contains(tree.kind),
            let source = options.first(where: { $0.defname.text == "as" })?.arg
        else { return nil }
        let language = options.first { $0.defname.text == "language" }?.arg.text
        guard (language ?? (tree.kind == "DoStmt" ? "plpgsql" : "")) == "plpgsql",
            let text = source.text ?? source.words.first
        else { return nil }
        self.tree = try SyntaxTree.parseBody(statement.text)
        let before =
            linesBefore(text, in: statement.text)
            ?? linesBefore(text.replacing("'", with: "''"), in: statement.text)
        line = statement.line + (before ?? 0)
    }

    /// The line of the file for a node that has one of its own.
    func line(of node: SyntaxTree) -> Int { line + max(0, (node.lineno.number ?? 1) - 1) }

    /// The SQL statements it runs, those it builds from constant strings included.
    var statements: [(tree: SyntaxTree, line: Int)] {
        var found: [(tree: SyntaxTree, line: Int)] = []
        for statement in tree.all("PLpgSQL_stmt_execsql") {
            guard let sql = statement.sqlstmt.query.text, let trees = try? SyntaxTree.parse(sql) else {
                continue
            }
            found += trees.map { ($0, line(of: statement)) }
        }
        for statement in tree.all("PLpgSQL_stmt_dynexecute") {
            guard let sql = statement["query"]["query"].text.flatMap(constantText),
                let trees = try? SyntaxTree.parse(sql)
            else { continue }
            found += trees.map { ($0, line(of: statement)) }
        }
        return found
    }
}

/// The value of an expression that is nothing but a string.
private func constantText(_ expression: String) -> String? {
    guard let query = try? SyntaxTree.parse("select " + expression).first else { return nil }
    return query.targetList.nodes.first?.val.constant
}

/// How many lines a text has before the place where a part of it begins; nil when it is not there word
/// for word.
private func linesBefore(_ part: String, in text: String) -> Int? {
    let bytes = Array(text.utf8)
    let wanted = Array(part.utf8)
    guard let first = wanted.first, wanted.count <= bytes.count else { return nil }
    var lines = 0
    for start in 0...(bytes.count - wanted.count) {
        if bytes[start] == first, bytes[start...].starts(with: wanted) { return lines }
        if bytes[start] == UInt8(ascii: "\n") { lines += 1 }
    }
    return nil
}
