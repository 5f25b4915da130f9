import Foundation
import Migrations
import Postgres
import TestSupport
import Testing

@testable import concierge

@Suite(.enabled(if: TestServer.isAvailable, "there is no PostgreSQL server"))
struct ClusterTests {
    @Test("A socket's address stays within its limit, however long the project's path is")
    func longPaths() throws {
        let project = try TemporaryProject()
        let short = try Cluster(project: project.root)
        #expect(short.socketFolder == short.home + "/socket")
        let deep = project.root + String(repeating: "/deeper", count: 15)
        try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
        let long = try Cluster(project: deep)
        #expect(long.socketFolder.hasPrefix("/tmp/concierge-"))
        #expect(!long.url().contains("//tmp"))
        #expect(long.url().contains("host=%2Ftmp%2Fconcierge-"))
    }

    @Test("Up makes, starts and repairs; down and reset do what they say")
    func lifeOfACluster() throws {
        let project = try TemporaryProject()
        let cluster = try Cluster(project: project.root)
        defer { try? cluster.remove() }
        try cluster.up()
        try cluster.connect(database: "concierge").execute(script: "create table kept ()")
        try cluster.up()

        // Killed: the pid file stays, and here it even names another living process.
        let pidFile = cluster.data + "/postmaster.pid"
        let content = try String(contentsOfFile: pidFile, encoding: .utf8)
        let pid = try #require(Int32(content.prefix { $0.isNumber }))
        kill(pid, SIGKILL)
        let other = "\(getpid())" + content.dropFirst("\(pid)".count)
        try other.write(toFile: pidFile, atomically: false, encoding: .utf8)
        #expect(!cluster.isRunning)
        try cluster.up()
        let kept = try cluster.connect(database: "concierge").query("select to_regclass('kept') is not null")
        #expect(kept.scalar == "t")

        let checks = try cluster.connect().query(
            """
            select current_setting('data_checksums') || ' ' || current_setting('listen_addresses') || ' ' ||
                (select pg_encoding_to_char(encoding) || ' ' || datcollate
                 from pg_database where datname = 'concierge')
            """)
        #expect(checks.scalar == "on  UTF8 C.UTF-8")
        let attributes = try FileManager.default.attributesOfItem(atPath: cluster.socketFolder)
        #expect(attributes[.posixPermissions] as? Int == 0o700)

        try cluster.down()
        #expect(!cluster.isRunning)
        try cluster.down()
        try cluster.remove()
        #expect(!FileManager.default.fileExists(atPath: cluster.home))
    }

    @Test("A folder that others could enter is not trusted")
    func foreignFolder() throws {
        let project = try TemporaryProject()
        let cluster = try Cluster(project: project.root)
        try FileManager.default.createDirectory(atPath: cluster.home, withIntermediateDirectories: true)
        #expect(throws: Failure.self) { try cluster.up() }
    }
}
