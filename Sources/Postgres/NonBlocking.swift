import CLibPQ

/// The calls that never wait. The order is: `send`, `flush` until it is true, then for each readable socket
/// `consumeInput` and, while not `isBusy`, `nextResult` until it is nil.
extension Connection {
    /// Hands one statement with bound parameters to libpq (`PQsendQueryParams`).
    public func send(_ sql: String, _ parameters: [Parameter?] = []) throws {
        let sql = try cString(sql)
        let sent = try EncodedParameters(parameters).withPointers { count, values, lengths, formats in
            PQsendQueryParams(handle, sql, count, nil, values, lengths, formats, 0)
        }
        guard sent == 1 else { throw connectionError() }
    }

    /// Hands a script of any number of statements to libpq; there is a result for each (`PQsendQuery`).
    public func send(script: String) throws {
        guard PQsendQuery(handle, try cString(script)) == 1 else { throw connectionError() }
    }

    /// Sends what libpq still holds. False: wait until the socket can be written (or read) and call again
    /// (`PQflush`).
    public func flush() throws -> Bool {
        let left = PQflush(handle)
        guard left >= 0 else { throw connectionError() }
        return left == 0
    }

    /// Reads what the socket has; call it whenever the socket is readable (`PQconsumeInput`).
    public func consumeInput() throws {
        guard PQconsumeInput(handle) == 1 else { throw connectionError() }
    }

    /// Whether `nextResult` would have to wait (`PQisBusy`).
    public var isBusy: Bool { PQisBusy(handle) == 1 }

    /// The next result of what was sent; nil when all of it is done (`PQgetResult`).
    ///
    /// Throws when that statement failed: the caller must then still go on until nil, unless the connection
    /// is lost.
    public func nextResult() throws -> Rows? { try waitForResult() }

    /// Notifications that have arrived, oldest first; reads no socket: call `consumeInput` before
    /// (`PQnotifies`).
    public func notifications() -> [Notification] {
        var list: [Notification] = []
        while let pointer = PQnotifies(handle) {
            defer { PQfreemem(pointer) }
            let notify = pointer.pointee
            list.append(
                Notification(
                    channel: notify.relname.map { String(cString: $0) } ?? "",
                    payload: notify.extra.map { String(cString: $0) } ?? "",
                    sender: notify.be_pid))
        }
        return list
    }
}

/// One NOTIFY that reached this session.
public struct Notification: Hashable, Sendable {
    public let channel: String
    public let payload: String
    /// The server process of the session that sent it.
    public let sender: Int32

    public init(channel: String, payload: String, sender: Int32) {
        self.channel = channel
        self.payload = payload
        self.sender = sender
    }
}
