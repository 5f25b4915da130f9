import Foundation
import Glibc

@testable import concierge

/// A `concierge` on a terminal of its own, and what stands on it.
final class PseudoTerminal {
    private let process = Process()
    private let controller: Int32
    private var bytes: [UInt8] = []
    private var sawEnd = false
    private let size: DraftView.Size

    init(_ arguments: [String], in folder: String, size: DraftView.Size = .init(columns: 40, rows: 12)) throws
    {
        self.size = size
        var (controller, terminal): (Int32, Int32) = (-1, -1)
        var room = winsize(
            ws_row: UInt16(size.rows), ws_col: UInt16(size.columns), ws_xpixel: 0, ws_ypixel: 0)
        openpty(&controller, &terminal, nil, nil, &room)
        for end in [controller, terminal] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        self.controller = controller
        let handle = FileHandle(fileDescriptor: terminal, closeOnDealloc: true)
        process.executableURL = Bundle.main.bundleURL.appendingPathComponent("concierge")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["TERM": "xterm"]) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardInput = handle
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        try handle.close()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        close(controller)
    }

    /// All that was written to it.
    var output: String { String(decoding: bytes, as: UTF8.self) }

    /// What stands on it.
    var screen: TestScreen {
        var screen = TestScreen(columns: size.columns, height: size.rows)
        screen.feed(output)
        return screen
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(controller, bytes, bytes.count)
    }

    func interrupt() { kill(process.processIdentifier, SIGINT) }

    /// Reads until the condition holds; false at the end of the output, or after half a minute of silence.
    func reads(until condition: () -> Bool) -> Bool {
        while !condition() { if !fill() { return condition() } }
        return true
    }

    /// Reads to the end; the exit code. What does not end is killed.
    func end() -> Int32 {
        while fill() {}
        if !sawEnd { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func fill() -> Bool {
        var entry = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
        var chunk = [UInt8](repeating: 0, count: 4096)
        guard poll(&entry, 1, 30_000) == 1 else { return false }
        let count = read(controller, &chunk, chunk.count)
        sawEnd = count <= 0
        if count > 0 { bytes += chunk[..<count] }
        return count > 0
    }
}
