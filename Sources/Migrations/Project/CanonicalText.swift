/// A statement as the server understands it, so that two texts are the same exactly when they say the same:
/// tokens with one space between them, unquoted words in lower case.
///
/// White space means something only next to operators (`< -1` is not `<-1`) and after the letter of a string
/// (`x'1f'` is not `x '1f'`): there, what was joined stays joined. Strings and function bodies are kept as
/// they are, for the server keeps them so; the body of a `do` runs once and is made canonical itself.
struct CanonicalText {
    private(set) var tokens: [String] = []

    private var end = -1
    private var last: ArraySlice<UInt8> = []
    private var isDo = false

    /// Adds the next token of the statement.
    mutating func append(_ token: ArraySlice<UInt8>) {
        let isFirst = tokens.isEmpty
        var written = String(decoding: token, as: UTF8.self)
        if let first = token.first, isWordStart(first), !endsInQuote(token) {
            written = asciiLowercased(written)
        }
        if isFirst { isDo = written == "do" }
        if isDo, let body = canonicalBody(written) { written = body }
        if staysJoined(token) { tokens[tokens.count - 1] += written } else { tokens.append(written) }
        end = token.endIndex
        last = token
    }

    private func staysJoined(_ token: ArraySlice<UInt8>) -> Bool {
        guard token.startIndex == end, let first = token.first, let before = last.last else { return false }
        if isOperator(first) { return isOperator(before) || isLetter(last, of: "uU") }
        // x'1f', b'01', n'…' and U&'…', U&"…".
        guard first == UInt8(ascii: "'") || first == UInt8(ascii: "\"") else { return false }
        return isLetter(last, of: "xXbBnN") || before == UInt8(ascii: "&")
    }

    private func isLetter(_ token: ArraySlice<UInt8>, of letters: String) -> Bool {
        token.count == 1 && token.allSatisfy { letters.utf8.contains($0) }
    }

    private func endsInQuote(_ token: ArraySlice<UInt8>) -> Bool {
        token.last == UInt8(ascii: "'") || token.last == UInt8(ascii: "\"")
    }

    /// `$tag$ … $tag$` with its inside made canonical; nil for anything else, and for what is no SQL.
    private func canonicalBody(_ token: String) -> String? {
        guard token.hasPrefix("$"), token.hasSuffix("$"),
            let tagEnd = token.dropFirst().firstIndex(of: "$")
        else { return nil }
        let tag = token[...tagEnd]
        guard token.utf8.count >= 2 * tag.utf8.count,
            let statements = try? Scanner.statements(
                in: String(token.dropFirst(tag.count).dropLast(tag.count)))
        else { return nil }
        return "$$" + statements.map(\.canonical).joined(separator: " ; ") + "$$"
    }
}

/// The characters an operator may have (PostgreSQL, section 4.1.3), and the colon of `::` and `:=`.
private func isOperator(_ byte: UInt8) -> Bool {
    "+-*/<>=~!@#%^&|`?:".utf8.contains(byte)
}

/// Folds as the server folds names of one-byte letters: nothing but A to Z.
func asciiLowercased(_ text: String) -> String {
    String(
        decoding: text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 },
        as: UTF8.self)
}
