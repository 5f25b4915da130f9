public import Foundation
public import Migrations
import Postgres
import Synchronization
import concierge

/// The development cluster of this project, started when it is not running.
public enum TestServer {
    /// This checkout's root.
    public static let projectRoot = String(#filePath.dropLast("/Tests/Support/TestServer.swift".count))

    private static let numbers = Atomic<Int>(0)

    private static let baseURL: String? = {
        guard let cluster = try? Cluster(project: projectRoot) else { return nil }
        if !cluster.isRunning { try? cluster.up() }
        return cluster.isRunning ? cluster.url(database: "postgres") : nil
    }()

    /// Whether a server can be had. Tests that need one are skipped, and say so, when not.
    public static var isAvailable: Bool { baseURL != nil }

    /// Calls the body with a new, empty database, and drops it afterwards.
    public static func withDatabase<Result>(_ body: (Target) throws -> Result) throws -> Result {
        guard let baseURL else {
            throw PostgresError(sqlState: .unableToConnect, message: "there is no server")
        }
        let number = numbers.add(1, ordering: .relaxed).newValue
        let name = "concierge_swift_\(ProcessInfo.processInfo.processIdentifier)_\(number)"
        let admin = try Connection.connect(baseURL)
        try admin.execute(script: "create database \(name) template template0")
        defer { _ = try? admin.execute(script: "drop database \(name) with (force)") }
        return try body(Target(baseURL, database: name))
    }

    /// The same with all of ours in it; not made by the command, whose cron job would outlive it.
    public static func withMigratedDatabase<Result>(_ body: (Target) throws -> Result) throws -> Result {
        try withDatabase { target in
            var runner = Runner(try Project(root: projectRoot), target)
            runner.cronSkipReason = "a test"
            try runner.apply()
            return try body(target)
        }
    }

    /// The conninfo of a database as one string, for child processes.
    public static func url(_ target: Target) -> String {
        target.conninfo.replacingOccurrences(of: "/postgres?", with: "/\(target.database ?? "")?")
    }
}

/// A project in a temporary folder; removed with the last reference.
public final class TemporaryProject {
    public let root: String

    public init(_ files: [String: String] = [:]) throws {
        root = NSTemporaryDirectory() + "concierge-test-" + UUID().uuidString.prefix(8)
        try write("sql/manifest", "")
        for (path, content) in files { try write(path, content) }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    public func write(_ path: String, _ content: String) throws { try write(path, Data(content.utf8)) }

    public func write(_ path: String, _ content: Data) throws {
        let url = URL(fileURLWithPath: root + "/" + path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try content.write(to: url)
    }

    public func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: root + "/" + path)
    }

    public func load() throws -> Project { try Project(root: root) }
}
