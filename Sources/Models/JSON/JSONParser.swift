extension JSON {
    /// Why a text is no JSON, or none that we take.
    struct Malformed: Error, Hashable {
        /// Counted in bytes.
        let offset: Int
    }

    /// Reads one value with nothing but white space around it (RFC 8259).
    ///
    /// Bytes that are no UTF-8 become U+FFFD, and so do halves of surrogate pairs and U+0000, which
    /// PostgreSQL's text has no place for. More than 200 values within each other are refused.
    init(parsing bytes: some Sequence<UInt8>) throws(Malformed) {
        var parser = Parser(Array(bytes))
        self = try parser.document()
    }

    init(parsing text: String) throws(Malformed) { try self.init(parsing: text.utf8) }
}

private struct Parser {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSON.Malformed) -> JSON {
        let value = try value(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw malformed }
        return value
    }

    private var malformed: JSON.Malformed { JSON.Malformed(offset: position) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(JSON.Malformed) {
        guard take(byte) else { throw malformed }
    }

    private mutating func value(depth: Int) throws(JSON.Malformed) -> JSON {
        skipBlanks()
        guard depth < 200 else { throw malformed }
        switch next {
        case 0x7b: return try object(depth: depth + 1)
        case 0x5b: return try array(depth: depth + 1)
        case 0x22: return .string(try string())
        case 0x74: return try word("true", .bool(true))
        case 0x66: return try word("false", .bool(false))
        case 0x6e: return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSON) throws(JSON.Malformed) -> JSON {
        let isThere = word.withUTF8Buffer { bytes[position...].starts(with: $0) }
        guard isThere else { throw malformed }
        position += word.utf8CodeUnitCount
        return value
    }

    private mutating func object(depth: Int) throws(JSON.Malformed) -> JSON {
        position += 1
        var members: [JSON.Member] = []
        skipBlanks()
        if take(0x7d) { return .object([]) }
        repeat {
            skipBlanks()
            let name = try string()
            skipBlanks()
            try expect(0x3a)
            members.append(JSON.Member(name, try value(depth: depth)))
            skipBlanks()
        } while take(0x2c)
        try expect(0x7d)
        return .object(members)
    }

    private mutating func array(depth: Int) throws(JSON.Malformed) -> JSON {
        position += 1
        var elements: [JSON] = []
        skipBlanks()
        if take(0x5d) { return .array([]) }
        repeat {
            elements.append(try value(depth: depth))
            skipBlanks()
        } while take(0x2c)
        try expect(0x5d)
        return .array(elements)
    }

    // MARK: Numbers

    private mutating func number() throws(JSON.Malformed) -> JSON {
        let start = position
        _ = take(0x2d)
        let hasLeadingZero = next == 0x30
        let digits = skipDigits()
        guard digits > 0, digits == 1 || !hasLeadingZero else { throw malformed }
        var isWhole = true
        if take(0x2e) {
            isWhole = false
            guard skipDigits() > 0 else { throw malformed }
        }
        if take(0x65) || take(0x45) {
            isWhole = false
            if !take(0x2b) { _ = take(0x2d) }
            guard skipDigits() > 0 else { throw malformed }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let integer = Int(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else { throw malformed }
        return .number(number)
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = next, 0x30...0x39 ~= byte { position += 1 }
        return position - start
    }

    // MARK: Strings

    private mutating func string() throws(JSON.Malformed) -> String {
        try expect(0x22)
        let start = position
        while let byte = next, byte != 0x22, byte != 0x5c, byte >= 0x20 { position += 1 }
        guard next != 0x22 else {
            position += 1
            return String(decoding: bytes[start..<(position - 1)], as: UTF8.self)
        }
        var text = Array(bytes[start..<position])
        while let byte = next, byte >= 0x20 {
            position += 1
            switch byte {
            case 0x22: return String(decoding: text, as: UTF8.self)
            case 0x5c: text += try escaped()
            default: text.append(byte)
            }
        }
        throw malformed
    }

    private mutating func escaped() throws(JSON.Malformed) -> [UInt8] {
        guard let byte = next else { throw malformed }
        position += 1
        switch byte {
        case 0x22, 0x5c, 0x2f: return [byte]
        case 0x62: return [0x08]
        case 0x66: return [0x0c]
        case 0x6e: return [0x0a]
        case 0x72: return [0x0d]
        case 0x74: return [0x09]
        case 0x75: return Array(String(try scalar()).utf8)
        default: throw malformed
        }
    }

    /// One code point of one or, as a surrogate pair, two escapes.
    private mutating func scalar() throws(JSON.Malformed) -> Character {
        let first = try hexadecimals()
        if 0xd800...0xdbff ~= first {
            let afterFirst = position
            if take(0x5c), take(0x75) {
                let second = try hexadecimals()
                if 0xdc00...0xdfff ~= second,
                    let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
                {
                    return Character(scalar)
                }
            }
            position = afterFirst
        }
        guard first != 0, let scalar = Unicode.Scalar(first) else { return "\u{FFFD}" }
        return Character(scalar)
    }

    private mutating func hexadecimals() throws(JSON.Malformed) -> UInt32 {
        var number: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw malformed
            }
            number = number << 4 | UInt32(digit)
            position += 1
        }
        return number
    }
}
