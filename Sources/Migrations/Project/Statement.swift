/// One SQL statement of a file, without its semicolon and without the comments before it.
public struct Statement: Hashable, Sendable {
    public let text: String
    /// The line of the file it begins on, from 1.
    public let line: Int
    /// What it means to the server: no comments, no white space, unquoted words in lower case.
    let tokens: [String]
    var canonical: String { tokens.joined(separator: " ") }

    init(text: String, line: Int, tokens: [String]) {
        self.text = text
        self.line = line
        self.tokens = tokens
    }

    /// Its first line, cut to a width that fits a terminal.
    public var headline: String {
        let first = text.prefix { !$0.isNewline }
        return first.count > 90 ? first.prefix(89) + "…" : String(first)
    }

    /// Its first word in lower case: what kind of statement it is.
    public var verb: String { words(1).first ?? "" }

    /// Up to `count` leading words in lower case; stops at the first thing that is no word.
    public func words(_ count: Int) -> [String] {
        text.split(maxSplits: count, whereSeparator: \.isWhitespace).prefix(count)
            .map { $0.prefix { $0.isLetter || $0 == "_" }.lowercased() }
    }

    /// Whether it would begin or end a transaction, which belongs to whoever runs the file. Savepoints are
    /// fine.
    public var controlsTransaction: Bool {
        switch verb {
        case "begin", "commit", "end", "abort":
            true
        case "start":
            words(2).last == "transaction"
        case "prepare":
            words(2).last == "transaction"
        case "rollback":
            !words(3).contains("to")
        default:
            false
        }
    }

    /// The line of the file for a character position in the statement, as the server counts it: from 1, in
    /// code points.
    public func line(at position: Int?) -> Int {
        guard let position, position > 0 else { return line }
        return line + text.unicodeScalars.prefix(position - 1).count { $0 == "\n" }
    }
}

/// Why a text cannot be split: something opened on `line` is never closed.
public struct ScanError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public let line: Int
    public var description: String { "line \(line): \(message)" }
}

/// Splits SQL text into statements the way the server's own lexer would, needing no server.
///
/// A semicolon ends a statement unless it stands in a string (`'…'`, `E'…'`, `$tag$…$tag$`), a quoted name, a
/// comment (nested), parentheses, or a `begin atomic … end` body.
struct Scanner {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1

    // The statement under way.
    private var start: (index: Int, line: Int)?
    private var openParentheses: [Int] = []
    private var openBlocks: [Int] = []
    private var previousWord = ""
    private var canonical = CanonicalText()
    /// Where each token of the text lies, in bytes.
    private var pieces: [Range<Int>] = []

    private init(_ text: String) { bytes = Array(text.utf8) }

    static func statements(in text: String) throws(ScanError) -> [Statement] {
        var scanner = Scanner(text)
        return try scanner.run()
    }

    /// The tokens of a text and where they lie in its UTF-8; what cannot be split has none.
    static func pieces(of text: String) -> [(token: String, range: Range<Int>)] {
        var scanner = Scanner(text)
        guard (try? scanner.run()) != nil else { return [] }
        return scanner.pieces.map { range in
            (String(decoding: scanner.bytes[range], as: UTF8.self), range)
        }
    }

    private mutating func run() throws(ScanError) -> [Statement] {
        var statements: [Statement] = []
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        while let byte = peek() {
            switch byte {
            case _ where isSpace(byte):
                advance()
            case UInt8(ascii: "-") where peek(1) == UInt8(ascii: "-"):
                skipLineComment()
            case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
                try skipComment()
            case UInt8(ascii: ";") where openParentheses.isEmpty && openBlocks.isEmpty:
                finish(&statements)
                advance()
            case 0:
                throw ScanError(message: "NUL character", line: line)
            default:
                if start == nil { start = (index, line) }
                let begin = index
                try skipToken(byte)
                canonical.append(bytes[begin..<index])
                pieces.append(begin..<index)
            }
        }
        if let opened = openParentheses.first {
            throw ScanError(message: "parenthesis is never closed", line: opened)
        }
        if let opened = openBlocks.first {
            throw ScanError(message: "begin atomic has no end", line: opened)
        }
        finish(&statements)
        return statements
    }

    /// Ends the statement under way, if there is one, just before the current byte.
    private mutating func finish(_ statements: inout [Statement]) {
        if let start {
            var end = index
            while isSpace(bytes[end - 1]) { end -= 1 }
            statements.append(
                Statement(
                    text: String(decoding: bytes[start.index..<end], as: UTF8.self), line: start.line,
                    tokens: canonical.tokens))
        }
        start = nil
        previousWord = ""
        canonical = CanonicalText()
    }

