/// Header fields in their order. Names are found whatever their case; a name may occur more than once.
public struct HTTPHeaders: Hashable, Sendable {
    /// One line of a head.
    public struct Field: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public private(set) var fields: [Field]

    public init(_ fields: [Field] = []) { self.fields = fields }

    /// The value of the first field of that name.
    public subscript(_ name: String) -> String? { fields.first { $0.name.equalsIgnoringCase(name) }?.value }

    /// The values of all fields of that name.
    public func all(_ name: String) -> [String] {
        fields.filter { $0.name.equalsIgnoringCase(name) }.map(\.value)
    }

    /// Adds a field after those that are there.
    public mutating func add(_ name: String, _ value: String) { fields.append(Field(name, value)) }

    /// The fields for which the condition holds.
    func filter(_ condition: (Field) -> Bool) -> HTTPHeaders { HTTPHeaders(fields.filter(condition)) }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements.map { Field($0.0, $0.1) })
    }
}

extension String {
    /// Equality with A-Z taken as a-z and nothing else folded, as HTTP compares names.
    func equalsIgnoringCase(_ other: String) -> Bool {
        utf8.count == other.utf8.count
            && zip(utf8, other.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
    }

    /// A-Z as a-z, and nothing else changed.
    var asciiLowercased: String { String(decoding: utf8.map(\.asciiLowercased), as: UTF8.self) }

    /// Whether it can be a method or a header's name (RFC 9110, token).
    var isToken: Bool { !isEmpty && utf8.allSatisfy(\.isTokenByte) }
}

extension UInt8 {
    var asciiLowercased: UInt8 { (0x41...0x5a).contains(self) ? self | 0x20 : self }

    var isDigit: Bool { (0x30...0x39).contains(self) }

    /// Space or tab.
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// Letters, digits and !#$%&'*+-.^_`|~ (RFC 9110, tchar).
    var isTokenByte: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e...0x60, 0x7c, 0x7e: true
        default: false
        }
    }
}
