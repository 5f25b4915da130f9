public import Postgres

/// Where a database is: what libpq needs to reach it.
public struct Target: Sendable {
    /// A URI or `key=value` pairs; empty leaves everything to libpq's environment.
    public var conninfo: String
    /// Replaces the database named there.
    public var database: String?

    public init(_ conninfo: String, database: String? = nil) {
        self.conninfo = conninfo
        self.database = database
    }

    /// Opens a session that shows `name` in `pg_stat_activity`.
    public func connect(as name: String = "concierge migrate") throws -> Connection {
        try Connection.connect(conninfo, database: database, applicationName: name)
    }

    public func inDatabase(_ name: String) -> Target { Target(conninfo, database: name) }

    /// A session in the database where pg_cron lives; nil when it does not.
    package func cronSession(beside connection: Connection) throws -> Connection? {
        let home =
            try connection.query(
                """
                select coalesce(nullif(pg_catalog.current_setting('cron.database_name', true), ''), 'postgres')
                """
            ).scalar ?? "postgres"
        let cron = try inDatabase(home).connect()
        let isThere =
            try cron.query("select 1 from pg_catalog.pg_extension where extname = 'pg_cron'").count == 1
        return isThere ? cron : nil
    }
}

/// Brings a database to what the project's files say. Prints nothing: it tells its caller through `Progress`.
public struct Runner {
    public enum Progress: Sendable {
        /// Somebody else migrates this database; asked again until they are done.
        case waiting(for: LockHolder)
        /// A step begins: a file, or `sql/` as a whole with its number of files.
        case began(String, files: Int)
        case finished(String, Duration)
        /// A file that could not be run here, and why.
        case skipped(String, reason: String)
        /// No file makes it any more, so it is dropped.
        case dropping(MadeObject)
        /// It was dropped so that it, or what it stands on, can be made in another shape; its file makes it
        /// again.
        case recreating(MadeObject)
        /// A materialized view was built anew and has taken the old one's place.
        case rebuilt(MadeObject)
        /// A warning the server raised while a step ran.
        case warning(String, PostgresError)
        /// A statement of the file has run; if the file is one transaction, it can still be undone.
        case ran(String, Statement)
        /// A statement waits for locks of others.
        case blocked(String, by: [LockHolder])
        /// How far the index is that a statement builds.
        case building(String, String)
        /// A lock was not to be had in time; all is undone and tried again after a pause.
        case retrying(String, reason: String, pause: Duration)
    }

    /// What a statement may wait for a lock, unless its migration says otherwise: whoever wants a table after
    /// it waits as long.
    public static let lockTimeout = "3s"

    public let project: Project
    public let target: Target
    /// Why cron files are not run; nil runs them where pg_cron is there.
    public var cronSkipReason: String?
    /// From where the files come; asked only when there is something to note.
    public var origin: () throws -> Origin? = { nil }
    /// How long to wait for another migrator.
    public var patience: Duration = .seconds(300)
    /// The pauses before a step is tried again that could not get a lock.
    public var backOff = BackOff(first: .milliseconds(500), cap: .seconds(30))
    public var progress: (Progress) -> Void

    public init(_ project: Project, _ target: Target, progress: @escaping (Progress) -> Void = { _ in }) {
        self.project = project
        self.target = target
        self.progress = progress
    }

    /// What an apply would do now; reads only.
    public func plan() throws -> Plan {
        try Plan(project, LedgerStore.read(target.connect()))
    }

    /// What was applied, and when; reads only.
    public func ledger() throws -> Ledger {
        try LedgerStore.read(target.connect())
    }

    /// Applies what is pending and returns the plan that was carried out.
    ///
    /// Throws `Refusal` when nothing was changed, `ScriptError` when a file failed: the transactions before
    /// it stay.
    @discardableResult
    public func apply() throws -> Plan {
        try underLock { connection in
            let ledger = try LedgerStore.read(connection)
            let plan = try Plan(project, ledger)
            try LedgerStore.create(connection)
            try LedgerStore.modernize(project, ledger, connection)
            guard !plan.isEmpty else { return plan }
            let files = plan.objects.count + plan.cron.count
            let execution = Execution(connection, target, progress)
            // A job that cannot be made here is tried every time, and no event.
            guard !plan.isOnlyCron else {
                try apply(plan, ledger, execution)
                return plan
            }
            try logged("up", plan.migrations.map(\.number), files: files, connection) {
                try apply(plan, ledger, execution)
            }
            return plan
        }
    }

