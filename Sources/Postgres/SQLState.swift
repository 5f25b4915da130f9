/// A five-character SQLSTATE. Unknown codes stay representable, so a new server never breaks a switch.
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) { self.rawValue = rawValue }
    public init(_ code: String) { self.rawValue = code }

    public var description: String { rawValue }

    /// The first two characters: the class of the condition.
    public var category: Substring { rawValue.prefix(2) }

    /// Whether the same transaction, tried again unchanged, may well succeed.
    public var isTransient: Bool {
        switch self {
        case .serializationFailure, .deadlockDetected, .lockNotAvailable, .tooManyConnections,
            .cannotConnectNow:
            true
        default:
            category == "08" || category == "57" && self != .queryCanceled
        }
    }

    // Class 08: connections. Raised by this library when libpq itself gives no code.
    public static let connectionException = SQLState("08000")
    public static let unableToConnect = SQLState("08001")
    public static let connectionFailure = SQLState("08006")
    public static let protocolViolation = SQLState("08P01")

    // Class 22 and 23: data and constraints.
    public static let characterNotInRepertoire = SQLState("22021")
    public static let invalidTextRepresentation = SQLState("22P02")
    public static let notNullViolation = SQLState("23502")
    public static let foreignKeyViolation = SQLState("23503")
    public static let uniqueViolation = SQLState("23505")
    public static let checkViolation = SQLState("23514")

    // Class 25 to 42: transactions, rights, names.
    public static let activeTransaction = SQLState("25001")
    public static let inFailedTransaction = SQLState("25P02")
    public static let invalidCatalogName = SQLState("3D000")
    public static let serializationFailure = SQLState("40001")
    public static let deadlockDetected = SQLState("40P01")
    public static let insufficientPrivilege = SQLState("42501")
    public static let syntaxError = SQLState("42601")
    public static let undefinedColumn = SQLState("42703")
    public static let undefinedFunction = SQLState("42883")
    public static let undefinedTable = SQLState("42P01")
    public static let duplicateDatabase = SQLState("42P04")
    public static let duplicateTable = SQLState("42P07")
    public static let duplicateObject = SQLState("42710")
    public static let duplicateFunction = SQLState("42723")
    public static let wrongObjectType = SQLState("42809")
    public static let invalidFunctionDefinition = SQLState("42P13")
    public static let invalidTableDefinition = SQLState("42P16")

    // Class 53 to 58: resources, operators, system.
    public static let tooManyConnections = SQLState("53300")
    public static let objectInUse = SQLState("55006")
    public static let lockNotAvailable = SQLState("55P03")
    public static let queryCanceled = SQLState("57014")
    public static let adminShutdown = SQLState("57P01")
    public static let cannotConnectNow = SQLState("57P03")
}
