// Text of models, documents and databases, made fit for a terminal.

extension String {
    /// With a picture in the place of every control character but newline and tab, so that nothing a model or
    /// a document says moves the cursor, changes the title or rings: `␛[2J`.
    var printable: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        var result = String.UnicodeScalarView()
        var before: Unicode.Scalar?
        for scalar in unicodeScalars {
            // A line's end as other systems write it is one.
            if before == "\r", scalar == "\n" { result.removeLast() }
            result.append(scalar.isControl ? scalar.picture : scalar)
            before = scalar
        }
        return String(result)
    }

    /// A JSON document that says the same without a control character that a terminal would obey.
    var printableJSON: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        return unicodeScalars.map { scalar in
            guard scalar.isControl else { return String(scalar) }
            let digits = String(scalar.value, radix: 16)
            return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }.joined()
    }

    /// In one line: every run of white space a blank.
    var inOneLine: String { split(whereSeparator: \.isWhitespace).joined(separator: " ") }

    /// How many columns a terminal needs for it, at most: those that draw a family as one picture need fewer.
    var columns: Int { unicodeScalars.reduce(0) { $0 + $1.columns } }

    /// The rows it takes where there is room for so many columns. A character is never cut.
    func rows(of width: Int) -> [String] {
        var rows: [String] = []
        for line in split(separator: "\n", omittingEmptySubsequences: false) {
            var row = ""
            var used = 0
            for character in line {
                let character = character == "\t" ? "    " : String(character)
                let needed = character.columns
                if used > 0, used + needed > width {
                    rows.append(row)
                    (row, used) = ("", 0)
                }
                row += character
                used += needed
            }
            rows.append(row)
        }
        return rows
    }
}

extension Unicode.Scalar {
    /// C0 but newline and tab, DEL, and C1, which many terminals obey as they do ESC.
    fileprivate var isControl: Bool {
        switch value {
        case 0x09, 0x0A: false
        case ..<0x20, 0x7F..<0xA0: true
        default: false
        }
    }

    /// What is shown instead: Unicode has pictures for all but C1.
    fileprivate var picture: Unicode.Scalar {
        switch value {
        case ..<0x20: Unicode.Scalar(0x2400 + value) ?? "\u{FFFD}"
        case 0x7F: "\u{2421}"
        default: "\u{FFFD}"
        }
    }

    /// None for marks on the character before, two for East Asian wide ones and pictures, else one.
    fileprivate var columns: Int {
        // With this one after it, some terminals draw a narrow sign as a wide picture.
        if value == 0xFE0F { return 1 }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return properties.isEmojiPresentation || isWide ? 2 : 1
        }
    }

    /// Unicode's East Asian Width, wide and fullwidth, in whole blocks.
    private var isWide: Bool {
        switch value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
            0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
            0x16FE0...0x18DFF,
            0x1AFF0...0x1B2FF, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
