import Foundation
public import Glibc
import Migrations
import Postgres

/// A PostgreSQL server of the test's own, in a temporary folder, reached by unix socket only.
///
/// As root, which PostgreSQL refuses to run as, it runs as the system user `postgres`.
public final class PrivateCluster: Sendable {
    public let folder: String
    private let binaries: String

    /// Where the server programs are; nil when this machine has none.
    public static let binaries: String? = {
        let root = "/usr/lib/postgresql"
        let majors = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        let newest = majors.compactMap { Int($0) }.max()
        return newest.map { "\(root)/\($0)/bin" }
    }()

    public init() throws {
        guard let binaries = Self.binaries else { throw Failed(command: "find PostgreSQL", status: -1) }
        self.binaries = binaries
        folder = try Self.makeFolder()
        try server([
            "initdb", "-D", folder + "/data", "--username=postgres", "--auth=trust", "--no-sync",
            "--locale=C",
            "--encoding=UTF8",
        ])
        try start()
    }

    /// A standby of another cluster that follows it from now on. The primary knows it by `name`.
    public init(following primary: PrivateCluster, name: String) throws {
        binaries = primary.binaries
        folder = try Self.makeFolder()
        try server([
            "pg_basebackup", "-d", primary.conninfo() + " application_name=" + name, "-D", folder + "/data",
            "-R", "--checkpoint=fast", "--no-sync",
        ])
        try start()
    }

    private static func makeFolder() throws -> String {
        let folder = NSTemporaryDirectory() + "concierge-daemon-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if getuid() == 0 { try run(["chown", "postgres", folder]) }
        return folder
    }

    /// Stops it and removes what it wrote.
    public func remove() {
        try? stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    public func conninfo(database: String = "postgres") -> String {
        "host=\(folder) port=5432 user=postgres dbname=\(database)"
    }

    /// Makes a database what this checkout says it is.
    public func migrate(_ database: String) throws {
        var runner = Runner(try Project(root: TestServer.projectRoot), Target(conninfo(database: database)))
        runner.cronSkipReason = "a test"
        try runner.apply()
    }

    public func start() throws { try control("start") }
    /// At once, as when the machine fails: what was committed is recovered at the next start.
    public func stop() throws { try control("stop") }
    public func restart() throws { try control("restart") }

    /// Makes a standby a primary, and waits for it.
    public func promote() throws { try control("promote") }

    private func control(_ verb: String) throws {
        let options =
            "-c listen_addresses= -c unix_socket_directories=\(folder) -c fsync=off -c log_min_messages=fatal"
        try server([
            "pg_ctl", "-D", folder + "/data", "-l", folder + "/log", "-m", "immediate", "-w", "-o", options,
            verb,
        ])
    }

    /// Runs one of PostgreSQL's programs, as the system user the server runs as.
    private func server(_ command: [String]) throws {
        let command = ["\(binaries)/\(command[0])"] + command.dropFirst()
        try Self.run(getuid() == 0 ? ["runuser", "-u", "postgres", "--"] + command : command)
    }

    public struct Failed: Error {
        public let command: String
        public let status: Int32
    }

    private static func run(_ command: [String]) throws {
        let process = try ChildProcess(["/usr/bin/env", "-C", "/"] + command)
        let status = process.wait()
        guard status == 0 else { throw Failed(command: command.joined(separator: " "), status: status) }
    }
}

/// A process with nothing to read and nobody to read what it writes (posix_spawn).
///
/// Not Foundation's Process: that one waits for the grandchildren too, and a server is one that stays.
public struct ChildProcess {
    public let pid: pid_t

    public init(_ command: [String]) throws {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        for descriptor in Int32(0)...2 {
            posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0)
        }
        var arguments = command.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, command[0], &files, nil, &arguments, environ)
        guard failure == 0 else { throw PrivateCluster.Failed(command: command[0], status: failure) }
        self.pid = pid
    }

    /// The exit code; the negated signal for one that was killed.
    public func wait() -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }
}
