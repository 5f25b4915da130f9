/// What the server, or libpq, said went wrong, field by field. Bound parameter values are never part of it.
public struct PostgresError: Error, Hashable, Sendable {
    /// `ERROR`, `FATAL`, `PANIC`; for a notice `WARNING`, `NOTICE`, `INFO`, `LOG`, `DEBUG`. Never translated.
    public var severity: String
    /// The code to branch on.
    public var sqlState: SQLState
    /// The primary sentence.
    public var message: String
    /// The second sentence, when there is one.
    public var detail: String?
    /// What to do about it.
    public var hint: String?
    /// The call stack of functions and statements, innermost first, one a line.
    public var context: String?
    /// Where in the statement, counted in characters (not bytes) from 1.
    public var position: Int?
    /// The schema, table, column and constraint that were violated, where the server names them.
    public var schema: String?
    public var table: String?
    public var column: String?
    public var constraint: String?

    public init(
        severity: String = "ERROR", sqlState: SQLState, message: String, detail: String? = nil,
        hint: String? = nil,
        context: String? = nil, position: Int? = nil, schema: String? = nil, table: String? = nil,
        column: String? = nil, constraint: String? = nil
    ) {
        self.severity = severity
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.context = context
        self.position = position
        self.schema = schema
        self.table = table
        self.column = column
        self.constraint = constraint
    }

    /// Whether the connection is gone and another one must be opened.
    public var isConnectionLoss: Bool {
        sqlState.category == "08" || sqlState == .adminShutdown || severity == "FATAL" || severity == "PANIC"
    }
}

extension PostgresError: CustomStringConvertible {
    /// Message and code on the first line, then DETAIL, HINT and CONTEXT on lines of their own.
    public var description: String {
        var lines = ["\(severity): \(message) [\(sqlState)]"]
        for (label, text) in [("DETAIL", detail), ("HINT", hint), ("CONTEXT", context)] {
            if let text { lines.append("\(label): \(text)") }
        }
        return lines.joined(separator: "\n")
    }
}
