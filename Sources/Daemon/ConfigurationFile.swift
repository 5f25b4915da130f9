import HTTP

extension Configuration {
    /// Where the daemon looks for its settings when nobody says where.
    public static let defaultPath = "/etc/concierge/daemon.conf"

    /// Reads settings: `name = value` a line, from `#` on a comment, each name once but `allow`.
    ///
    /// - Parameter environment: of which only systemd's `CREDENTIALS_DIRECTORY` is read.
    public init(conninfo: String = "", file text: String, environment: [String: String] = [:])
        throws(ConfigurationError)
    {
        self.init(conninfo: conninfo)
        credentials.directory = environment["CREDENTIALS_DIRECTORY"]
        var seen: Set<String> = []
        var number = 0
        // Lines as an editor numbers them; what else Unicode has to end a line is no end of a remark.
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let content = trimmed(Substring(line.prefix { $0 != UInt8(ascii: "#") }))
            if content.isEmpty { continue }
            guard let sign = content.firstIndex(of: "=") else {
                throw ConfigurationError(line: number, name: String(content), expected: "name = value")
            }
            let name = String(trimmed(content[..<sign]))
            let value = String(trimmed(content[content.index(after: sign)...]))
            guard name == "allow" || seen.insert(name).inserted else {
                throw ConfigurationError(line: number, name: name, expected: "each name once")
            }
            if let expected = set(name, to: value) {
                throw ConfigurationError(line: number, name: name, value: value, expected: expected)
            }
        }
    }

    /// The credentials the settings speak of.
    public var credentialNames: [String] { credentials.hosts.keys.sorted() }

    /// Takes one setting; returns what was expected where it cannot be taken.
    private mutating func set(_ name: String, to value: String) -> String? {
        switch name {
        case "poll": return set(\.poll, to: value, from: .milliseconds(10), to: .seconds(60))
        case "lease":
            defer { extend = min(.seconds(5), lease / 3) }
            return set(\.lease, to: value, from: .seconds(2), to: .seconds(3600))
        case "stop": return set(\.stopLimit, to: value, from: .zero, to: .seconds(600))
        case "capacity": return set(\.capacity, to: value, from: 1, to: 10_000)
        case "endings": return set(\.endings, to: value, from: 1, to: 32)
        case "log":
            guard let level = LogLevel(name: value) else { return "error, warning, notice, info or debug" }
            logLevel = level
        case "metrics":
            guard let address = MetricsAddress(value) else { return MetricsAddress.form }
            metrics = address
        case "allow":
            for word in value.split(separator: ",") {
                guard let allowance = AddressPolicy.Allowance(String(trimmed(word))) else {
                    return "hosts, addresses or networks, each with or without a port"
                }
                allowances.append(allowance)
            }
        default:
            let sign = "credential."
            guard name.hasPrefix(sign), Credentials.isName(String(name.dropFirst(sign.count))) else {
                return "poll, lease, stop, capacity, endings, log, metrics, allow or credential.NAME"
            }
            let hosts = value.split(separator: ",").map { String(trimmed($0)).lowercased() }
            guard !hosts.isEmpty, !hosts.contains("") else { return "the hosts it is for, with commas" }
            credentials.hosts[String(name.dropFirst(sign.count))] = Set(hosts)
        }
        return nil
    }

    private mutating func set(
        _ setting: WritableKeyPath<Configuration, Duration>, to text: String, from least: Duration,
        to most: Duration
    ) -> String? {
        guard let value = duration(text), least <= value, value <= most else {
            return "a time like 250ms, 5s or 2min, from \(least) to \(most)"
        }
        self[keyPath: setting] = value
        return nil
    }

    private mutating func set(
        _ setting: WritableKeyPath<Configuration, Int>, to text: String, from least: Int, to most: Int
    ) -> String? {
        guard let value = Int(text), least <= value, value <= most else { return "a number from \(least) to \(most)" }
        self[keyPath: setting] = value
        return nil
    }
}

/// A whole number and its unit.
private func duration(_ text: String) -> Duration? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int64(digits), number < 1_000_000_000 else { return nil }
    switch trimmed(text.dropFirst(digits.count)) {
    case "ms": return .milliseconds(number)
    case "s": return .seconds(number)
    case "min": return .seconds(number * 60)
    default: return nil
    }
}

private func trimmed(_ text: Substring) -> Substring {
    var text = text.drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}

/// A setting that is not what it should be.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    public let line: Int
    public let name: String
    public var value: String?
    public let expected: String

    public var description: String {
        let what = value.map { "\(name) is \"\($0)\"" } ?? "\"\(name)\""
        return "line \(line): \(what); expected \(expected)"
    }
}
