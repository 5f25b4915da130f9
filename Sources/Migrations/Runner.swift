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
        /// A path that left the manifest. Its object stays until a migration drops it.
        case orphan(String)
        /// A warning the server raised while a step ran.
        case warning(String, PostgresError)
    }

    public let project: Project
    public let target: Target
    /// Why cron files are not run; nil runs them where pg_cron is there.
    public var cronSkipReason: String?
    /// How long to wait for another migrator.
    public var patience: Duration = .seconds(300)
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
        let connection = try target.connect()
        try Runner.guardAgainstDeath(connection)
        try MigrationLock.take(connection, patience: patience) { progress(.waiting(for: $0)) }
        defer { MigrationLock.release(connection) }

        let plan = try Plan(project, LedgerStore.read(connection))
        try LedgerStore.create(connection)
        for migration in plan.migrations {
            try step(migration.source.path, files: 1, connection) {
                try run(migration.source, connection)
                try stepDown(connection)
                try LedgerStore.record(migration, connection)
            }
        }
        // A migration that drops what an object file made may delete that file's row from the ledger: so read
        // it again.
        let later = plan.migrations.isEmpty ? plan : try Plan(project, LedgerStore.read(connection))
        try applyObjects(later, connection)
        for file in later.cron { try applyCron(file, connection) }
        return plan
    }

    private func applyObjects(_ plan: Plan, _ connection: Connection) throws {
        if !plan.objects.isEmpty {
            try step("sql/", files: plan.objects.count, connection) {
                for file in project.preamble + plan.objects { try run(file.source, connection) }
                try stepDown(connection)
                for file in project.preamble + plan.objects { try LedgerStore.record(file, connection) }
            }
        }
        for path in plan.orphans {
            try LedgerStore.forget(path, connection)
            progress(.orphan(path))
        }
    }

    /// Runs a file where pg_cron lives; there, `concierge.database` says which database its jobs are for.
    private func applyCron(_ file: ObjectFile, _ connection: Connection) throws {
        if let reason = cronSkipReason { return progress(.skipped(file.source.path, reason: reason)) }
        let home =
            try connection.query(
                """
            select coalesce(nullif(pg_catalog.current_setting('cron.database_name', true), ''), 'postgres')
            """
            ).scalar ?? "postgres"
        let cron: Connection
        do {
            cron = try target.inDatabase(home).connect()
        } catch let error as PostgresError {
            return progress(
                .skipped(file.source.path, reason: "database \(home) cannot be reached: \(error.message)"))
        }
        guard try cron.query("select 1 from pg_catalog.pg_extension where extname = 'pg_cron'").count == 1
        else {
            return progress(.skipped(file.source.path, reason: "database \(home) has no extension pg_cron"))
        }
        try cron.query(
            "select pg_catalog.set_config('concierge.database', $1, false)", [Parameter(connection.database)])
        try step(file.source.path, files: 1, cron) { try run(file.source, cron) }
        try LedgerStore.record(file, connection)
    }

    /// One transaction, told about before and after.
    private func step(_ name: String, files: Int, _ connection: Connection, _ body: () throws -> Void) throws
    {
        progress(.began(name, files: files))
        let began = ContinuousClock.now
        connection.onNotice = { notice in
            if notice.severity == "WARNING" { progress(.warning(name, notice)) }
        }
        defer { connection.onNotice = nil }
        try connection.transaction(body)
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
    private func stepDown(_ connection: Connection) throws {
        try connection.execute(script: "reset session authorization; reset role")
    }
}

/// Runs a file statement by statement, so that an error has the line of its own statement.
func run(_ source: Source, _ connection: Connection) throws {
    for statement in source.statements {
        do {
            try connection.execute(script: statement.text)
        } catch let error as PostgresError {
            throw ScriptError(
                file: source.path, line: statement.line(at: error.position), statement: statement.headline,
                error: error)
        }
    }
}
