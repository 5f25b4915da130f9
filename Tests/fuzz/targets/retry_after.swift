import Glibc

@testable import HTTP

/// `Retry-After`, its relatives and HTTP's dates: never negative, never above the cap, at any time of day.
///
/// In front: the clock, the cap in seconds, and which header the text is in.
func check(_ input: Input) {
    var input = input
    let now = Int(input.number(Int64.self))
    let cap = Duration.seconds(input.number(UInt32.self))
    let names = [
        "Retry-After", "retry-after-ms", "Date", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-tokens-reset", "x-ratelimit-remaining-tokens",
    ]
    let first = Int(input.number(UInt8.self))
    let texts = editorLines(input.text)
    for text in texts {
        checkDelay(RetryAfter.delay(text, now: now, cap: cap), cap, text)
        checkDelay(RetryAfter.milliseconds(text, cap: cap), cap, text)
        checkDelay(RetryAfter.interval(text, cap: cap), cap, text)
        checkDate(text, now)
    }
    let headers = HTTPHeaders(texts.enumerated().map { .init(names[(first + $0) % names.count], $1) })
    let delay = RetryAfter.delay(in: headers, now: now, cap: cap)
    checkDelay(delay, cap, "\(headers)")
    if let exact = headers["retry-after-ms"].flatMap({ RetryAfter.milliseconds($0, cap: cap) }) {
        require(delay == exact, "the most exact header wins")
    }
}

private func checkDelay(_ delay: Duration?, _ cap: Duration, _ text: String) {
    guard let delay else { return }
    require(delay >= .zero && delay <= cap, "\(text.debugDescription) is \(delay), of at most \(cap)")
    // Through binary numbers, which miss by less than a millisecond.
    let (seconds, attoseconds) = delay.components
    let written = "\(seconds).\(String(attoseconds + 1_000_000_000_000_000_000).dropFirst())"
    let again = require(RetryAfter.delay(written, now: 0, cap: cap), "\(written) is a number")
    require(abs((again - delay) / .milliseconds(1)) < 1, "\(text.debugDescription) is \(delay), written \(again)")
}

/// The C library knows the calendar, too.
private func checkDate(_ text: String, _ now: Int) {
    guard let seconds = HTTPDate.parse(text, now: now) else { return }
    require(text.utf8.count <= 40, "a date is short")
    var (time, parts) = (seconds, tm())
    gmtime_r(&time, &parts)
    // Year 10000 has begun after a leap second.
    guard 1...9999 ~= parts.tm_year + 1900 else { return }
    for form in ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%A, %d-%b-%y %H:%M:%S GMT"] {
        // A year of two digits is one near the clock.
        let isShort = form.contains("%y")
        let written = strftime(form, parts)
        guard let again = HTTPDate.parse(written, now: isShort ? seconds : now) else {
            // strftime writes the year 7 with one digit.
            require(parts.tm_year + 1900 < 1000, "\(written) is a date, as is \(text.debugDescription)")
            continue
        }
        let away = again > seconds ? again - seconds : seconds - again
        // The estimate of the year is off by hours around New Year; then the century may be the other one.
        require(again == seconds || isShort && away > 3_000_000_000, "\(written) is \(seconds), not \(again)")
    }
}

private func strftime(_ form: String, _ parts: tm) -> String {
    var parts = parts
    var text = [CChar](repeating: 0, count: 64)
    let count = Glibc.strftime(&text, text.count, form, &parts)
    return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
