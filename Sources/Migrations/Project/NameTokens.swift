/// `name`, `schema.name` or `"Name"` at the front of some tokens; nil when there is none.
func qualifiedName(_ tokens: ArraySlice<String>) -> String? {
    guard let first = tokens.first, let start = first.utf8.first,
        isWordStart(start) || start == UInt8(ascii: "\"")
    else { return nil }
    let rest = tokens.dropFirst()
    guard rest.first == ".", let tail = qualifiedName(rest.dropFirst()) else { return first }
    return first + "." + tail
}

/// The name as the catalogue has it.
func unquoted(_ name: String) -> String {
    guard name.hasPrefix("\""), name.count > 1 else { return name }
    var result = ""
    var quotes = 0
    for character in name.dropFirst().dropLast() {
        quotes = character == "\"" ? quotes + 1 : 0
        if quotes < 2 { result.append(character) } else { quotes = 0 }
    }
    return result
}

/// The parts of a name as the catalogue has them: `a."B c"` is a and B c.
func nameParts(_ name: String) -> [String] {
    Scanner.pieces(of: name).map(\.token).filter { $0 != "." }.map(folded)
}

/// Whether two names may mean the same thing: one of them may leave its schema to the search path.
func isSame(_ one: String, _ other: String) -> Bool {
    isSame(nameParts(one)[...], nameParts(other)[...])
}

func isSame(_ one: ArraySlice<String>, _ other: ArraySlice<String>) -> Bool {
    zip(one.reversed(), other.reversed()).allSatisfy(==)
}

/// A word as the server folds it, a quoted name without its quotes.
func folded(_ token: String) -> String {
    token.hasPrefix("\"") ? unquoted(token) : asciiLowercased(token)
}
