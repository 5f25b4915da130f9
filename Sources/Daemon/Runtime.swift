import Glibc
import Postgres

/// The daemon's hands: a loop around poll(2) that tells `DaemonState` what happened and does what it says.
///
/// One thread, and nothing in the loop waits but poll. (Two exceptions in libpq: the look-up of a host name,
/// and the cancel request while stopping.)
final class Runtime {
    private var state: DaemonState
    private let conninfo: String
    private let effects: Effects
    private let log: (LogLine) -> Void
    private let worker = workerName()
    /// Each byte that can be read here stands for one signal to stop.
    private let stopDescriptor: Int32
    private var sessions: [Link: Session] = [:]
    private var events: [Event] = []
    private var hasLeft = false
    private let start = monotonicTime()

    init(
        configuration: Configuration, effects: Effects, stopDescriptor: Int32, log: @escaping (LogLine) -> Void
    ) {
        state = DaemonState(configuration: configuration)
        conninfo = addingNetworkDefaults(to: configuration.conninfo)
        self.effects = effects
        self.stopDescriptor = stopDescriptor
        self.log = log
    }

    /// Works until told to stop.
    func run() {
        events = [.started(worker: worker)]
        while true {
            while !events.isEmpty {
                handle(events.removeFirst())
                if hasLeft { return }
            }
            wait()
        }
    }

    private var now: Duration { monotonicTime() - start }

    private func handle(_ event: Event) {
        for action in state.handle(event, at: now, random: .random(in: 0..<1)) { perform(action) }
    }

    // MARK: Acting

    private func perform(_ action: Action) {
        switch action {
        case .connect(let link):
            attempt(link) { sessions[link] = try Session(link, conninfo: conninfo) }
        case .disconnect(let link):
            close(link)
        case .send(let link, let request):
            attempt(link) { try sessions[link]?.send(request, worker: worker, kinds: effects.kinds) }
        case .cancel(let link):
            try? sessions[link]?.cancel() // nothing is lost when it does not arrive: the session is about to end
        case .perform(let job):
            events.append(.performed(job, effects.perform(job)))
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
        events.removeAll { $0.link == link }
    }

    // MARK: Waiting

    private func wait() {
        let links = Link.allCases.filter { sessions[$0] != nil }
        var entries = [pollfd(fd: stopDescriptor, events: Int16(POLLIN), revents: 0)]
        entries += links.compactMap { sessions[$0]?.pollEntry }
        poll(&entries, nfds_t(entries.count), timeout())

        if entries[0].revents != 0 { readSignals() }
        for (link, entry) in zip(links, entries.dropFirst()) where entry.revents != 0 || entry.fd < 0 {
            guard let session = sessions[link] else { continue }
            let news = session.advance()
            if case .lost = news.last { close(link) }
            events += news
        }
        if events.isEmpty { events = [.woken] }
    }

    /// Milliseconds for poll(2), rounded up so that it does not wake just before the time.
    private func timeout() -> Int32 {
        guard let wake = state.nextWake else { return -1 }
        let left = wake - now
        if left <= .zero { return 0 }
        return Int32(clamping: (left + .microseconds(999)).milliseconds)
    }

    private func readSignals() {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(stopDescriptor, &bytes, bytes.count)
        events += Array(repeating: .signalled, count: max(count, 0))
    }
}

extension Event {
    /// The connection an event speaks of.
    fileprivate var link: Link? {
        switch self {
        case .connected(let link), .lost(let link, _), .answered(let link, _), .refused(let link, _): link
        case .started, .notified, .performed, .signalled, .woken: nil
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
