import Glibc

/// Lines for people. Written at once, so that a pipe sees progress too.
enum Terminal {
    /// Whether someone watches: then unfinished lines may be shown.
    static let isInteractive = isatty(STDOUT_FILENO) == 1
    /// Whether what is shown can be taken back and drawn in other ways.
    static let canDraw = isInteractive && environment("TERM").map { $0 != "dumb" } == true

    /// Says a line, whoever wrote it: a terminal obeys nothing in it.
    static func say(_ line: String, terminator: String = "\n") {
        write(line.printable + terminator, to: STDOUT_FILENO)
    }

    static func complain(_ text: String) { write(text.printable + "\n", to: STDERR_FILENO) }

    /// Writes what a terminal is to obey; foreign text in it has been made printable.
    static func draw(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// How much there is room for, now; a terminal that does not tell has 80 columns and 24 rows.
    static var size: DraftView.Size {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return DraftView.Size(columns: 80, rows: 24)
        }
        return DraftView.Size(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    /// Runs the body while what is typed does not show, and so moves no cursor; it is read afterwards.
    static func withoutEcho<Result>(_ body: () throws -> Result) rethrows -> Result {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return try body() }
        var quiet = before
        quiet.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &quiet)
        defer { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
        return try body()
    }

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
