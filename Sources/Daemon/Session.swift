import Glibc
import Postgres

/// One connection and the conversation on it, in steps that never wait: at most one request at a time, its
/// answer as an event.
final class Session {
    let link: Link
    private let connection: Connection
    private var isConnecting = true
    private var isFlushed = true
    private var wantsToWrite = true
    private var request: Request?
    private var rows: Rows?
    private var error: PostgresError?
    /// What the server said before it hung up.
    private var lastWords: String?

    init(_ link: Link, conninfo: String) throws {
        self.link = link
        connection = try Connection.start(conninfo, applicationName: "concierge-daemon")
        connection.onNotice = { [unowned self] notice in
            if notice.severity == "FATAL" || notice.severity == "PANIC" { lastWords = notice.message }
        }
    }

    /// What to wait for.
    var pollEntry: pollfd {
        let events = wantsToWrite ? POLLOUT | (isConnecting ? 0 : POLLIN) : POLLIN
        return pollfd(fd: connection.socket ?? -1, events: Int16(events), revents: 0)
    }

    func send(
        _ request: Request, worker: String, kinds: [String], lease: Duration, inHand: [String]
    ) throws {
        let (sql, parameters) = try request.statement(
            worker: worker, kinds: kinds, lease: lease, inHand: inHand, quoted: connection.escapeIdentifier)
        self.request = request
        try connection.send(sql, parameters)
        try flush()
    }

    func cancel() throws { try connection.cancel() }

    func close() { connection.close() }

    /// Takes whatever steps the socket allows. An event `.lost` is always the last one of a session.
    func advance() -> [Event] {
        do {
            return isConnecting ? try connect() : try converse()
        } catch {
            return [.lost(link, reason: lastWords ?? reason(error))]
        }
    }

    private func connect() throws -> [Event] {
        switch try connection.continueConnecting() {
        case .waitingToRead:
            wantsToWrite = false
        case .waitingToWrite:
            wantsToWrite = true
        case .connected:
            isConnecting = false
            wantsToWrite = false
            return [.connected(link)]
        }
        return []
    }

    private func converse() throws -> [Event] {
        try connection.consumeInput()
        try flush()
        var events: [Event] = []
        let notifications = connection.notifications()
        if notifications.contains(where: { $0.channel == "queue_job" }) { events.append(.enqueued) }
        if !notifications.isEmpty { events.append(.notified) }
        if let request, try isAnswered() { events.append(answer(to: request)) }
        return events
    }

    private func flush() throws {
        wantsToWrite = try !connection.flush()
    }

    /// Reads the results that are there; true when the last one was.
    private func isAnswered() throws -> Bool {
        while !connection.isBusy {
            do {
                guard let rows = try connection.nextResult() else { return true }
                self.rows = rows
            } catch let failure as PostgresError {
                if failure.isConnectionLoss || !connection.isOpen { throw failure }
                error = error ?? failure
            }
        }
        return false
    }

    private func answer(to request: Request) -> Event {
        defer { (self.request, rows, error) = (nil, nil, nil) }
        if let error { return .refused(link, error) }
        guard let rows else { return .answered(link, .done) }
        do {
            return .answered(link, try request.answer(from: rows))
        } catch {
            // The function is there and returns something else than the contract says.
            let error = error as? PostgresError ?? PostgresError(sqlState: .protocolViolation, message: "\(error)")
            return .refused(link, error)
        }
    }
}

/// One line for the log.
func reason(_ error: any Error) -> String {
    (error as? PostgresError)?.message ?? "\(error)"
}
