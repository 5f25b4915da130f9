/// A JSON value. Members keep their order.
///
/// Numbers are exact as far as a `Double` is, and whole ones as far as an `Int`.
public enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    /// One member of an object.
    public struct Member: Hashable, Sendable {
        /// Without quotes and escapes.
        public var name: String
        /// What stands after the colon.
        public var value: JSON

        public init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// The member of that name, of several the last; nil when there is none, or this is no object.
    public subscript(_ name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }
}

// MARK: Reading a value for what it should be

extension JSON {
    var text: String? { if case .string(let text) = self { text } else { nil } }

    var elements: [JSON]? { if case .array(let elements) = self { elements } else { nil } }

    var isObject: Bool { if case .object = self { true } else { false } }

    var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }

    var int: Int? {
        switch self {
        case .integer(let number): number
        case .number(let number): Int(exactly: number)
        default: nil
        }
    }

    /// A number of things: never negative, and never so large that a sum of them could overflow.
    var count: Int? { int.map { min(max($0, 0), 1 << 50) } }
}

// MARK: Writing literals

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member($0, $1) })
    }

    /// Adds a member, if it has a value, to an object.
    mutating func add(_ name: String, _ value: JSON?) {
        guard let value, case .object(var members) = self else { return }
        self = .null // or `members` would be copied
        members.append(Member(name, value))
        self = .object(members)
    }
}
