/// The dates of HTTP headers as seconds since 1970 (RFC 9110, 5.6.7).
enum HTTPDate {
    /// Reads any of the three forms; nil when it is none, or a day that does not exist.
    ///
    /// The day's name must be one, but need not be the right one: a server that cannot count is still
    /// understood.
    ///
    /// - Parameter now: seconds since 1970, to find the century of a year of two digits.
    static func parse(_ text: some StringProtocol, now: Int) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count <= 40 else { return nil }
        let words = bytes.split { $0 == 0x20 || $0 == 0x2c || $0 == 0x2d }.map {
            String(decoding: $0, as: UTF8.self)
        }
        guard let dayName = words.first.map(\.asciiLowercased) else { return nil }
        if words.count == 6, words[5].equalsIgnoringCase("GMT") {
            if text.contains("-") { // Sunday, 06-Nov-94 08:49:37 GMT
                guard longDays.contains(dayName), let year = number(words[3], digits: 2...2) else {
                    return nil
                }
                return seconds(nearestYear(year, to: now), words[2], words[1], words[4])
            }
            guard days.contains(dayName), let year = number(words[3], digits: 4...4) else { return nil }
            return seconds(year, words[2], words[1], words[4]) // Sun, 06 Nov 1994 08:49:37 GMT
        }
        guard words.count == 5, days.contains(dayName), let year = number(words[4], digits: 4...4) else {
            return nil
        }
        return seconds(year, words[1], words[2], words[3]) // Sun Nov  6 08:49:37 1994
    }

    /// A year more than 50 years ahead is the last one with these digits.
    private static func nearestYear(_ lastDigits: Int, to now: Int) -> Int {
        let thisYear = min(max(1970 + now / 31_556_952, 0), 9999)
        let year = thisYear - thisYear % 100 + lastDigits
        return year > thisYear + 50 ? year - 100 : year
    }

    private static func seconds(_ year: Int, _ month: String, _ day: String, _ time: String) -> Int? {
        guard let month = months.firstIndex(of: month.asciiLowercased).map({ $0 + 1 }),
            let day = number(day, digits: 1...2), (1...length(of: month, in: year)).contains(day)
        else { return nil }
        let parts = time.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let hour = number(parts[0], digits: 2...2),
            let minute = number(parts[1], digits: 2...2), let second = number(parts[2], digits: 2...2),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        return dayNumber(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    private static func number(_ text: some StringProtocol, digits: ClosedRange<Int>) -> Int? {
        guard digits.contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit) else { return nil }
        return Int(text)
    }

    static func length(of month: Int, in year: Int) -> Int {
        let isLeapYear = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return switch month {
        case 2: isLeapYear ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01, counted from years that begin in March, so that the leap day comes last.
    static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let monthFromMarch = (month + 9) % 12
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let leapDays = year / 4 - year / 100 + year / 400
        return year * 365 + leapDays + dayOfYear - 719_468
    }

    private static let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    private static let longDays = [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ]
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
}
