import CPgQuery

@testable import Migrations

/// Our own splitting of SQL: where PostgreSQL's parser understands a text, both see the same statements; and
/// for any text, each statement is one by itself, stands where it says and means the same in canonical form.
func check(_ input: Input) {
    let text = input.text
    let lines = editorLines(text)
    let statements: [Statement]
    do {
        statements = try Scanner.statements(in: text)
    } catch {
        require(lines.indices.contains(error.line - 1), "there is a line \(error.line)")
        require(parsed(text).map { $0.isEmpty } ?? true, "\(error) is no reason to refuse what PostgreSQL takes")
        return
    }

    var line = 1
    for statement in statements {
        require(statement.line >= line && statement.line <= lines.count, "line \(statement.line) comes after \(line)")
        line = statement.line
        let first = editorLines(statement.text)[0]
        require(lines[line - 1].holds(first), "line \(line) holds \(first.debugDescription)")
        require(statement.headline.count <= 90, "a headline fits")
        require(statement.line(at: .max) < line + lines.count, "its last line exists")

        let alone = try? Scanner.statements(in: statement.text)
        require(alone?.count == 1, "\(statement.text.debugDescription) is one statement by itself")
        require(alone?.first?.tokens == statement.tokens, "\(statement.text.debugDescription) has the same tokens by itself")
        checkCanonical(statement)
    }
    compare(statements, text)
}

private func checkCanonical(_ statement: Statement) {
    // The body of a DO is in $$, whatever its tag was, and may have $$ in it.
    guard statement.verb != "do" else { return }
    let canonical = statement.canonical
    let again = try? Scanner.statements(in: canonical)
    require(
        again?.count == 1 && again?.first?.canonical.isIdentical(to: canonical) == true,
        "\(canonical.debugDescription) is in canonical form already")
}

/// A body of BEGIN ATOMIC is told by its words alone, which `end` as a name may confuse: left out here.
private func compare(_ statements: [Statement], _ text: String) {
    guard !text.lowercased().contains("atomic"), let theirs = parsed(text) else { return }
    require(
        theirs.count == statements.count,
        "PostgreSQL sees \(theirs.debugDescription), we see \(statements.map(\.text).debugDescription)")
    for (mine, their) in zip(statements, theirs) {
        require(their.holds(mine.text) || mine.text.holds(their), "\(mine.text.debugDescription) is \(their.debugDescription)")
    }
}

/// The statements as PostgreSQL's own parser sees them; nil when it refuses the text.
private func parsed(_ text: String) -> [String]? {
    // A zero would end the text, and a byte order mark is psql's to take off.
    guard !text.utf8.contains(0), text.unicodeScalars.first != "\u{FEFF}" else { return nil }
    let result = pg_query_split_with_parser(text)
    defer { pg_query_free_split_result(result) }
    guard result.error == nil else { return nil }
    let bytes = Array(text.utf8)
    return (0..<Int(result.n_stmts)).compactMap { index in
        guard let statement = result.stmts[index]?.pointee else { return nil }
        let start = Int(statement.stmt_location)
        return String(decoding: bytes[start..<(start + Int(statement.stmt_len))], as: UTF8.self)
    }
}
