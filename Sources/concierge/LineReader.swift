import Glibc

/// The lines of standard input, as they come.
struct LineReader {
    enum Event: Equatable {
        case line(String)
        case end
        /// Ctrl-C, before the line was complete.
        case interrupted
    }

    private var bytes: [UInt8] = []
    private var hasEnded = false

    /// Waits for the next one. The last line needs no end.
    mutating func next() -> Event {
        while true {
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                defer { bytes.removeSubrange(...end) }
                return .line(String(decoding: bytes[..<end], as: UTF8.self))
            }
            if hasEnded {
                defer { bytes = [] }
                return bytes.isEmpty ? .end : .line(String(decoding: bytes, as: UTF8.self))
            }
            if Interruption.take() { return .interrupted }
            if Interruption.wait(STDIN_FILENO, .milliseconds(200)) { fill() }
        }
    }

    private mutating func fill() {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = read(STDIN_FILENO, &chunk, chunk.count)
        if count > 0 { bytes += chunk[..<count] } else if count == 0 || errno != EINTR { hasEnded = true }
    }
}
