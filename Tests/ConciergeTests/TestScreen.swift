import Glibc

/// A terminal as far as these tests need one: it breaks lines as xterm does, scrolls, and obeys CR, LF,
/// cursor up, erase below and the look of letters. Everything else it is told to obey is noted.
struct TestScreen {
    let columns: Int
    let height: Int
    /// All rows there have been; the last `height` of them can be reached.
    private(set) var rows: [String] = [""]
    /// Escape sequences and control characters that a conversation has no use for.
    private(set) var strange: [String] = []
    private var row = 0
    private var column = 0

    init(columns: Int, height: Int) {
        self.columns = columns
        self.height = height
    }

    /// What stands on it, scrolled away or not.
    var text: String { rows.joined(separator: "\n") }

    mutating func feed(_ bytes: String) {
        var rest = Substring(bytes).unicodeScalars
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\u{1B}":
                var sequence = ""
                while let next = rest.popFirst() {
                    sequence.unicodeScalars.append(next)
                    if next.properties.isAlphabetic { break }
                }
                obey(sequence)
            case "\r": column = 0
            case "\n":
                column = 0
                down()
            default: put(scalar)
            }
        }
    }

    private mutating func obey(_ sequence: String) {
        switch sequence {
        case "[J":
            rows.removeSubrange((row + 1)...)
            rows[row] = String(rows[row].prefix(column))
        case "[0m", "[1m", "[2m": break
        case _ where sequence.hasPrefix("[") && sequence.hasSuffix("A"):
            row = max(row - (Int(sequence.dropFirst().dropLast()) ?? 1), max(0, rows.count - height))
        default: strange.append(sequence)
        }
    }

    private mutating func put(_ scalar: Unicode.Scalar) {
        let width = Self.width(scalar)
        if width < 0 { strange.append(String(scalar.value, radix: 16)) }
        if column + width > columns {
            column = 0
            down()
        }
        // Only ends of rows are ever written to.
        rows[row].unicodeScalars.append(scalar)
        column += max(0, width)
    }

    private mutating func down() {
        row += 1
        if row == rows.count { rows.append("") }
    }

    /// As the C library has it, not as we do. Swift's view of that leaves wcwidth(3) out.
    private static func width(_ scalar: Unicode.Scalar) -> Int {
        let before = uselocale(unicode)
        defer { uselocale(before) }
        return Int(wcwidth(wchar_t(scalar.value)))
    }

    nonisolated(unsafe) private static let unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", nil)
    private static let wcwidth = unsafeBitCast(
        dlsym(nil, "wcwidth"), to: (@convention(c) (wchar_t) -> Int32).self)
}
