/// How a migration wants to be run: `-- name: value` lines among the comments at the top of its file.
///
/// They are no part of what it does, so they may be changed after it was applied.
public struct Header: Hashable, Sendable {
    /// PostgreSQL's `lock_timeout` for each statement; nil leaves the runner's default.
    public var lockTimeout: String?
    /// PostgreSQL's `statement_timeout` for each statement; nil leaves the server's.
    public var statementTimeout: String?
    /// How often it is tried again when a lock was not to be had in time.
    public var retries = 10
    /// Whether it is one transaction. If not, each statement that can be is a transaction of its own.
    public var isTransactional = true

    public init() {}

    /// Reads the comment lines a file begins with; a setting that is none, or has no such value, is a
    /// problem.
    init(_ text: String, file: String) throws(Refusal) {
        var problems: [Problem] = []
        for (number, line) in lines(of: text).enumerated() {
            let words = line.drop { $0.isWhitespace }
            if words.isEmpty { continue }
            guard words.hasPrefix("--") else { break }
            guard let colon = words.firstIndex(of: ":") else { continue }
            let name = words[..<colon].dropFirst(2).trimmed
            let value = words[colon...].dropFirst().trimmed
            if let hint = set(name, value) {
                problems.append(
                    Problem(
                        file: file, line: number + 1, "\(name): \(value) is no setting of a migration",
                        hint: hint))
            }
        }
        guard problems.isEmpty else { throw Refusal(problems) }
    }

    /// Takes a setting over; returns what would be right when it is wrong, nil also for lines that are prose.
    private mutating func set(_ name: String, _ value: String) -> String? {
        switch name {
        case "lock_timeout" where isTimeout(value):
            lockTimeout = value
        case "statement_timeout" where isTimeout(value):
            statementTimeout = value
        case "retries":
            guard let count = Int(value), (0...1000).contains(count) else {
                return "Give a number from 0 to 1000."
            }
            retries = count
        case "transaction":
            guard value == "none" || value == "one" else { return "It is none or one." }
            isTransactional = value == "one"
        case "lock_timeout", "statement_timeout":
            return "Give a number and a unit: 500ms, 2s, 10min; 0 is no limit."
        case _ where name.hasSuffix("timeout") || name.hasPrefix("transact") || name.hasPrefix("retr"):
            return "There are lock_timeout, statement_timeout, retries and transaction."
        default:
            break
        }
        return nil
    }

    private func isTimeout(_ value: String) -> Bool {
        let number = value.prefix { $0.isASCII && $0.isNumber }
        return !number.isEmpty && number.count < 10
            && (number == "0" && number == value
                || ["us", "ms", "s", "min", "h", "d"].contains(value.dropFirst(number.count)))
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