    private func apply(_ plan: Plan, _ ledger: Ledger, _ execution: Execution) throws {
        let connection = execution.connection
        for migration in plan.migrations {
            if migration.source.header.isTransactional {
                try step(migration.source.path, migration.source.header, files: 1, execution) {
                    try execution.run(migration.source)
                    try stepDown(connection)
                    try check(migration, within: connection)
                    try LedgerStore.record(migration, connection)
                }
            } else {
                try steps(migration, execution)
            }
        }
        // A migration that drops what an object file made may delete that file's row from the ledger: so read
        // it again.
        let newest = plan.migrations.isEmpty ? ledger : try LedgerStore.read(connection)
        let later = plan.migrations.isEmpty ? plan : try Plan(project, newest)
        try unscheduleOrphans(later, newest, connection)
        try applyObjects(later, newest, execution)
        for file in later.cron { try applyCron(file, connection) }
    }

    /// Runs the body on a session that no other migrator is beside.
    private func underLock<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        let connection = try target.connect()
        try Runner.guardAgainstDeath(connection)
        try MigrationLock.take(connection, patience: patience) { progress(.waiting(for: $0)) }
        defer { MigrationLock.release(connection) }
        return try body(connection)
    }

    /// The same for what changes the ledger in its own way, noted under that name.
    func underLock(as command: String, _ migrations: [Int], _ body: (Connection) throws -> Void) throws {
        try underLock { connection in
            try LedgerStore.create(connection)
            try logged(command, migrations, files: 0, connection) { try body(connection) }
        }
    }

    /// Notes in the ledger who wants to do what, and how it ended.
    func logged(
        _ command: String, _ migrations: [Int], files: Int, _ connection: Connection,
        _ body: () throws -> Void
    ) throws {
        let run = try RunLog.begin(command, migrations, files: files, origin(), connection)
        do {
            try body()
            RunLog.end(run, error: nil, connection)
        } catch {
            RunLog.end(run, error: error, connection)
            throw error
        }
    }

    /// The last runs that wanted to change something, the newest first.
    public func runs(limit: Int = 20) throws -> [Run] { try RunLog.read(target.connect(), limit: limit) }

    private func applyObjects(_ plan: Plan, _ ledger: Ledger, _ execution: Execution) throws {
        guard !plan.objects.isEmpty || !plan.orphans.isEmpty else { return }
        try step("sql/", Header(), files: plan.objects.count, execution) {
            let application = ObjectApplication(project, plan, ledger, execution, progress)
            try application.run()
            try stepDown(execution.connection)
            try application.record()
        }
    }

    /// One transaction, told about before and after, and tried again when it cannot get a lock.
    func step(
        _ name: String, _ header: Header, files: Int, _ execution: Execution, _ body: () throws -> Void
    ) throws {
        try told(name, files: files, execution.connection) {
            try attempt(name, header, execution, body)
        }
    }

    func attempt(
        _ name: String, _ header: Header, _ execution: Execution, _ body: () throws -> Void
    ) throws {
        try execution.retrying(name, header, backOff) {
            try execution.connection.transaction {
                try setTimeouts(header, lock: Runner.lockTimeout, "local", execution.connection)
                try body()
            }
        }
    }

    func setTimeouts(_ header: Header, lock: String, _ scope: String, _ connection: Connection) throws {
        var script = "set \(scope) lock_timeout = '\(header.lockTimeout ?? lock)'"
        if let timeout = header.statementTimeout {
            script += "; set \(scope) statement_timeout = '\(timeout)'"
        }
        try connection.execute(script: script)
    }

    /// Tells before and after, passes warnings on, and leaves the session as it found it.
    func told(_ name: String, files: Int, _ connection: Connection, _ body: () throws -> Void) throws {
        progress(.began(name, files: files))
        let began = ContinuousClock.now
        connection.onNotice = { notice in
            if notice.severity == "WARNING" { progress(.warning(name, notice)) }
        }
        defer { connection.onNotice = nil }
        try body()
        // What a file set for the session must not reach the next one. The advisory lock stays.
        try connection.execute(script: "reset session authorization; reset role; reset all")
        try Runner.guardAgainstDeath(connection)
        progress(.finished(name, began.duration(to: .now)))
    }

    /// Has the server look now and then whether this process still lives, so that a killed migrator's
    /// statement, and with it the lock, ends in seconds rather than when the statement does.
    private static func guardAgainstDeath(_ connection: Connection) throws {
        do {
            try connection.execute(script: "set client_connection_check_interval = '2s'")
        } catch let error as PostgresError where !error.isConnectionLoss {
            // A server on macOS or Windows cannot; there the lock lasts as long as the statement.
        }
    }

    /// Ends whatever role the files took on, so that the ledger is written by the migrator itself.
    func stepDown(_ connection: Connection) throws {
        try connection.execute(script: "reset session authorization; reset role")
    }
}
