import HTTP
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
    public var capacity = 500
    /// How many connections tell the ends of jobs, at most.
    public var endings = 4
    /// For how long nobody else gets the jobs in hand when nothing is heard of the daemon.
    public var lease: Duration = .seconds(15)
    /// How often the lease is extended; it must last at least twice as long.
    public var extend: Duration = .seconds(5)
    /// How long a refresh may take.
    public var refreshLimit: Duration = .seconds(300)
    /// How long the end of a job, with its continuation, may take.
    public var endLimit: Duration = .seconds(30)
    /// How long SIGTERM waits for the work in hand.
    public var stopLimit: Duration = .seconds(10)
    public var backOff = BackOff()
    public var logLevel = LogLevel.info
    /// Where metrics are served; nil: nowhere.
    var metrics: MetricsAddress?
    /// How often the database is asked for its share of the metrics.
    var figures: Duration = .seconds(15)
    /// Addresses besides the public internet that effects may reach.
    var allowances: [AddressPolicy.Allowance] = []
    var credentials = Credentials()

    public init(conninfo: String = "") {
        self.conninfo = conninfo
    }
}
