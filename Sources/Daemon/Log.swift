import Glibc

/// How much a line matters, in journald's numbers.
public enum LogLevel: Int, Comparable, CaseIterable, Sendable {
    case error = 3
    case warning, notice, info, debug

    public init?(name: String) {
        guard let level = Self.allCases.first(where: { "\($0)" == name }) else { return nil }
        self = level
    }

    /// What matters more comes first.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One event, one line: `event=refresh.done call="call event.refresh()" ms=12`.
///
/// Fields are the daemon's own words, identifiers, counts and the server's primary messages. Never a payload,
/// a result or a connection string.
struct LogLine: Equatable {
    let level: LogLevel
    let event: String
    var fields: [(key: String, value: String)] = []

    static func == (left: Self, right: Self) -> Bool {
        left.text == right.text && left.level == right.level
    }

    var text: String {
        fields.reduce(into: "event=\(event)") { $0 += " \($1.key)=\(Self.quoted($1.value))" }
    }

    /// A value as it is when it is one plain word, else in quotes, on one line whatever it holds.
    static func quoted(_ value: String) -> String {
        let plain = !value.isEmpty && value.unicodeScalars.allSatisfy {
            $0.value > 0x20 && $0.value != 0x7f && $0 != "\"" && $0 != "=" && $0 != "\\"
        }
        if plain { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f: text += "?"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

/// Writes log lines to standard error: bare for a person, with journald's `<N>` prefix for the journal.
struct LogWriter {
    var least: LogLevel
    var prefixed: Bool

    init(least: LogLevel, prefixed: Bool) {
        self.least = least
        self.prefixed = prefixed
    }

    /// The journal reads when systemd says so and nobody sits at the other end.
    init(least: LogLevel) {
        self.init(least: least, prefixed: isatty(STDERR_FILENO) == 0 && getenv("JOURNAL_STREAM") != nil)
    }

    func rendered(_ line: LogLine) -> String? {
        guard line.level <= least else { return nil }
        return (prefixed ? "<\(line.level.rawValue)>" : "") + line.text + "\n"
    }

    /// One write(2) a line, so that lines of several processes do not mix. A log nobody can take is not worth
    /// stopping for.
    func write(_ line: LogLine) {
        guard let text = rendered(line) else { return }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written > 0 { bytes = bytes.dropFirst(written) } else if errno != EINTR { return }
        }
    }
}
