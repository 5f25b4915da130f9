import CLibPQ

/// COPY, in text form and waiting for the server: bulk data for loaders and benchmarks.
extension Connection {
    /// Runs a `copy … from stdin`; the body calls its argument with bytes as often as it likes, cut anywhere.
    /// Returns how many rows arrived. When the body throws, nothing is copied (`PQputCopyData`,
    /// `PQputCopyEnd`).
    @discardableResult
    public func copyIn(
        _ sql: String, _ body: (_ write: ([UInt8]) throws -> Void) throws -> Void
    ) throws -> Int {
        // A non-blocking connection would answer "try again later" here.
        let wasNonBlocking = PQisnonblocking(handle) == 1
        if wasNonBlocking { PQsetnonblocking(handle, 0) }
        defer { if wasNonBlocking { PQsetnonblocking(handle, 1) } }

        try begin(copy: sql, expecting: PGRES_COPY_IN)
        do {
            try body { bytes in
                let sent = bytes.withUnsafeBytes { bytes in
                    PQputCopyData(handle, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
                }
                guard sent == 1 else { throw connectionError() }
            }
        } catch {
            PQputCopyEnd(handle, "the client gave up")
            _ = try? drain()
            throw error
        }
        guard PQputCopyEnd(handle, nil) == 1 else { throw connectionError() }
        return try drain()
    }

    /// Runs a `copy … to stdout` and hands each row, with its newline, to the body (`PQgetCopyData`).
    @discardableResult
    public func copyOut(_ sql: String, _ body: ([UInt8]) throws -> Void) throws -> Int {
        try begin(copy: sql, expecting: PGRES_COPY_OUT)
        var failure: (any Error)?
        while true {
            var buffer: UnsafeMutablePointer<CChar>?
            let length = PQgetCopyData(handle, &buffer, 0)
            guard length > 0, let buffer else { break }
            defer { PQfreemem(buffer) }
            guard failure == nil else { continue }
            let bytes = UnsafeRawBufferPointer(start: buffer, count: Int(length))
            do { try body(Array(bytes)) } catch { failure = error }
        }
        let count = try drain()
        if let failure { throw failure }
        return count
    }

    private func begin(copy sql: String, expecting status: ExecStatusType) throws {
        let rows = try query(sql)
        guard rows.status == status else {
            throw PostgresError(sqlState: .syntaxError, message: "the statement is no COPY in that direction")
        }
    }

    /// Reads results to the end: the count of the last one, or the first error.
    private func drain() throws -> Int {
        var count = 0
        var failure: (any Error)?
        while true {
            do {
                guard let rows = try waitForResult() else { break }
                count = rows.affected
            } catch {
                if failure == nil { failure = error }
                if !isOpen { break }
            }
        }
        if let failure { throw failure }
        return count
    }
}