    private mutating func skipToken(_ byte: UInt8) throws(ScanError) {
        switch byte {
        case UInt8(ascii: "'"):
            try skipQuoted(by: byte, backslashEscapes: false, "string")
        case UInt8(ascii: "\""):
            try skipQuoted(by: byte, backslashEscapes: false, "quoted name")
            previousWord = "\""
        case UInt8(ascii: "$"):
            try skipDollar()
        case UInt8(ascii: "("):
            openParentheses.append(line)
            advance()
        case UInt8(ascii: ")"):
            // One too many is the server's to complain about.
            _ = openParentheses.popLast()
            advance()
        case _ where isWordStart(byte):
            try skipWord()
        case _ where isDigit(byte):
            // A number takes its letters along, so that the e of 1e5 is no prefix of a string.
            while let next = peek(), isWordPart(next) { advance() }
        default:
            previousWord = byte == UInt8(ascii: ".") ? "." : ""
            advance()
        }
    }

    private mutating func skipWord() throws(ScanError) {
        let begin = index
        let wordLine = line
        while let next = peek(), isWordPart(next) { advance() }
        let word = String(decoding: bytes[begin..<index], as: UTF8.self).lowercased()
        if word == "e", peek() == UInt8(ascii: "'") {
            try skipQuoted(by: UInt8(ascii: "'"), backslashEscapes: true, "string")
            // 'b' on the next line is more of the same string, in which a backslash still counts.
            while let next = continuation() {
                while index < next { advance() }
                try skipQuoted(by: UInt8(ascii: "'"), backslashEscapes: true, "string")
            }
            previousWord = ""
            return
        }
        // After a dot or AS even a reserved word is only a name: t.end, select 1 as end.
        let isName = previousWord == "." || previousWord == "as"
        switch word {
        case "atomic" where previousWord == "begin" && openBlocks.isEmpty:
            openBlocks.append(wordLine)
        case "case" where !openBlocks.isEmpty && !isName:
            openBlocks.append(wordLine)
        case "end" where !openBlocks.isEmpty && !isName:
            openBlocks.removeLast()
        default:
            break
        }
        previousWord = word
    }

    /// '…' or "…": a doubled quote stays inside, and so does what follows a backslash when those count.
    private mutating func skipQuoted(
        by quote: UInt8, backslashEscapes: Bool, _ what: String
    ) throws(ScanError) {
        let opened = line
        advance()
        while let byte = peek() {
            advance()
            if byte == quote {
                guard peek() == quote else { return }
                advance()
            } else if backslashEscapes, byte == UInt8(ascii: "\\"), peek() != nil {
                advance()
            }
        }
        throw ScanError(message: "\(what) is never closed", line: opened)
    }

    /// Where the string that has just ended goes on: behind white space with an end of a line in it, and comments.
    private func continuation() -> Int? {
        var scanner = self
        while let byte = scanner.peek() {
            switch byte {
            case UInt8(ascii: "'"):
                return bytes[index..<scanner.index].contains(where: endsLine) ? scanner.index : nil
            case UInt8(ascii: "-") where scanner.peek(1) == UInt8(ascii: "-"):
                scanner.skipLineComment()
            case _ where isSpace(byte):
                scanner.advance()
            default:
                return nil
            }
        }
        return nil
    }

    /// `$tag$ … $tag$`, or a lone `$` as in the parameter `$1`.
    private mutating func skipDollar() throws(ScanError) {
        let opened = line
        let begin = index
        advance()
        if let first = peek(), isWordStart(first) {
            while let next = peek(), isWordPart(next), next != UInt8(ascii: "$") { advance() }
        }
        guard peek() == UInt8(ascii: "$") else { return }
        advance()
        let tag = bytes[begin..<index]
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "$"), bytes[index...].starts(with: tag) {
                index += tag.count
                return
            }
            advance()
        }
        throw ScanError(message: "\(String(decoding: tag, as: UTF8.self)) is never closed", line: opened)
    }

    /// Up to the end of the line, which a carriage return is to the server, too.
    private mutating func skipLineComment() {
        while let next = peek(), !endsLine(next) { advance() }
    }

    private mutating func skipComment() throws(ScanError) {
        let opened = line
        var depth = 0
        repeat {
            switch (peek(), peek(1)) {
            case (nil, _):
                throw ScanError(message: "comment is never closed", line: opened)
            case (UInt8(ascii: "/"), UInt8(ascii: "*")):
                depth += 1
                advance()
            case (UInt8(ascii: "*"), UInt8(ascii: "/")):
                depth -= 1
                advance()
            default:
                break
            }
            advance()
        } while depth > 0
    }

    private func peek(_ ahead: Int = 0) -> UInt8? {
        index + ahead < bytes.count ? bytes[index + ahead] : nil
    }

    private mutating func advance() {
        if bytes[index] == UInt8(ascii: "\n") { line += 1 }
        index += 1
    }
}

private func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (0x09...0x0D).contains(byte) }

private func endsLine(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// Letters, underscore, and every byte of a non-ASCII character, as in the server's lexer.
func isWordStart(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "_") || byte >= 0x80
}

/// The same, and digits and $.
package func isWordPart(_ byte: UInt8) -> Bool {
    isWordStart(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
}
