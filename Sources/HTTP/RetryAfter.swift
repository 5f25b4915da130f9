/// How long a server asks us to stay away.
///
/// Every function takes any text at all: what is not understood is nil, what is too long is the cap, and what
/// lies in the past is zero.
public enum RetryAfter {
    /// What the headers of an answer say, from the most exact to the least: `retry-after-ms`, `Retry-After`,
    /// then the longest of the resets of rate limits, OpenAI's and Anthropic's: of those that are used up,
    /// where an answer tells what remains.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970 here, used when the answer has no `Date` to count from.
    ///   - cap: the longest answer, however long a server asks for.
    public static func delay(in headers: HTTPHeaders, now: Int, cap: Duration = .seconds(3600)) -> Duration? {
        if let exact = headers["retry-after-ms"].flatMap({ milliseconds($0, cap: cap) }) { return exact }
        // Server and date come from one clock, which need not be ours.
        let now = headers["Date"].flatMap { HTTPDate.parse($0, now: now) } ?? now
        if let asked = headers["Retry-After"].flatMap({ delay($0, now: now, cap: cap) }) { return asked }
        let resets = rateLimits.compactMap { limit in
            headers[limit.reset].flatMap { reset($0, now: now, cap: cap) }.map { (limit, $0) }
        }
        let usedUp = resets.filter { headers[$0.0.remaining] == "0" }
        return (usedUp.isEmpty ? resets : usedUp).map(\.1).max()
    }

    /// The headers of one rate limit.
    private struct RateLimit {
        let reset: String
        let remaining: String
    }

    private static let rateLimits =
        ["requests", "tokens"].map {
            RateLimit(reset: "x-ratelimit-reset-\($0)", remaining: "x-ratelimit-remaining-\($0)")
        }
        + ["requests", "tokens", "input-tokens", "output-tokens"].map {
            RateLimit(reset: "anthropic-ratelimit-\($0)-reset", remaining: "anthropic-ratelimit-\($0)-remaining")
        }

    /// Reads when a rate limit is full again: a time with units, seconds, or an instant (RFC 3339).
    private static func reset(_ text: String, now: Int, cap: Duration) -> Duration? {
        if let time = interval(text, cap: cap) ?? delay(text, now: now, cap: cap) { return time }
        guard let instant = Timestamp.parse(text) else { return nil }
        let (left, overflow) = instant.subtractingReportingOverflow(now)
        if overflow { return now < 0 ? cap : .zero }
        return min(max(.zero, .seconds(left)), cap)
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
