/// How long a server asks us to stay away.
///
/// Every function takes any text at all: what is not understood is nil, what is too long is the cap, and what
/// lies in the past is zero.
public enum RetryAfter {
    /// What the headers of an answer say, from the most exact to the least: `retry-after-ms`, `Retry-After`,
    /// then the longer of `x-ratelimit-reset-requests` and `x-ratelimit-reset-tokens`.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970 here, used when the answer has no `Date` to count from.
    ///   - cap: the longest answer, however long a server asks for.
    public static func delay(in headers: HTTPHeaders, now: Int, cap: Duration = .seconds(3600)) -> Duration? {
        if let exact = headers["retry-after-ms"].flatMap({ milliseconds($0, cap: cap) }) { return exact }
        // Server and date come from one clock, which need not be ours.
        let now = headers["Date"].flatMap { HTTPDate.parse($0, now: now) } ?? now
        if let asked = headers["Retry-After"].flatMap({ delay($0, now: now, cap: cap) }) { return asked }
        return ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"]
            .compactMap { headers[$0].flatMap { interval($0, cap: cap) } }.max()
    }

    /// Reads a `Retry-After` header: seconds, or a date in one of HTTP's three forms.
    ///
    /// - Parameter now: seconds since 1970, best by the clock of who wrote the header.
    public static func delay(_ text: String, now: Int, cap: Duration = .seconds(3600)) -> Duration? {
        let text = trimmed(text)
        if let seconds = decimal(text) { return scaled(seconds, .seconds(1), cap: cap) }
        guard let date = HTTPDate.parse(text, now: now) else { return nil }
        let (left, overflow) = date.subtractingReportingOverflow(now)
        if overflow { return now < 0 ? cap : .zero }
        return min(max(.zero, .seconds(left)), cap)
    }

    /// Reads a number of milliseconds.
    public static func milliseconds(_ text: String, cap: Duration = .seconds(3600)) -> Duration? {
        decimal(trimmed(text)).flatMap { scaled($0, .milliseconds(1), cap: cap) }
    }

    /// Reads a time with units: `1s`, `6m0s`, `120ms`, `1h2m3.5s`.
    public static func interval(_ text: String, cap: Duration = .seconds(3600)) -> Duration? {
        var rest = trimmed(text)
        guard !rest.isEmpty else { return nil }
        var sum = Duration.zero
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isDigit || $0 == 0x2e }
            let letters = rest.dropFirst(digits.count).prefix { !$0.isDigit && $0 != 0x2e }
            guard let number = decimal(digits), let unit = units[String(decoding: letters, as: UTF8.self)],
                let part = scaled(number, unit, cap: cap)
            else { return nil }
            sum = min(sum + part, cap)
            rest = rest.dropFirst(digits.count + letters.count)
        }
        return sum
    }

    private static let units: [String: Duration] = [
        "ns": .nanoseconds(1), "us": .microseconds(1), "ms": .milliseconds(1), "s": .seconds(1),
        "m": .seconds(60), "h": .seconds(3600), "d": .seconds(86_400),
    ]

    private static func trimmed(_ text: String) -> ArraySlice<UInt8> {
        let bytes = Array(text.utf8)
        guard let first = bytes.firstIndex(where: { !$0.isBlank }),
            let last = bytes.lastIndex(where: { !$0.isBlank })
        else { return [] }
        return bytes[first...last]
    }

    /// Digits, at most one point among them; as large as it likes.
    private static func decimal(_ bytes: ArraySlice<UInt8>) -> Double? {
        guard bytes.first?.isDigit == true, bytes.last?.isDigit == true,
            bytes.allSatisfy({ $0.isDigit || $0 == 0x2e }), bytes.count(where: { $0 == 0x2e }) <= 1
        else { return nil }
        return Double(String(decoding: bytes, as: UTF8.self))
    }

    /// The product, at most the cap. The comparison is in Double, which cannot overflow as Duration can.
    private static func scaled(_ number: Double, _ unit: Duration, cap: Duration) -> Duration? {
        guard number >= 0 else { return nil }
        return number >= cap / unit ? cap : min(unit * number, cap)
    }
}

extension HTTPDate {
    fileprivate static func parse(_ bytes: ArraySlice<UInt8>, now: Int) -> Int? {
        parse(String(decoding: bytes, as: UTF8.self), now: now)
    }
}
