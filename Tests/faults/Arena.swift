import Foundation
import Postgres
import TestSupport
import Testing

/// Where one fault takes place: a database, a receiver, writers and daemons, and the verdict at the end.
final class Arena {
    let cluster: PrivateCluster
    let name: String
    let database: String
    let receiver: Receiver
    var dice: Dice
    /// Lines of every daemon's configuration, on top of where the receiver is.
    var settings = ["lease = 2s", "poll = 250ms", "stop = 2s", "log = debug"]
    /// How long a delivery may take.
    var seconds = 20
    /// How long it may take until nothing is left to do.
    var patience = Duration.seconds(90)
    /// Where daemons and writers find the database.
    var conninfo: String
    private let folder: String
    private var number = 0
    private var writers: [Writer] = []
    private var acknowledged: [String] = []
    private var marks: [Double] = []
    private var complaints: [String] = []
    private var notes: [String] = []
    private var proxies: [Proxy] = []
    private var lastActions: [() throws -> Void] = []
    /// All daemons there were, for their logs.
    private(set) var daemons: [DaemonProcess] = []

    init(_ name: String, on cluster: PrivateCluster, tablespace: String? = nil) throws {
        self.name = name
        self.cluster = cluster
        database = "fault_" + UUID().uuidString.prefix(8).lowercased()
        folder = NSTemporaryDirectory() + "concierge-" + database
        conninfo = cluster.conninfo(database: database)
        dice = Dice(name)
        receiver = try Receiver()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let place = tablespace.map { " tablespace \($0)" } ?? ""
        try Connection.connect(cluster.conninfo())
            .execute(script: "create database \(database) template pattern\(place)")
    }

    // MARK: Acting

    func connect() throws -> Connection { try Connection.connect(conninfo) }

    @discardableResult
    func sql(_ statement: String) throws -> String? { try connect().query(statement).scalar }

    /// A daemon under way.
    @discardableResult
    func startDaemon(through conninfo: String? = nil) throws -> DaemonProcess {
        number += 1
        let path = "\(folder)/daemon-\(number)"
        let text = (settings + ["allow = 127.0.0.1"]).joined(separator: "\n")
        try text.write(toFile: path + ".conf", atomically: true, encoding: .utf8)
        let daemon = try DaemonProcess(
            conninfo: conninfo ?? self.conninfo, configuration: path + ".conf", log: path + ".log")
        daemons.append(daemon)
        return daemon
    }

    /// A proxy before the server, until the verdict.
    func startProxy(_ judge: @escaping Proxy.Judge) throws -> Proxy {
        let proxy = try Proxy(server: cluster.folder, judge)
        proxies.append(proxy)
        return proxy
    }

    /// A writer under way.
    @discardableResult
    func startWriter(
        ways: [String] = ["call", "plain", "deliver", "told", "group"], rest: ClosedRange<Int> = 5...15,
        through conninfo: String? = nil, limit: Int = .max
    ) -> Writer {
        number += 1
        let writer = Writer(
            "\(name) \(number)", conninfo: conninfo ?? self.conninfo, url: receiver.url, ways: ways,
            rest: rest, limit: limit, seconds: seconds)
        writers.append(writer)
        return writer
    }

    /// Writes so many units and waits for the writer to be done.
    func write(_ count: Int, ways: [String] = ["call", "plain", "deliver", "told", "group"]) {
        _ = startWriter(ways: ways, rest: 0...0, limit: count).end()
    }

    /// Whether nothing is left to do, at once or within the time.
    func isIdle(within limit: Duration) throws -> Bool {
        let connection = try connect()
        return try eventually(within: limit) {
            try connection.query("select not exists (select from queue.job)").scalar == "t"
        }
    }

    /// A fault is over: from now on it is recovery.
    func mark() { marks.append(Date().timeIntervalSince1970) }

    /// What else must hold.
    func expect(_ holds: Bool, _ sentence: String) { if !holds { complaints.append(sentence) } }

    /// What is to be put right when all is over.
    func atEnd(_ action: @escaping () throws -> Void) { lastActions.append(action) }

    /// A figure for the line.
    func note(_ text: String) { notes.append(text) }

    // MARK: The verdict

