import CLibPQ

/// The outcome of one statement: its rows, if it returns any, and its command tag.
///
/// The rows live in libpq's memory and are freed with the last copy of this value (`PQclear`).
public struct Rows {
    let handle: ResultHandle
    /// Column names in order.
    public let columns: [String]

    init(_ handle: ResultHandle) {
        self.handle = handle
        columns = (0..<PQnfields(handle.pointer)).map { column in
            PQfname(handle.pointer, column).map { String(cString: $0) } ?? ""
        }
    }

    /// What the server calls the statement, for example `INSERT 0 3` (`PQcmdStatus`).
    public var command: String { PQcmdStatus(handle.pointer).map { String(cString: $0) } ?? "" }

    /// How many rows the statement changed or returned (`PQcmdTuples`).
    public var affected: Int { PQcmdTuples(handle.pointer).flatMap { Int(String(cString: $0)) } ?? 0 }

    /// Whether the statement is one that returns rows, even if there were none.
    public var hasColumns: Bool { PQresultStatus(handle.pointer) == PGRES_TUPLES_OK }

    var status: ExecStatusType { PQresultStatus(handle.pointer) }
}

/// Owns one `PGresult`; freed when nothing refers to it.
final class ResultHandle {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { PQclear(pointer) }
}

extension Rows: RandomAccessCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { Int(PQntuples(handle.pointer)) }
    public subscript(index: Int) -> Row { Row(rows: self, index: Int32(index)) }

    /// The only value of the only row; nil when there is no row or it is null.
    public var scalar: String? { isEmpty || columns.isEmpty ? nil : self[0][0] }
}

/// One row. Columns are read as text by number or name, or as a Swift type with `value` and `optional`.
public struct Row {
    let rows: Rows
    let index: Int32

    /// The text of a column by its number from 0; nil is SQL null (`PQgetvalue`, `PQgetisnull`).
    public subscript(column: Int) -> String? {
        let column = Int32(column)
        guard PQgetisnull(rows.handle.pointer, index, column) == 0,
            let value = PQgetvalue(rows.handle.pointer, index, column)
        else { return nil }
        return String(cString: value)
    }

    /// The text of a column by its name; nil is SQL null, or a name the result does not have.
    public subscript(name: String) -> String? {
        rows.columns.firstIndex(of: name).flatMap { self[$0] }
    }

    /// A column that must not be null, as `Value`. Throws when it is null, missing, or not a `Value`.
    public func value<Value: ColumnValue>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        guard let value = try optional(name, as: type) else {
            throw PostgresError(sqlState: .notNullViolation, message: "column \"\(name)\" is null")
        }
        return value
    }

    /// A column that may be null, as `Value?`. Throws when it is missing or not a `Value`.
    public func optional<Value: ColumnValue>(
        _ name: String, as type: Value.Type = Value.self
    ) throws -> Value? {
        guard let column = rows.columns.firstIndex(of: name) else {
            throw PostgresError(sqlState: .undefinedColumn, message: "the result has no column \"\(name)\"")
        }
        guard let text = self[column] else { return nil }
        guard let value = Value(postgresText: text) else {
            throw PostgresError(
                sqlState: .invalidTextRepresentation,
                message: "column \"\(name)\" does not hold a \(Value.self)")
        }
        return value
    }
}

/// A Swift type that can be read from the text PostgreSQL prints for a column.
public protocol ColumnValue {
    init?(postgresText: String)
}

extension String: ColumnValue {
    public init?(postgresText: String) { self = postgresText }
}
extension Int: ColumnValue {
    public init?(postgresText: String) { self.init(postgresText) }
}
extension Int32: ColumnValue {
    public init?(postgresText: String) { self.init(postgresText) }
}
extension Int64: ColumnValue {
    public init?(postgresText: String) { self.init(postgresText) }
}
extension Double: ColumnValue {
    public init?(postgresText: String) { self.init(postgresText) }
}
extension Bool: ColumnValue {
    public init?(postgresText: String) {
        switch postgresText {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

/// A one-dimensional array of text; null elements are not representable and make the conversion fail.
extension [String]: ColumnValue {
    public init?(postgresText: String) {
        var elements: [String] = []
        var rest = Substring(postgresText).unicodeScalars
        guard rest.popFirst() == "{", rest.last == "}" else { return nil }
        rest.removeLast()
        while !rest.isEmpty {
            var element = String.UnicodeScalarView()
            if rest.first == "\"" {
                rest.removeFirst()
                while let scalar = rest.popFirst(), scalar != "\"" {
                    guard let next = scalar == "\\" ? rest.popFirst() : scalar else { return nil }
                    element.append(next)
                }
            } else {
                while let scalar = rest.first, scalar != "," {
                    guard scalar != "{", scalar != "\"" else { return nil }
                    element.append(rest.removeFirst())
                }
                guard String(element) != "NULL" else { return nil }
            }
            elements.append(String(element))
            if let separator = rest.popFirst(), separator != "," || rest.isEmpty { return nil }
        }
        self = elements
    }
}
