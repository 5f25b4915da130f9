public import Postgres

/// Everything about the daemon that somebody may want otherwise.
public struct Configuration: Equatable, Sendable {
    /// Where the database is: a libpq URI or `key=value` words; empty leaves it to libpq's environment.
    public var conninfo: String
    /// The longest the daemon sleeps without looking: the promise that holds when every notification is lost.
    public var poll: Duration = .seconds(1)
    /// How often the listening connection proves that it still listens.
    public var heartbeat: Duration = .seconds(10)
    /// How long a short question may stay unanswered before the connection counts as dead.
    public var answerLimit: Duration = .seconds(5)
    /// How long connecting may take, with all the hosts of a list.
    public var connectLimit: Duration = .seconds(30)
    /// A look follows a burst of notifications once it has been quiet this long ...
    public var quiet: Duration = .milliseconds(20)
    /// ... or has lasted this long.
    public var longestBurst: Duration = .milliseconds(50)
    /// After a look that found work, look again this much later, step by step, until one finds none. Writers
    /// do not queue for the right to notify: one that commits while another does may stay silent.
    public var linger: [Duration] = [.milliseconds(25), .milliseconds(50), .milliseconds(100)]
    /// How many jobs may be in hand at once.
    public var capacity = 16
    /// How often the lease of a job in hand is extended; leases must last at least twice as long.
    public var extend: Duration = .seconds(5)
    /// How long a refresh may take.
    public var refreshLimit: Duration = .seconds(300)
    /// How long the end of a job, with its continuation, may take.
    public var endLimit: Duration = .seconds(30)
    /// How long SIGTERM waits for the work in hand.
    public var stopLimit: Duration = .seconds(10)
    public var backOff = BackOff()
    public var logLevel = LogLevel.info

    public init(conninfo: String = "") {
        self.conninfo = conninfo
    }

    /// Reads what operators set by environment: `CONCIERGE_POLL_MS` and `CONCIERGE_LOG`.
    public init(conninfo: String = "", environment: [String: String]) throws(ConfigurationError) {
        self.init(conninfo: conninfo)
        if let text = environment["CONCIERGE_POLL_MS"] {
            guard let value = Int(text), (10...60_000).contains(value) else {
                throw ConfigurationError(
                    variable: "CONCIERGE_POLL_MS", value: text, expected: "milliseconds from 10 to 60000")
            }
            poll = .milliseconds(value)
        }
        if let text = environment["CONCIERGE_LOG"] {
            guard let level = LogLevel(name: text) else {
                throw ConfigurationError(
                    variable: "CONCIERGE_LOG", value: text, expected: "error, warning, notice, info or debug")
            }
            logLevel = level
        }
    }
}

/// A setting that is not what it should be.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    public let variable: String
    public let value: String
    public let expected: String

    public var description: String { "\(variable) is \"\(value)\"; expected \(expected)" }
}
