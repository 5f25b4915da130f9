/// A value bound to `$1`, `$2`, …: text that the server parses to the type the statement wants, or bytes for
/// a `bytea`.
///
/// SQL null is a nil `Parameter?`. A parameter prints as its size only, so that values cannot leak into logs.
public struct Parameter: Sendable {
    enum Storage: Sendable {
        case text(String)
        case bytes([UInt8])
    }
    let storage: Storage

    public init(_ text: String) { storage = .text(text) }
    public init(_ text: Substring) { storage = .text(String(text)) }
    public init(_ number: some BinaryInteger) { storage = .text(String(number)) }
    public init(_ number: Double) {
        storage = .text(
            number.isNaN ? "NaN" : number.isInfinite ? (number < 0 ? "-Infinity" : "Infinity") : "\(number)")
    }
    public init(_ flag: Bool) { storage = .text(flag ? "t" : "f") }
    /// An array literal: `text[]` and everything the server reads from one.
    public init(_ elements: [String]) { storage = .text(arrayLiteral(elements)) }
    /// Raw bytes, sent in binary form; the parameter's type must be `bytea`.
    public init(bytes: [UInt8]) { storage = .bytes(bytes) }

    /// A parameter for an optional text, null when it is nil.
    public static func optional(_ text: String?) -> Parameter? { text.map { Parameter($0) } }
}

extension Parameter: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral value: String) { self.init(value) }
    public init(integerLiteral value: Int) { self.init(value) }
    public init(booleanLiteral value: Bool) { self.init(value) }
}

extension Parameter: CustomStringConvertible {
    public var description: String {
        switch storage {
        case .text(let text): "parameter of \(text.utf8.count) bytes"
        case .bytes(let bytes): "parameter of \(bytes.count) bytes"
        }
    }
}

/// The elements as PostgreSQL writes an array: `{"a","b"}`.
private func arrayLiteral(_ elements: [String]) -> String {
    // By the byte: results of jobs are megabytes, and what is escaped is part of no other character.
    var literal = [UInt8(ascii: "{")]
    literal.reserveCapacity(elements.reduce(2) { $0 + $1.utf8.count + 8 })
    for (place, element) in elements.enumerated() {
        if place > 0 { literal.append(UInt8(ascii: ",")) }
        literal.append(UInt8(ascii: "\""))
        for byte in element.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { literal.append(UInt8(ascii: "\\")) }
            literal.append(byte)
        }
        literal.append(UInt8(ascii: "\""))
    }
    literal.append(UInt8(ascii: "}"))
    return String(decoding: literal, as: UTF8.self)
}

/// The pointers libpq wants for a list of parameters, alive for the length of one call.
///
/// All values lie one behind the other in a single buffer. `lengths` and `formats` are read by libpq for
/// binary values.
struct EncodedParameters {
    private var buffer: [CChar] = []
    private var offsets: [Int?] = []
    private var lengths: [Int32] = []
    private var formats: [Int32] = []

    init(_ parameters: [Parameter?]) throws {
        for (index, parameter) in parameters.enumerated() {
            switch parameter?.storage {
            case nil:
                append(nil, length: 0, format: 0)
            case .text(let text):
                guard !text.utf8.contains(0) else {
                    throw PostgresError(
                        sqlState: .characterNotInRepertoire,
                        message: "parameter $\(index + 1) contains a NUL character")
                }
                append(text.utf8.map { CChar(bitPattern: $0) } + [0], length: text.utf8.count, format: 0)
            case .bytes(let bytes):
                append(bytes.map { CChar(bitPattern: $0) } + [0], length: bytes.count, format: 1)
            }
        }
    }

    private mutating func append(_ bytes: [CChar]?, length: Int, format: Int32) {
        offsets.append(bytes == nil ? nil : buffer.count)
        lengths.append(Int32(length))
        formats.append(format)
        buffer += bytes ?? []
    }

    func withPointers<Result>(
        _ body: (Int32, [UnsafePointer<CChar>?], [Int32], [Int32]) throws -> Result
    ) rethrows -> Result {
        try buffer.withUnsafeBufferPointer { bytes in
            let pointers = offsets.map { offset in offset.flatMap { bytes.baseAddress?.advanced(by: $0) } }
            return try body(Int32(offsets.count), pointers, lengths, formats)
        }
    }
}
