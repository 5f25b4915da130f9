/// What the daemon knows of one of its connections.
struct Line {
    enum State: Equatable {
        /// Not connected; the next attempt is due at this moment.
        case down(retryAt: Duration)
        case connecting(until: Duration)
        /// Connected; these requests come before the first real one. The first of them is on its way.
        case preparing(Request, then: [Request], until: Duration)
        case idle
        /// A request is on its way.
        case asking(Request, since: Duration, until: Duration)
    }

    var state = State.down(retryAt: .zero)
    /// Losses and failed attempts in a row.
    var failures = 0
    /// Since when it has been ready for work; nil when it is not.
    var upSince: Duration?
    /// What has been logged since things last went well, so that an outage of an hour is a few lines.
    var complaints: Set<String> = []

    var isUp: Bool { upSince != nil }

    /// The request on its way, once the line is prepared.
    var request: Request? {
        if case .asking(let request, _, _) = state { request } else { nil }
    }

    /// When to give up waiting for the other side.
    var deadline: Duration? {
        switch state {
        case .down, .idle: nil
        case .connecting(let until), .preparing(_, _, let until), .asking(_, _, let until): until
        }
    }

    /// Whether this complaint is new since things last went well.
    mutating func complain(_ text: String) -> Bool {
        // Texts with ever-changing parts must not fill the memory of an endless outage.
        complaints.count < 16 && complaints.insert(text).inserted
    }
}
