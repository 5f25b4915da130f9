import Foundation
import Glibc

/// The real daemon, as a process; its log goes to a file. Killed with the last reference.
final class DaemonProcess: @unchecked Sendable { // `status` is read and written by the test's thread alone
    /// The built command, which lies beside the tests.
    static let program: String? = {
        let path = Bundle.main.bundleURL.appendingPathComponent("concierge").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    let pid: pid_t
    private let logPath: String
    private var status: Int32?

    init(conninfo: String, configuration: String, log: String) throws {
        guard let program = Self.program else { throw SystemError(call: "find concierge", code: ENOENT) }
        logPath = log
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&files, 1, 2)
        let words = [program, "daemon", "--database", conninfo, "--config", configuration]
        var arguments = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, program, &files, nil, &arguments, environ)
        guard failure == 0 else { throw SystemError(call: "posix_spawn", code: failure) }
        self.pid = pid
    }

    deinit { kill() }

    func signal(_ number: Int32) { Glibc.kill(pid, number) }

    /// At once, and waits until it is gone.
    func kill() {
        signal(SIGKILL)
        _ = end(within: .seconds(60))
    }

    /// The exit code, the negated signal for one that was killed; nil when it does not end within the time.
    func end(within limit: Duration) -> Int32? {
        _ = eventually(within: limit) {
            if status != nil { return true }
            var word: Int32 = 0
            guard waitpid(pid, &word, WNOHANG) == pid else { return false }
            status = word & 0x7f == 0 ? word >> 8 & 0xff : -(word & 0x7f)
            return true
        }
        return status
    }

    /// Not by String(contentsOfFile:), which leaks its buffer when the file grows meanwhile.
    var log: String {
        let bytes = try? FileHandle(forReadingFrom: URL(fileURLWithPath: logPath)).readToEnd()
        return String(decoding: bytes ?? Data(), as: UTF8.self)
    }

    /// How many lines say that this happened.
    func count(_ event: String) -> Int {
        log.split(separator: "\n").count { $0.hasPrefix("event=\(event) ") || $0 == "event=\(event)" }
    }
}

/// A system call that should not fail, and did.
struct SystemError: Error {
    let call: String
    let code: Int32
}
