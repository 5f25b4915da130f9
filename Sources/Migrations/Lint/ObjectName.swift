/// The name of a relation, function or type, as far as a statement gives it.
public struct ObjectName: Hashable, Sendable, CustomStringConvertible {
    public let schema: String?
    public let name: String

    public init(_ schema: String?, _ name: String) {
        self.schema = schema
        self.name = name
    }

    /// The words of a dotted name: `["access", "tenants"]`.
    init?(_ words: some BidirectionalCollection<String>) {
        guard let name = words.last else { return nil }
        self.init(words.dropLast().last, name)
    }

    /// The relation a `RangeVar` names.
    init?(_ range: SyntaxTree) {
        guard let name = range.relname.text else { return nil }
        self.init(range.schemaname.text, name)
    }

    /// Whether both can be the same thing: one that does not say its schema may be in any.
    public func matches(_ other: ObjectName) -> Bool {
        name == other.name && (schema == other.schema || schema == nil || other.schema == nil)
    }

    public var description: String { schema.map { $0 + "." + name } ?? name }
}

extension Sequence where Element == ObjectName {
    func holds(_ name: ObjectName) -> Bool { contains { $0.matches(name) } }
}
