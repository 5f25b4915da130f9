import CLibPQ
import Glibc

/// One session with a server. Every call to libpq passes through this type and its extensions.
///
/// A connection belongs to one thread. `query` and `execute` wait for the server; `send`, `consumeInput`,
/// `isBusy` and `nextResult` never do, so one thread can watch the `socket` of many connections with poll(2).
public final class Connection {
    /// The `PGconn`; nil after `close`.
    private(set) var handle: OpaquePointer?

    /// Called with each NOTICE or WARNING, on the thread that reads the connection. Nil ignores them.
    public var onNotice: ((PostgresError) -> Void)?

    private init(_ handle: OpaquePointer) {
        self.handle = handle
        // The receiver gets an unretained pointer to self: `close`, at the latest in deinit, ends the PGconn
        // first.
        PQsetNoticeReceiver(
            handle,
            { context, result in
                guard let context, let result else { return }
                let connection = Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
                connection.onNotice?(PostgresError(result: result))
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { close() }

    /// Ends the session; harmless when it has ended already (`PQfinish`).
    public func close() {
        if let handle { PQfinish(handle) }
        handle = nil
    }

    // MARK: Connecting

    /// Opens a session and waits for it (`PQconnectdbParams`).
    ///
    /// - Parameters:
    ///   - conninfo: a URI or `key=value` pairs; empty leaves everything to libpq's environment.
    ///   - database: replaces the database named in `conninfo`.
    ///   - applicationName: shown in `pg_stat_activity`, unless `conninfo` or `PGAPPNAME` says otherwise.
    public static func connect(
        _ conninfo: String = "", database: String? = nil, applicationName: String = "concierge"
    ) throws -> Connection {
        let connection = try open(conninfo, database, applicationName) { PQconnectdbParams($0, $1, 1) }
        guard PQstatus(connection.handle) == CONNECTION_OK else { throw connection.connectError() }
        return connection
    }

    /// Begins to open a session and returns at once; go on with `continueConnecting`
    /// (`PQconnectStartParams`).
    public static func start(
        _ conninfo: String = "", database: String? = nil, applicationName: String = "concierge"
    ) throws -> Connection {
        let connection = try open(conninfo, database, applicationName) { PQconnectStartParams($0, $1, 1) }
        guard PQstatus(connection.handle) != CONNECTION_BAD else { throw connection.connectError() }
        return connection
    }

    private typealias Keywords = UnsafePointer<UnsafePointer<CChar>?>

    private static func open(
        _ conninfo: String, _ database: String?, _ applicationName: String,
        _ call: (Keywords, Keywords) -> OpaquePointer?
    ) throws -> Connection {
        // Later words win over earlier ones, and only the first dbname is expanded as a connection string.
        var words = [("fallback_application_name", applicationName)]
        if !conninfo.isEmpty { words.append(("dbname", conninfo)) }
        if let database { words.append(("dbname", database)) }
        words.append(("client_encoding", "UTF8"))

        let keywords = try EncodedParameters(words.map { Parameter($0.0) })
        let values = try EncodedParameters(words.map { Parameter($0.1) })
        let handle = keywords.withPointers { _, keywords, _, _ in
            values.withPointers { _, values, _, _ in call(keywords + [nil], values + [nil]) }
        }
        guard let handle else {
            throw PostgresError(sqlState: .unableToConnect, message: "libpq is out of memory")
        }
        return Connection(handle)
    }

    /// What a session that is being opened waits for.
    public enum ConnectProgress: Sendable {
        case waitingToRead
        case waitingToWrite
        case connected
    }

    /// Takes the next step of opening, once the socket is ready; throws when the server cannot be reached
    /// (`PQconnectPoll`). The socket may be another one after each step. The session then never blocks in
    /// `send`.
    public func continueConnecting() throws -> ConnectProgress {
        switch PQconnectPoll(handle) {
        case PGRES_POLLING_READING:
            return .waitingToRead
        case PGRES_POLLING_WRITING:
            return .waitingToWrite
        case PGRES_POLLING_OK:
            PQsetnonblocking(handle, 1)
            return .connected
        default:
            throw connectError()
        }
    }

    // MARK: Asking and waiting

    /// Runs one statement with bound parameters and waits for its result (`PQexecParams`).
    @discardableResult
    public func query(_ sql: String, _ parameters: [Parameter?] = []) throws -> Rows {
        let sql = try cString(sql)
        let result = try EncodedParameters(parameters).withPointers { count, values, lengths, formats in
            PQexecParams(handle, sql, count, nil, values, lengths, formats, 0)
        }
        return try rows(of: result)
    }

    /// Runs a script of any number of statements and returns a result for each (`PQsendQuery`).
    ///
    /// Without a transaction of its own the whole script is one. The first error ends the script.
    ///
    /// - Parameters:
    ///   - interval: how often `whileWaiting` is called while the server has not answered.
    ///   - whileWaiting: may look around on another connection; this one is busy.
    @discardableResult
    public func execute(
        script: String, every interval: Duration = .zero, whileWaiting: (() -> Void)? = nil
    ) throws -> [Rows] {
        try send(script: script)
        var results: [Rows] = []
        var failure: (any Error)?
        while true {
            do {
                if let whileWaiting { try wait(every: interval, whileWaiting) }
                guard let rows = try waitForResult() else { break }
                results.append(rows)
            } catch let error as PostgresError {
                if failure == nil { failure = error }
                if !isOpen { break }
            }
        }
        if let failure { throw failure }
        return results
    }

    /// Waits until the next result can be had without waiting.
    private func wait(every interval: Duration, _ whileWaiting: () -> Void) throws {
        let milliseconds = Int32(interval / .milliseconds(1))
        while isBusy {
            var entry = pollfd(fd: socket ?? -1, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, milliseconds) == 0 { whileWaiting() } else { try consumeInput() }
        }
    }

    /// Runs the body in a transaction: committed when it returns, rolled back when it throws. The body's
    /// error wins.
    @discardableResult
    public func transaction<Result>(begin: String = "begin", _ body: () throws -> Result) throws -> Result {
        try execute(script: begin)
        do {
            let result = try body()
            let end = try execute(script: "commit")
            // The server answers ROLLBACK, and no error, when the body hid a failed statement.
            guard end.last?.command == "COMMIT" else {
                throw PostgresError(
                    sqlState: .inFailedTransaction, message: "a statement of this transaction had failed")
            }
            return result
        } catch {
            if isOpen, transactionStatus != .idle { _ = try? execute(script: "rollback") }
            throw error
        }
    }

    /// Asks the server to stop the statement under way; that statement then fails with 57014 (`PQcancel`).
    public func cancel() throws {
        guard let request = PQgetCancel(handle) else { throw connectionError() }
        defer { PQfreeCancel(request) }
        var text = [CChar](repeating: 0, count: 256)
        guard PQcancel(request, &text, Int32(text.count)) == 1 else {
            throw PostgresError(sqlState: .connectionFailure, message: sentence(text))
        }
    }

    // MARK: Describing

    /// Whether the session is usable as far as libpq knows (`PQstatus`).
    public var isOpen: Bool { handle != nil && PQstatus(handle) == CONNECTION_OK }

    /// The file descriptor to poll, or nil when there is none (`PQsocket`).
    public var socket: Int32? {
        let socket = PQsocket(handle)
        return socket < 0 ? nil : socket
    }

    /// The server process behind the session, as in `pg_stat_activity.pid` (`PQbackendPID`).
    public var backendPID: Int32 { PQbackendPID(handle) }

    /// The server's version as one number, for example 150008 (`PQserverVersion`).
    public var serverVersion: Int { Int(PQserverVersion(handle)) }

    /// The database the session is in (`PQdb`).
    public var database: String { PQdb(handle).map { String(cString: $0) } ?? "" }

    /// Where the session is, as `key=value` pairs that psql and drivers take; without a password (`PQhost`,
    /// `PQport`, `PQuser`).
    public var address: String {
        func text(_ value: UnsafeMutablePointer<CChar>?) -> String { value.map { String(cString: $0) } ?? "" }
        return [("host", text(PQhost(handle))), ("port", text(PQport(handle))), ("user", text(PQuser(handle)))]
            .filter { !$0.1.isEmpty }.map { "\($0)=\($1)" }.joined(separator: " ")
    }

    /// Where the session stands between transactions.
    public enum TransactionStatus: Sendable { case idle, active, inTransaction, inFailedTransaction, unknown }

    /// The server's last word on it (`PQtransactionStatus`).
    public var transactionStatus: TransactionStatus {
        switch PQtransactionStatus(handle) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_ACTIVE: .active
        case PQTRANS_INTRANS: .inTransaction
        case PQTRANS_INERROR: .inFailedTransaction
        default: .unknown
        }
    }

    /// A name quoted for use in SQL text, quotes included (`PQescapeIdentifier`).
    public func escapeIdentifier(_ name: String) throws -> String {
        try escape(name, PQescapeIdentifier)
    }

    /// A value quoted for use in SQL text, quotes included (`PQescapeLiteral`). Bound parameters are better.
    public func escapeLiteral(_ value: String) throws -> String {
        try escape(value, PQescapeLiteral)
    }

    private func escape(
        _ text: String, _ call: (OpaquePointer?, UnsafePointer<CChar>?, Int) -> UnsafeMutablePointer<CChar>?
    ) throws -> String {
        let bytes = try cString(text)
        guard let escaped = call(handle, bytes, bytes.count - 1) else { throw connectionError() }
        defer { PQfreemem(escaped) }
        return String(cString: escaped)
    }
}
