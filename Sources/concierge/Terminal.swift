import Glibc

/// Lines for people. Written at once, so that a pipe sees progress too.
enum Terminal {
    /// Whether someone watches: then unfinished lines may be shown.
    static let isInteractive = isatty(STDOUT_FILENO) == 1

    static func say(_ line: String, terminator: String = "\n") { write(line + terminator, to: STDOUT_FILENO) }

    static func complain(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

    /// Asks whoever sits there; throws when nobody does.
    static func confirm(_ question: String) throws -> Bool {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure("nobody can be asked: \(question)", hint: "On a terminal it asks; --yes answers.")
        }
        say(question + " [y/N] ", terminator: "")
        return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
    }

    private static func write(_ text: String, to file: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // A reader that went away ends the output; SIGPIPE, unless ignored, ends the command.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// One step's line: `name ........ verdict`, aligned.
    static func row(_ name: String, _ verdict: String) -> String {
        let dots = max(3, 60 - name.count)
        return name + " " + String(repeating: ".", count: dots) + " " + verdict
    }
}

extension Duration {
    /// `8 ms`, `1.3 s`, `2 min 5 s`.
    var brief: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        switch milliseconds {
        case ..<1000: return "\(milliseconds) ms"
        case ..<60_000: return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
        default: return "\(milliseconds / 60_000) min \(milliseconds / 1000 % 60) s"
        }
    }

    /// For machines: to the microsecond.
    var exactMilliseconds: Double { (self / .microseconds(1)).rounded() / 1000 }
    var exactSeconds: Double { (self / .microseconds(1)).rounded() / 1_000_000 }

    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
