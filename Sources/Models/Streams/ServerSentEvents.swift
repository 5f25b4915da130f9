/// One event of a stream.
struct ServerSentEvent: Hashable {
    /// `message` when the stream does not say.
    var type: String
    /// All its data lines, with a line feed between each.
    var data: String
    /// The last id the stream has told.
    var id: String
}

/// Reads `text/event-stream` as WHATWG's HTML standard has it (9.2.6), fed in any pieces.
struct ServerSentEvents {
    /// How long to wait before connecting again, in milliseconds, if the stream has told.
    private(set) var retry: Int?
    private var lines: LineSplitter
    private let limit: Int
    private var isAtBeginning = true
    private var type = ""
    private var data: [UInt8] = []
    private var id = ""

    /// - Parameter limit: the bytes of the largest line, and of the largest event's data.
    init(limit: Int = 4_194_304) {
        self.limit = limit
        lines = LineSplitter(carriageReturnEnds: true, limit: limit)
    }

    mutating func append(_ bytes: some Sequence<UInt8>) { lines.append(bytes) }

    /// The next event that is whole. One that lacks its empty line when the stream ends is none.
    mutating func next() throws(ModelFault) -> ServerSentEvent? {
        while var line = try lines.next() {
            if isAtBeginning, line.starts(with: [0xef, 0xbb, 0xbf]) { line = line.dropFirst(3) }
            isAtBeginning = false
            if !line.isEmpty {
                take(line)
                guard data.count <= limit else { throw ModelFault(partAbove: limit) }
            } else if let event = dispatch() {
                return event
            }
        }
        return nil
    }

    private mutating func take(_ line: ArraySlice<UInt8>) {
        let colon = line.firstIndex(of: 0x3a) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == 0x20 { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "data": data += value + [0x0a]
        case "event": type = String(decoding: value, as: UTF8.self)
        case "id": if !value.contains(0) { id = String(decoding: value, as: UTF8.self) }
        case "retry":
            guard !value.isEmpty, value.allSatisfy({ 0x30...0x39 ~= $0 }) else { return }
            retry = Int(String(decoding: value, as: UTF8.self)) ?? retry
        default: break // a comment, whose name is empty, or a field nobody knows
        }
    }

    private mutating func dispatch() -> ServerSentEvent? {
        defer {
            type = ""
            data = []
        }
        guard !data.isEmpty else { return nil }
        return ServerSentEvent(
            type: type.isEmpty ? "message" : type, data: String(decoding: data.dropLast(), as: UTF8.self),
            id: id)
    }
}
