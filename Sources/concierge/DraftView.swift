/// What a terminal shows of an answer while it is given: dim, for nobody has checked it yet, and gone without
/// a trace when the answer is there.
///
/// It breaks the lines itself, a column before the terminal would, and shows no more rows than there are, the
/// last ones. So it always knows what stands where, and can take it back. Its functions return what is to be
/// written.
struct DraftView {
    struct Size {
        var columns: Int
        var rows: Int
    }

    /// The rows that are shown; the cursor stands behind the last one.
    private var shown: [String] = []

    /// Shows a text in the place of what is shown: only what is new is written when it goes on from there.
    mutating func show(_ text: String, _ size: Size) -> String {
        let rows = Array(text.printable.rows(of: max(2, size.columns - 1)).suffix(max(1, size.rows - 1)))
        defer { shown = rows }
        guard rows != shown else { return "" }
        guard let last = shown.last else { return dim(rows) }
        let same = zip(shown, rows).prefix { $0 == $1 }.count
        if same == shown.count { return dim([""] + rows[same...]) }
        if same == shown.count - 1, same < rows.count, rows[same].hasPrefix(last) {
            return dim([String(rows[same].dropFirst(last.count))] + rows[(same + 1)...])
        }
        let first = min(same, rows.count - 1)
        return erasing(from: first, size) + dim(rows[first...])
    }

    /// Takes everything back; the cursor is where it was before.
    mutating func erase(_ size: Size) -> String {
        defer { shown = [] }
        return shown.isEmpty ? "" : erasing(from: 0, size)
    }

    /// Clears what stands from that row on, and begins there. A terminal that has become narrower has broken
    /// rows in pieces.
    private func erasing(from first: Int, _ size: Size) -> String {
        let width = max(1, size.columns)
        let height = shown[first...].reduce(0) { $0 + max(1, ($1.columns + width - 1) / width) }
        return (height > 1 ? "\u{1B}[\(height - 1)A" : "") + "\r\u{1B}[J"
    }

    private func dim(_ rows: some Sequence<String>) -> String { Style.dim(rows.joined(separator: "\n")) }
}

/// How a terminal is told to draw a text.
enum Style {
    static func dim(_ text: String) -> String { "\u{1B}[2m\(text)\u{1B}[0m" }
    static func bold(_ text: String) -> String { "\u{1B}[1m\(text)\u{1B}[0m" }
    /// As it is, where nobody watches.
    static func plain(_ text: String) -> String { text }
}
