/// A JSON document as the parser library writes it. Decoded here and not by Foundation: a decoder that must
/// try each kind of value in turn takes seconds for the trees of this project, and this takes a fraction of
/// one.
enum JSON: Hashable, Sendable {
    case object([Field])
    case array([JSON])
    case string(String)
    case number(Int)
    case bool(Bool)
    case null

    struct Field: Hashable, Sendable {
        let name: String
        let value: JSON
    }

    subscript(name: String) -> JSON {
        guard case .object(let fields) = self else { return .null }
        return fields.first { $0.name == name }?.value ?? .null
    }

    /// Reads a whole document; nil when it is none.
    init?(_ text: String) {
        var reader = JSONReader(bytes: Array(text.utf8))
        guard let value = reader.value(), reader.isAtEnd else { return nil }
        self = value
    }
}

private struct JSONReader {
    let bytes: [UInt8]
    private var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return index == bytes.count
        }
    }

    mutating func value() -> JSON? {
        skipSpace()
        guard index < bytes.count else { return nil }
        switch bytes[index] {
        case UInt8(ascii: "{"): return object()
        case UInt8(ascii: "["): return array()
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return word("true", .bool(true))
        case UInt8(ascii: "f"): return word("false", .bool(false))
        case UInt8(ascii: "n"): return word("null", .null)
        default: return number()
        }
    }

    private mutating func object() -> JSON? {
        index += 1
        var fields: [JSON.Field] = []
        while !take("}") {
            guard fields.isEmpty || take(",") else { return nil }
            skipSpace()
            guard let name = string(), take(":"), let value = value() else { return nil }
            fields.append(JSON.Field(name: name, value: value))
        }
        return .object(fields)
    }

    private mutating func array() -> JSON? {
        index += 1
        var elements: [JSON] = []
        while !take("]") {
            guard elements.isEmpty || take(","), let element = value() else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }

    private mutating func string() -> String? {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return nil }
        index += 1
        var text: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let scalar = escaped() else { return nil }
                text += Array(String(scalar).utf8)
            default: text.append(byte)
            }
        }
        return nil
    }

    /// What follows a backslash. The library writes characters beyond ASCII as they are.
    private mutating func escaped() -> Unicode.Scalar? {
        guard index < bytes.count else { return nil }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "u"):
            guard index + 4 <= bytes.count,
                let code = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
            else { return nil }
            index += 4
            return Unicode.Scalar(code)
        default: return Unicode.Scalar(byte)
        }
    }

    private mutating func number() -> JSON? {
        let start = index
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") { index += 1 }
        while index < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[index] { index += 1 }
        return Int(String(decoding: bytes[start..<index], as: UTF8.self)).map { .number($0) }
    }

    private mutating func word(_ word: String, _ value: JSON) -> JSON? {
        guard bytes[index...].starts(with: word.utf8) else { return nil }
        index += word.utf8.count
        return value
    }

    private mutating func take(_ mark: Unicode.Scalar) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == UInt8(ascii: mark) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < bytes.count, bytes[index] <= 0x20 { index += 1 }
    }
}
