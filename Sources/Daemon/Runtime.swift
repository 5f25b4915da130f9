import Glibc
import Postgres

/// The daemon's hands: a loop around poll(2) that tells `DaemonState` what happened and does what it says.
///
/// One thread, and nothing in the loop waits but poll. (Two exceptions in libpq: the look-up of a host name,
/// and the cancel request while stopping.)
final class Runtime {
    private var state: DaemonState
    private var configuration: Configuration
    private let conninfo: String
    private let effects: Effects
    private var log: (LogLine) -> Void
    private let worker = workerName()
    /// Each byte that can be read here is the number of a signal.
    private let signals: Int32
    private let reread: () throws -> Configuration
    private let manager: ServiceManager
    private var watchdog: Watchdog?
    private var observer: Observer
    private var server: MetricsServer?
    private var sessions: [Link: Session] = [:]
    private var events = EventQueue()
    private var hasLeft = false
    private let start = monotonicTime()

    /// - Parameter reread: reads the configuration again, at SIGHUP.
    init(
        configuration: Configuration, effects: Effects, manager: ServiceManager = ServiceManager(environment: [:]),
        signals: Int32, reread: @escaping () throws -> Configuration, log: @escaping (LogLine) -> Void
    ) throws {
        self.configuration = configuration
        state = DaemonState(configuration: configuration)
        conninfo = addingNetworkDefaults(to: configuration.conninfo)
        self.effects = effects
        self.manager = manager
        self.signals = signals
        self.reread = reread
        self.log = log
        watchdog = Watchdog(interval: manager.watchdogInterval, at: .zero)
        observer = Observer(manager: manager, startTime: Double(time(nil)))
        if let address = configuration.metrics {
            server = try MetricsServer(
                address, page: { [unowned self] in observer.page(inHand: state.hand.count) },
                obstacle: { [unowned self] in observer.obstacle })
        }
    }

    /// Works until told to stop.
    func run() {
        server?.run()
        events.append(.started(worker: worker))
        while true {
            while let event = events.next() {
                handle(event)
                if hasLeft { return }
            }
            watchdog?.moved(.loop)
            if watchdog?.isDue(at: now) == true { manager.notify(.watchdog) }
            wait()
        }
    }

    private var now: Duration { monotonicTime() - start }

    private func handle(_ event: Event) {
        if event.link != nil { watchdog?.moved(.database) }
        observer.saw(event)
        for action in state.handle(event, at: now, random: .random(in: 0..<1)) { perform(action) }
    }

    // MARK: Acting

    private func perform(_ action: Action) {
        observer.saw(action, at: now)
        switch action {
        case .connect(let link):
            attempt(link) { sessions[link] = try Session(link, conninfo: conninfo) }
        case .disconnect(let link):
            close(link)
        case .send(let link, let request):
            attempt(link) {
                try sessions[link]?.send(
                    request, worker: worker, kinds: effects.kinds, lease: configuration.lease,
                    inHand: request == .extend ? state.hand.ids : [])
            }
        case .cancel(let link):
            // Nothing is lost when it does not arrive: the session is about to end.
            do { try sessions[link]?.cancel() } catch { close(link) }
        case .perform(let job):
            if let outcome = effects.perform(job, at: now) { events.append(.performed(job, outcome)) }
        case .stop(let job):
            effects.stop(job)
        case .log(let line):
            log(line)
        case .leave:
            hasLeft = true
        }
    }

    private func attempt(_ link: Link, _ step: () throws -> Void) {
        do {
            try step()
        } catch {
            close(link)
            events.append(.lost(link, reason: reason(error)))
        }
    }

    private func close(_ link: Link) {
        sessions.removeValue(forKey: link)?.close()
        // What the old session still had to say must not be taken for the next one's words.
        events.forget(link)
    }