    /// Lets writers end and daemons finish; then looks. A daemon has to be there.
    fileprivate func verdict() throws -> Verdict {
        for writer in writers { acknowledged += writer.stop() }
        _ = try isIdle(within: patience)
        let connection = try connect()
        for daemon in daemons { daemon.kill() }

        let receipts = receiver.receipts
        try connection.query(
            """
            insert into fault.receipt
            select tag, key, execution, to_timestamp(at)
            from rows from (unnest($1::text[]), unnest($2::text[]), unnest($3::int[]), unnest($4::float8[]))
                as r (tag, key, execution, at)
            """,
            [
                Parameter(receipts.map(\.tag)), Parameter(receipts.map(\.key)),
                Parameter(receipts.map { "\($0.claim)" }), Parameter(receipts.map { "\($0.at)" }),
            ])
        try connection.query(
            "insert into fault.acknowledged select unnest($1::text[])", [Parameter(acknowledged)])
        try connection.query(
            "insert into fault.mark select to_timestamp(unnest($1::float8[]))",
            [Parameter(marks.map { "\($0)" })])
        let checker = try String(contentsOfFile: Stage.folder + "/checker.sql", encoding: .utf8)
        guard let row = try connection.query(checker).first else { throw SystemError(call: "check", code: 0) }
        let verdict = try Verdict(name, row, complaints, notes, logs: folder)
        if !verdict.isClean { try keepEvidence(connection) }
        return verdict
    }

    /// What the queue says of itself, beside the daemons' logs.
    private func keepEvidence(_ connection: Connection) throws {
        var text = ""
        for table in ["queue.job", "queue.worker", "queue.closed_gate", "queue.dead_letter", "queue.stuck"] {
            let rows = try connection.query("select to_jsonb(t) from \(table) as t limit 100")
            text += rows.map { "\(table) \($0[0] ?? "")\n" }.joined()
        }
        // What was taken although a later execution had begun, with all its deliveries, and what was done twice.
        let odd = try connection.query(
            """
            select jsonb_build_object('effect', to_jsonb(e), 'receipts', (
                select jsonb_agg(to_jsonb(r) order by r.at) from fault.receipt as r where r.tag = e.tag))
            from fault.effect as e
            where exists (
                select from fault.receipt as r where r.tag = e.tag and r.execution > e.execution and r.at < e.at)
            limit 20
            """)
        text += odd.map { "stale \($0[0] ?? "")\n" }.joined()
        try text.write(toFile: folder + "/left", atomically: true, encoding: .utf8)
    }

    /// - Parameter logs: whether the daemons' logs go, too.
    fileprivate func remove(logs: Bool) {
        for daemon in daemons { daemon.kill() }
        for writer in writers { _ = writer.stop() }
        for action in lastActions { try? action() }
        if logs { try? FileManager.default.removeItem(atPath: folder) }
        _ = try? Connection.connect(cluster.conninfo())
            .execute(script: "drop database if exists \(database) with (force)")
    }
}

/// What became of the units of one fault.
struct Verdict: Sendable, CustomStringConvertible {
    let units, lost, doubleEffects, strays, stale, stuck, dead, doubleExecutions, slowest: Int
    let complaints: [String]
    let description: String
    /// What the daemons wrote; kept when something is wrong.
    let logs: String

    init(_ name: String, _ row: Row, _ complaints: [String], _ notes: [String], logs: String) throws {
        units = try row.value("units")
        lost = try row.value("lost")
        doubleEffects = try row.value("double_effects")
        strays = try row.value("strays")
        stale = try row.value("stale")
        stuck = try row.value("stuck")
        dead = try row.value("dead")
        doubleExecutions = try row.value("double_executions")
        slowest = try row.value("slowest_recovery_ms")
        self.complaints = complaints
        var words = [
            "\(units) units", "\(lost) lost", "\(doubleEffects) double effects",
            "\(doubleExecutions) double executions", "slowest recovery \(slowest) ms",
        ]
        let rare = [(strays, "strays"), (stale, "stale"), (stuck, "stuck"), (dead, "dead")]
        for (count, what) in rare where count > 0 {
            words.append("\(count) \(what)")
        }
        description = "fault: \(name): " + (words + notes + complaints + ["seed \(seed)"])
            .joined(separator: ", ")
        self.logs = logs
    }

    var isClean: Bool {
        units > 0 && lost + doubleEffects + strays + stale + stuck + dead == 0 && complaints.isEmpty
    }
}

/// Lets a fault happen, prints its line, and returns what became of it.
///
/// - Parameter isMeantToFail: then nobody wants to see why.
func observe(
    _ name: String, on stage: Result<Stage, any Error>, tablespace: String? = nil, isMeantToFail: Bool = false,
    _ body: @escaping @Sendable (Arena) throws -> Void
) async throws -> Verdict {
    try await onThread {
        let arena = try Arena(name, on: stage.get().cluster, tablespace: tablespace)
        var isClean = false
        defer { arena.remove(logs: isClean || isMeantToFail) }
        try body(arena)
        let verdict = try arena.verdict()
        // Not by print, which keeps it until the end where nobody watches.
        FileHandle.standardOutput.write(Data("\(verdict)\n".utf8))
        isClean = verdict.isClean
        return verdict
    }
}
