/// One message of `application/vnd.amazon.eventstream`.
struct EventStreamFrame: Hashable {
    enum Value: Hashable {
        case bool(Bool)
        case integer(Int64)
        case bytes([UInt8])
        case string(String)
        /// Milliseconds since 1970.
        case timestamp(Int64)
        case uuid([UInt8])
    }

    var headers: [String: Value]
    var payload: [UInt8]

    /// The text of a header; nil when it is not there, or no text.
    subscript(_ name: String) -> String? {
        if case .string(let text) = headers[name] { text } else { nil }
    }
}

/// Reads frames, fed in any pieces: both checksums are compared, and no length is believed before that.
struct EventStream {
    static let headerLimit = 131_072
    static let payloadLimit = 25_165_824

    private var buffer: [UInt8] = []
    private var start = 0

    /// Whether the stream has come to its end between two frames.
    var isBetweenFrames: Bool { start == buffer.count }

    mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += bytes
    }

    /// The next frame that is whole.
    mutating func next() throws(ModelFault) -> EventStreamFrame? {
        let available = buffer[start...]
        guard available.count >= 12 else { return nil }
        let (total, headers) = try lengths(available)
        guard available.count >= total else { return nil }
        let frame = available.prefix(total)
        guard CRC32.checksum(frame.dropLast(4)) == frame.suffix(4).bigEndian() else {
            throw ModelFault(badAnswer: "the checksum of a frame is wrong")
        }
        start += total
        var block = Reader(rest: frame.dropFirst(12).prefix(headers))
        return EventStreamFrame(
            headers: try block.headers(), payload: Array(frame.dropFirst(12 + headers).dropLast(4)))
    }

    /// The length of a frame, and of its headers.
    private func lengths(_ frame: ArraySlice<UInt8>) throws(ModelFault) -> (total: Int, headers: Int) {
        let prelude = frame.prefix(12)
        guard CRC32.checksum(prelude.prefix(8)) == prelude.suffix(4).bigEndian() else {
            throw ModelFault(badAnswer: "the checksum of a frame's lengths is wrong")
        }
        let total = Int(prelude.prefix(4).bigEndian() as UInt32)
        let headers = Int(prelude.dropFirst(4).prefix(4).bigEndian() as UInt32)
        guard headers <= Self.headerLimit else { throw ModelFault(partAbove: Self.headerLimit) }
        guard total >= headers + 16 else {
            throw ModelFault(badAnswer: "a frame is shorter than its headers")
        }
        guard total - headers - 16 <= Self.payloadLimit else {
            throw ModelFault(partAbove: Self.payloadLimit)
        }
        return (total, headers)
    }

    /// The headers of one frame, to be read from their beginning to their end.
    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func headers() throws(ModelFault) -> [String: EventStreamFrame.Value] {
            var headers: [String: EventStreamFrame.Value] = [:]
            while !rest.isEmpty {
                let name = String(decoding: try take(Int(try number(UInt8.self))), as: UTF8.self)
                headers[name] = try value(type: try number(UInt8.self))
            }
            return headers
        }

        private mutating func value(type: UInt8) throws(ModelFault) -> EventStreamFrame.Value {
            switch type {
            case 0: .bool(true)
            case 1: .bool(false)
            case 2: .integer(Int64(try number(Int8.self)))
            case 3: .integer(Int64(try number(Int16.self)))
            case 4: .integer(Int64(try number(Int32.self)))
            case 5: .integer(try number(Int64.self))
            case 6: .bytes(Array(try take(Int(try number(UInt16.self)))))
            case 7: .string(String(decoding: try take(Int(try number(UInt16.self))), as: UTF8.self))
            case 8: .timestamp(try number(Int64.self))
            case 9: .uuid(Array(try take(16)))
            default: throw ModelFault(badAnswer: "a frame has a header of an unknown type")
            }
        }

        private mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(ModelFault)
            -> Number
        {
            try take(Number.bitWidth / 8).bigEndian()
        }

        private mutating func take(_ count: Int) throws(ModelFault) -> ArraySlice<UInt8> {
            guard rest.count >= count else {
                throw ModelFault(badAnswer: "a header is longer than its frame says")
            }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
    }
}

extension ArraySlice<UInt8> {
    /// The number these bytes are, the first of them its highest.
    fileprivate func bigEndian<Number: FixedWidthInteger>() -> Number {
        reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }
}