    private func reload() {
        manager.notify(.reloading)
        defer { manager.notify(.ready) }
        do {
            let new = try reread()
            if new.metrics != configuration.metrics || new.conninfo != configuration.conninfo {
                log(LogLine(level: .warning, event: "unchanged", fields: [
                    ("what", "the database and metrics stay as they are until a restart"),
                ]))
            }
            log = LogWriter(least: new.logLevel).write
            configuration = new
            effects.settings = EffectSettings(new)
            events.append(.reloaded(new))
        } catch {
            log(LogLine(level: .error, event: "unreloaded", fields: [("reason", "\(error)")]))
        }
    }

    // MARK: Waiting

    private func wait() {
        let links = Array(sessions.keys)
        var entries = [pollfd(fd: signals, events: Int16(POLLIN), revents: 0)]
        entries += links.map { sessions[$0]?.pollEntry ?? pollfd(fd: -1, events: 0, revents: 0) }
        entries.append(server?.pollEntry ?? pollfd(fd: -1, events: 0, revents: 0))
        let wake = wakeTime
        effects.wait(for: &entries, timeout: timeout(until: wake))
        observer.woke(at: now, planned: wake)

        if entries[0].revents != 0 { readSignals() }
        for (link, entry) in zip(links, entries.dropFirst()) where entry.revents != 0 || hasNoSocket(link) {
            guard let session = sessions[link] else { continue }
            let news = session.advance()
            if case .lost = news.last { close(link) }
            news.forEach { events.append($0) }
        }
        if entries.last?.revents != 0 || server?.timeout == .zero { server?.run() }
        let ends = effects.ended(at: now)
        let said = effects.takeSaid()
        if !said.isEmpty { events.append(.said(said)) }
        for (job, outcome) in ends { events.append(.performed(job, outcome)) }
        for report in effects.takeReports() { observer.saw(report) }
        if events.isEmpty { events.append(.woken) }
    }

    private func hasNoSocket(_ link: Link) -> Bool { (sessions[link]?.pollEntry.fd ?? 0) < 0 }

    private var wakeTime: Duration? {
        [
            state.nextWake, effects.nextWake(at: now), server?.timeout.map { now + $0 },
            watchdog?.nextWake(at: now),
        ].compactMap(\.self).min()
    }

    /// Milliseconds for poll(2), rounded up so that it does not wake just before the time.
    private func timeout(until wake: Duration?) -> Int32 {
        guard let wake else { return -1 }
        let left = wake - now
        if left <= .zero { return 0 }
        return Int32(clamping: (left + .microseconds(999)).milliseconds)
    }

    private func readSignals() {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(signals, &bytes, bytes.count)
        for signal in bytes.prefix(max(count, 0)) {
            if Int32(signal) == SIGHUP { reload() } else { events.append(.signalled) }
        }
    }
}

/// What has happened and was not handled yet, in order. Taking one costs the same however many there are.
private struct EventQueue {
    private var events: [Event] = []
    private var head = 0

    var isEmpty: Bool { head == events.count }

    mutating func append(_ event: Event) { events.append(event) }

    mutating func next() -> Event? {
        guard !isEmpty else {
            events.removeAll(keepingCapacity: true)
            head = 0
            return nil
        }
        defer { head += 1 }
        return events[head]
    }

    mutating func forget(_ link: Link) {
        events = events[head...].filter { $0.link != link }
        head = 0
    }
}

extension Event {
    /// The connection an event speaks of.
    var link: Link? {
        switch self {
        case .connected(let link), .lost(let link, _), .answered(let link, _), .refused(let link, _): link
        case .started, .notified, .enqueued, .performed, .said, .signalled, .reloaded, .woken: nil
        }
    }
}

/// Time that only moves forward, whatever happens to the wall clock (clock_gettime).
private func monotonicTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

/// Who we are in the queue: host, process, and a number that no earlier process of that id had.
private func workerName() -> String {
    var host = [CChar](repeating: 0, count: 256)
    gethostname(&host, host.count - 1)
    let name = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "\(name):\(getpid()):\(String(UInt32.random(in: .min ... .max), radix: 16))"
}
