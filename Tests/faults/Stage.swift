import Foundation
import Migrations
import Postgres
import Synchronization
import TestSupport

/// A cluster of the tests' own with a migrated database to copy; gone with the process.
final class Stage: Sendable {
    let cluster: PrivateCluster

    /// For the faults of daemons, side by side.
    static let forDaemons = Result { try Stage() }
    /// For the faults of servers, one after the other.
    static let forServers = Result { try Stage() }

    /// Where these tests are.
    static let folder = TestServer.projectRoot + "/Tests/faults"

    private init() throws {
        cluster = try PrivateCluster()
        removeAtExit(cluster)
        let target = Target(cluster.conninfo(), database: "pattern")
        try Connection.connect(cluster.conninfo()).execute(script: "create database pattern")
        var runner = Runner(try Project(root: TestServer.projectRoot), target)
        runner.cronSkipReason = "a test"
        try runner.apply()
        let workload = try String(contentsOfFile: Self.folder + "/workload.sql", encoding: .utf8)
        try target.connect().execute(script: workload)
    }
}

private let clusters = Mutex<[PrivateCluster]>([])

func removeAtExit(_ cluster: PrivateCluster) {
    let isFirst = clusters.withLock { clusters in
        clusters.append(cluster)
        return clusters.count == 1
    }
    if isFirst { atexit { clusters.withLock { $0.forEach { $0.remove() } } } }
}
