import Glibc
import Postgres

/// Sees what happens and what is done about it, counts it for Prometheus, and tells the service manager how
/// the daemon is. It decides nothing.
struct Observer {
    private var metrics: DaemonMetrics
    private let manager: ServiceManager
    private var figures: [DatabaseSample] = []
    private var claimedAt: [String: Duration] = [:]
    private var connected: Set<Link> = []
    private var isReady = false
    /// Why the daemon does not work yet, or no longer; nil when it does.
    private(set) var obstacle: String? = "waiting for the database"

    init(manager: ServiceManager, startTime: Double) {
        self.manager = manager
        metrics = DaemonMetrics(version: Daemon.version, startTime: startTime)
    }

    mutating func page(inHand: Int) -> String {
        metrics.jobsInHand.set(Double(inHand))
        return metrics.rendered(process: .current(), rows: figures)
    }

    mutating func woke(at now: Duration, planned: Duration?) {
        if let planned, planned < now { metrics.loopLag.observe((now - planned).seconds) }
    }

    mutating func saw(_ event: Event) {
        switch event {
        case .notified: metrics.wakeups.add("notification")
        case .answered(_, .figures(let rows)):
            figures = rows
            metrics.wakeups.add("answer")
        case .answered(_, .found):
            metrics.wakeups.add("answer")
            become(ready: true, "listening")
        case .answered, .connected: metrics.wakeups.add("answer")
        case .refused(_, let error):
            metrics.wakeups.add("answer")
            metrics.countDatabaseError(sqlState: error.sqlState.rawValue)
        case .lost(let link, _):
            metrics.wakeups.add("answer")
            if link == .listening { become(ready: false, "waiting for the database") }
        case .performed(let job, _): metrics.wakeups.add(job.kind == "convert" ? "child" : "http")
        case .said: metrics.wakeups.add("http")
        case .signalled, .reloaded: metrics.wakeups.add("signal")
        case .woken: metrics.wakeups.add("timer")
        case .started, .enqueued: break
        }
    }

    mutating func saw(_ action: Action, at now: Duration) {
        switch action {
        case .connect(let link):
            if !connected.insert(link).inserted { metrics.reconnects.add(link.name) }
        case .disconnect(.listening):
            become(ready: false, "waiting for the database")
        case .perform(let job):
            claimedAt[job.id] = now
        case .log(let line):
            count(line, at: now)
        case .leave:
            manager.notify(.status("stopped"))
        case .disconnect, .send, .cancel, .stop:
            break
        }
    }

    mutating func saw(_ report: ModelReport) {
        metrics.count(report)
    }

    /// What is worth a line in the log is worth counting.
    private mutating func count(_ line: LogLine, at now: Duration) {
        if line.event == "stopping" { manager.notify(.stopping, .status("ending the work in hand")) }
        let outcome: String
        switch line.event {
        case "finished", "failed", "abandoned": outcome = line.event
        case "stale":
            outcome = "fenced"
            metrics.fencedCompletions.add()
        default: return
        }
        let fields = Dictionary(line.fields.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        guard let job = fields["job"], let kind = fields["kind"] else { return }
        metrics.jobs.add(kind, outcome)
        if let began = claimedAt.removeValue(forKey: job) {
            metrics.jobDuration.observe((now - began).seconds, kind)
        }
    }

    /// The first word, good or bad, ends the start: an absent database must not fail a boot.
    private mutating func become(ready: Bool, _ status: String) {
        let obstacle = ready ? nil : status
        if isReady, obstacle == self.obstacle { return }
        self.obstacle = obstacle
        metrics.listenerUp.set(ready ? 1 : 0)
        if isReady { manager.notify(.status(status)) } else { isReady = manager.notify(.ready, .status(status)) }
    }
}

extension Duration {
    /// With fractions.
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}

extension Link {
    /// One name for all of a pool, as a label must be one of a few.
    var name: String {
        if case .ending = self { "ending" } else { description }
    }
}
