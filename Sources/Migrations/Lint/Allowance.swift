/// `-- allow M101, M102: reason`, on the lines directly above what it allows, or at the end of its line.
struct Allowance: Hashable, Sendable {
    let codes: [String]
    let reason: String
    /// The line it stands on.
    let line: Int
    /// The line it speaks for; nil when nothing follows it directly.
    let target: Int?

    /// Whether it speaks for something found on `line`, in a statement on the lines `range`.
    func covers(_ line: Int, of range: ClosedRange<Int>) -> Bool {
        guard let target else { return false }
        return target == line || target == range.lowerBound
            || self.line == target && target == range.upperBound
    }

    /// Every one in a text.
    static func all(in text: String) -> [Allowance] {
        let lines = lines(of: text)
        return lines.indices.compactMap { index in
            guard let (codes, reason) = parse(lines[index]) else { return nil }
            guard isComment(lines[index]) else {
                return Allowance(codes: codes, reason: reason, line: index + 1, target: index + 1)
            }
            let next = lines[(index + 1)...].firstIndex { !isComment($0) }
            let target = next.flatMap { isBlank(lines[$0]) ? nil : $0 + 1 }
            return Allowance(codes: codes, reason: reason, line: index + 1, target: target)
        }
    }

    private static func parse(_ line: Substring) -> ([String], String)? {
        guard line.contains("allow"),
            let match = line.firstMatch(of: /--\s*allow\s+([A-Z]\d+(?:\s*,\s*[A-Z]\d+)*)\s*:?\s*(.*)/)
        else {
            return nil
        }
        let codes = match.1.split { $0 == "," || $0.isWhitespace }.map(String.init)
        var reason = match.2
        while reason.last?.isWhitespace == true { reason.removeLast() }
        return (codes, String(reason))
    }

    private static func isComment(_ line: Substring) -> Bool { line.drop { $0.isWhitespace }.hasPrefix("--") }
    private static func isBlank(_ line: Substring) -> Bool { line.allSatisfy { $0.isWhitespace } }
}
