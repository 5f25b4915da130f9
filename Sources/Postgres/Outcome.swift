import CLibPQ

// The one place where libpq's answers become rows or a thrown error.

extension Connection {
    /// Waits for the next result of what was sent; nil when there is none left (`PQgetResult`).
    func waitForResult() throws -> Rows? {
        while let result = PQgetResult(handle) {
            // A COPY in a plain script has nobody to talk to: refuse its input, pass over its output.
            switch PQresultStatus(result) {
            case PGRES_COPY_IN:
                PQclear(result)
                PQputCopyEnd(handle, "COPY FROM STDIN has no data here")
            case PGRES_COPY_OUT:
                PQclear(result)
                var buffer: UnsafeMutablePointer<CChar>?
                while PQgetCopyData(handle, &buffer, 0) > 0 { PQfreemem(buffer) }
            default:
                return try rows(of: result)
            }
        }
        return nil
    }

    /// The rows of a result, or the error it stands for. Takes ownership of the result.
    func rows(of result: OpaquePointer?) throws -> Rows {
        guard let result else { throw connectionError() }
        let rows = Rows(ResultHandle(result))
        switch rows.status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE, PGRES_EMPTY_QUERY, PGRES_COPY_IN,
            PGRES_COPY_OUT:
            return rows
        default:
            throw PostgresError(result: result)
        }
    }

    /// libpq's own complaint about this connection (`PQerrorMessage`).
    func connectionError() -> PostgresError {
        guard let handle else {
            return PostgresError(sqlState: .connectionException, message: "the connection is closed")
        }
        return PostgresError(sqlState: .connectionFailure, message: sentence(PQerrorMessage(handle)))
    }

    /// Why the server could not be reached, or refused (`PQerrorMessage`).
    func connectError() -> PostgresError {
        var error = connectionError()
        error.severity = "FATAL"
        error.sqlState = .unableToConnect
        return error
    }

    /// The text with its final NUL for libpq; a NUL inside would silently cut it short, so it is refused.
    func cString(_ text: String) throws -> [CChar] {
        guard !text.utf8.contains(0) else {
            throw PostgresError(
                sqlState: .characterNotInRepertoire, message: "the statement contains a NUL character")
        }
        return text.utf8.map { CChar(bitPattern: $0) } + [0]
    }
}

extension PostgresError {
    /// The fields of an error or notice (`PQresultErrorField`).
    init(result: OpaquePointer) {
        func field(_ code: UInt8) -> String? {
            PQresultErrorField(result, Int32(code)).map { String(cString: $0) }
        }
        // The codes are the PG_DIAG_… letters of postgres_ext.h.
        self.init(
            severity: field(UInt8(ascii: "V")) ?? "ERROR",
            // Without a SQLSTATE it is libpq speaking, not the server: the connection is lost.
            sqlState: field(UInt8(ascii: "C")).map { SQLState($0) } ?? .connectionFailure,
            message: field(UInt8(ascii: "M")) ?? sentence(PQresultErrorMessage(result)),
            detail: field(UInt8(ascii: "D")),
            hint: field(UInt8(ascii: "H")),
            context: field(UInt8(ascii: "W")),
            position: field(UInt8(ascii: "P")).flatMap { Int($0) },
            schema: field(UInt8(ascii: "s")),
            table: field(UInt8(ascii: "t")),
            column: field(UInt8(ascii: "c")),
            constraint: field(UInt8(ascii: "n")))
    }
}

/// A message from libpq without its final newline.
func sentence(_ message: UnsafePointer<CChar>?) -> String {
    var text = Substring(message.map { String(cString: $0) } ?? "unknown error")
    while let last = text.last, last.isNewline || last == " " { text.removeLast() }
    return String(text)
}
