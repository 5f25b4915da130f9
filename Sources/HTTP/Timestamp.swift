/// The instants of RFC 3339, `2026-11-21T09:30:00Z`, as seconds since 1970: a fraction counts as a whole
/// second, so that who waits until then does not come too early.
enum Timestamp {
    /// Nil when it is none, or a day that does not exist.
    static func parse(_ text: String) -> Int? {
        var rest = Array(text.utf8)[...]
        guard rest.count <= 40, let year = number(&rest, 4), take(&rest, "-"), let month = number(&rest, 2),
            take(&rest, "-"), let day = number(&rest, 2), take(&rest, "Tt "), let hour = number(&rest, 2),
            take(&rest, ":"), let minute = number(&rest, 2), take(&rest, ":"), let second = number(&rest, 2),
            1...12 ~= month, 1...HTTPDate.length(of: month, in: year) ~= day, hour < 24, minute < 60,
            second <= 60
        else { return nil }
        var seconds = HTTPDate.dayNumber(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        if take(&rest, ".") {
            let digits = rest.prefix { $0.isDigit }
            guard !digits.isEmpty else { return nil }
            if digits.contains(where: { $0 != 0x30 }) { seconds += 1 }
            rest = rest.dropFirst(digits.count)
        }
        return offset(rest).map { seconds - $0 }
    }

    /// Seconds east of Greenwich.
    private static func offset(_ text: ArraySlice<UInt8>) -> Int? {
        var rest = text
        if take(&rest, "Zz") { return rest.isEmpty ? 0 : nil }
        let isWest = rest.first == 0x2d
        guard take(&rest, "+-"), let hours = number(&rest, 2), take(&rest, ":"),
            let minutes = number(&rest, 2),
            rest.isEmpty, hours < 24, minutes < 60
        else { return nil }
        return (isWest ? -1 : 1) * (hours * 3600 + minutes * 60)
    }

    private static func number(_ text: inout ArraySlice<UInt8>, _ digits: Int) -> Int? {
        let part = text.prefix(digits)
        guard part.count == digits, part.allSatisfy(\.isDigit) else { return nil }
        text = text.dropFirst(digits)
        return part.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static func take(_ text: inout ArraySlice<UInt8>, _ oneOf: String) -> Bool {
        guard let first = text.first, oneOf.utf8.contains(first) else { return false }
        text = text.dropFirst()
        return true
    }
}
