/// Reads lines of JSON (NDJSON), fed in any pieces.
struct NewlineJSON {
    private var lines: LineSplitter

    /// - Parameter limit: the bytes of the longest line.
    init(limit: Int = 4_194_304) { lines = LineSplitter(carriageReturnEnds: false, limit: limit) }

    mutating func append(_ bytes: some Sequence<UInt8>) { lines.append(bytes) }

    /// The next line that holds more than white space, without its end.
    mutating func next() throws(ModelFault) -> ArraySlice<UInt8>? {
        while let line = try lines.next() {
            if !line.isBlank { return line }
        }
        return nil
    }

    /// The last line, if the stream has ended without an end of that.
    mutating func rest() -> ArraySlice<UInt8>? {
        let line = lines.rest()
        return line.isBlank ? nil : line
    }
}

extension ArraySlice<UInt8> {
    /// Whether there is nothing but what JSON takes for white space.
    var isBlank: Bool { allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0a || $0 == 0x0d } }
}
