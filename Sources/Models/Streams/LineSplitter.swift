/// Cuts bytes, however they arrive, into lines.
struct LineSplitter {
    /// Whether a carriage return ends a line, alone or with a line feed after it.
    private let carriageReturnEnds: Bool
    /// The longest line.
    private let limit: Int
    private var buffer: [UInt8] = []
    private var start = 0
    /// No line ends between `start` and here.
    private var searched = 0
    private var skipsLineFeed = false

    init(carriageReturnEnds: Bool, limit: Int) {
        self.carriageReturnEnds = carriageReturnEnds
        self.limit = limit
    }

    mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            searched -= start
            start = 0
        }
        buffer += bytes
    }

    /// The next line that has an end, without it.
    mutating func next() throws(ModelFault) -> ArraySlice<UInt8>? {
        if skipsLineFeed, searched < buffer.count {
            skipsLineFeed = false
            if buffer[start] == 0x0a {
                start += 1
                searched = start
            }
        }
        let end = buffer[searched...].firstIndex { $0 == 0x0a || $0 == 0x0d && carriageReturnEnds }
        guard (end ?? buffer.count) - start <= limit else { throw ModelFault(partAbove: limit) }
        guard let end else {
            searched = buffer.count
            return nil
        }
        defer {
            skipsLineFeed = buffer[end] == 0x0d
            start = end + 1
            searched = start
        }
        return buffer[start..<end]
    }

    /// What came after the last end of a line; to be asked when there is nothing more to come.
    mutating func rest() -> ArraySlice<UInt8> {
        defer {
            start = buffer.count
            searched = start
        }
        return buffer[start...]
    }
}
