import Glibc

/// systemd, or whoever else reads `NOTIFY_SOCKET`: told how the daemon is, in the words of sd_notify(3), one
/// datagram of `KEY=value` lines each time.
///
/// A service manager that is not there, or no longer, is none of the daemon's business: nothing here fails.
struct ServiceManager: Equatable, Sendable {
    /// What there is to say.
    enum Notice: Equatable, Sendable {
        /// Everything is set up, for the first time or after `reloading`.
        case ready
        /// One line for `systemctl status`.
        case status(String)
        case stopping
        case reloading
        /// The daemon is alive: see `Watchdog`.
        case watchdog
        /// Starting, reloading or stopping takes this much longer, counted from now.
        case extendTimeout(Duration)
    }

    /// Where to say it: a path, or `@` and a name outside the file system; nil: nobody asked.
    let socket: String?
    /// The silence after which the service manager restarts the daemon; nil: it never does.
    let watchdogInterval: Duration?

    /// Reads `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`. The last names the process that is watched:
    /// a child that inherits the other two must not answer for its parent.
    init(environment: [String: String], process: Int32 = getpid()) {
        socket = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(process)" } ?? true
        let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogInterval = isOurs && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    /// Says it all in one datagram, without waiting.
    ///
    /// - Returns: false if it did not arrive: the reader's queue is full, or its socket gone. A lost ping or
    ///   status does no harm; `ready` is worth saying again.
    @discardableResult
    func notify(_ notices: Notice...) -> Bool {
        guard let socket, let address = UnixAddress(socket) else { return socket == nil }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let message = Array(Self.text(notices, at: monotonicMicroseconds()).utf8)
        let sent = address.withSockaddr {
            sendto(descriptor, message, message.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), $0, $1)
        }
        return sent == message.count
    }

    /// The datagram.
    static func text(_ notices: [Notice], at microseconds: Int64) -> String {
        notices.map { notice in
            switch notice {
            case .ready: "READY=1"
            case .status(let status): "STATUS=" + oneLine(status)
            case .stopping: "STOPPING=1"
            case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(microseconds)"
            case .watchdog: "WATCHDOG=1"
            case .extendTimeout(let time): "EXTEND_TIMEOUT_USEC=\(max(time.milliseconds, 0) * 1000)"
            }
        }.joined(separator: "\n")
    }

    /// A status holds words of others (a server's message, say), which must not become a line of their own.
    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map {
            $0.value < 0x20 || $0.value == 0x7f ? " " : $0
        }))
    }
}

/// When to tell the service manager that the daemon is alive: at half of its interval, and only if every part
/// has moved since the last time.
///
/// A part moves whenever something happens to it, whatever that is. A database that refuses, hangs up or lets
/// an attempt run into its time limit keeps `database` moving, so an outage restarts nobody; a conversation
/// forgotten, or a loop that spins without ever reaching its end, does not. It follows that the interval must
/// be longer than the longest pause a part takes on purpose: the time limit for connecting and the back-off.
struct Watchdog: Equatable, Sendable {
    enum Part: CaseIterable, Sendable {
        /// The loop has come round.
        case loop
        /// An attempt, an answer, a refusal or a loss, on any connection.
        case database
    }

    private let interval: Duration
    private let parts: Set<Part>
    private var moved: Set<Part> = []
    private var pingedAt: Duration

    /// - Parameter interval: the service manager's, or nil if it does not watch; then there is nothing to do.
    init?(interval: Duration?, parts: Set<Part> = Set(Part.allCases), at now: Duration) {
        guard let interval else { return nil }
        self.interval = interval
        self.parts = parts
        pingedAt = now
    }

    mutating func moved(_ part: Part) { moved.insert(part) }

    /// Whether to ping now. Says so once: the ping counts as made, and every part has to move again.
    mutating func isDue(at now: Duration) -> Bool {
        guard now >= due, moved.isSuperset(of: parts) else { return false }
        pingedAt = now
        moved = []
        return true
    }

    /// When to ask again. Nil once a ping is overdue: then it waits for a part to move, and that wakes the
    /// loop by itself.
    func nextWake(at now: Duration) -> Duration? { now < due ? due : nil }

    private var due: Duration { pingedAt + interval / 2 }
}

/// The clock systemd compares `RELOADING=1` with (clock_gettime(2)).
private func monotonicMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
}
