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
        let connection = try target.connect()
        try Runner.guardAgainstDeath(connection)
        try MigrationLock.take(connection, patience: patience) { progress(.waiting(for: $0)) }
        defer { MigrationLock.release(connection) }

        let ledger = try LedgerStore.read(connection)
        let plan = try Plan(project, ledger)
        try LedgerStore.create(connection)
        try LedgerStore.modernize(project, ledger, connection)
        let execution = Execution(connection, target, progress)
        for migration in plan.migrations {
            if migration.source.header.isTransactional {
                try step(migration.source.path, migration.source.header, files: 1, execution) {
                    try execution.run(migration.source)
                    try stepDown(connection)
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
        return plan
    }

    private func applyObjects(_ plan: Plan, _ ledger: Ledger, _ execution: Execution) throws {
        guard !plan.objects.isEmpty || !plan.orphans.isEmpty else { return }
        try step("sql/", Header(), files: plan.objects.count, execution) {
            let application = ObjectApplication(project, plan, ledger, execution, progress)
            try application.run()
            try stepDown(execution.connection)
            try application.record()
        }
    }

    /// Runs a file where pg_cron lives; there, `concierge.database` says which database its jobs are for.
    private func applyCron(_ file: ObjectFile, _ connection: Connection) throws {
        if let reason = cronSkipReason { return progress(.skipped(file.source.path, reason: reason)) }
        guard let cron = try cronSession(connection, { progress(.skipped(file.source.path, reason: $0)) })
        else {
            return
        }
        try cron.query(
            "select pg_catalog.set_config('concierge.database', $1, false)", [Parameter(connection.database)])
        let execution = Execution(cron, target, progress)
        var made: [Ledger.Made] = []
        try step(file.source.path, file.source.header, files: 1, execution) {
            let before = try CronJobs.versions(connection.database, cron)
            try execution.run(file.source)
            let after = try CronJobs.versions(connection.database, cron)
            made = after.filter { before[$0.key] != $0.value }.keys.map {
                Ledger.Made(object: MadeObject(kind: MadeObject.cronJob, identity: $0))
            }
        }
        try connection.transaction {
            try LedgerStore.record(file, connection)
            try LedgerStore.record(made, of: file, connection)
        }
    }

    /// Ends the jobs of files that left the manifest.
    private func unscheduleOrphans(_ plan: Plan, _ ledger: Ledger, _ connection: Connection) throws {
        let jobs = plan.orphans.flatMap { ledger.made?[$0] ?? [] }.map(\.object)
            .filter { $0.kind == MadeObject.cronJob }
        guard !jobs.isEmpty else { return }
        let cron = try cronSession(connection) { reason in
            for job in jobs { progress(.skipped(job.description, reason: reason)) }
        }
        for job in jobs {
            guard let cron, try CronJobs.versions(connection.database, cron)[job.identity] != nil else {
                continue
            }
            progress(.dropping(job))
            try cron.query("select cron.unschedule($1)", [Parameter(job.identity)])
        }
    }

    /// A session where pg_cron lives, or the reason why there is none.
    private func cronSession(_ connection: Connection, _ skipped: (String) -> Void) throws -> Connection? {
        do {
            if let session = try target.cronSession(beside: connection) { return session }
            skipped("this server has no extension pg_cron")
        } catch let error as PostgresError {
            skipped("where pg_cron lives cannot be reached: \(error.message)")
        }
        return nil
    }

    /// One transaction, told about before and after, and tried again when it cannot get a lock.
    private func step(
        _ name: String, _ header: Header, files: Int, _ execution: Execution, _ body: () throws -> Void
    ) throws {
        try told(name, files: files, execution.connection) {
            try attempt(name, header, execution, body)
        }
    }

    private func attempt(
        _ name: String, _ header: Header, _ execution: Execution, _ body: () throws -> Void
    ) throws {
        try execution.retrying(name, header, backOff) {
            try execution.connection.transaction {
                try setTimeouts(header, lock: Runner.lockTimeout, "local", execution.connection)
                try body()
            }
        }
    }

    /// A migration that is not one transaction. Each statement that can be is a transaction of its own, with
    /// its note in the ledger. Of the others the ledger says first that they are about to run, so that
    /// whoever comes after a crash knows what to look for.
    private func steps(_ migration: Migration, _ execution: Execution) throws {
        let connection = execution.connection
        let source = migration.source
        let earlier = try LedgerStore.steps(migration, connection)
        for (index, statement) in source.statements.enumerated() {
            guard let step = earlier[index + 1], step.statement != statement.canonical else { continue }
            throw Refusal(
                Problem(
                    file: source.path, line: statement.line, "edited while it was half applied",
                    detail: "Statement \(index + 1) was: \(step.statement)",
                    hint: "Restore the statements that were applied; change the ones after them as you like.")
            )
        }

        try told(source.path, files: 1, connection) {
            for (index, statement) in source.statements.enumerated() {
                let number = index + 1
                let step = earlier[number]
                if step?.isDone == true { continue }
                let note = { (isDone: Bool) in
                    try connection.execute(
                        script: "set local role none; set local session authorization default")
                    try LedgerStore.note(statement, number, of: migration, isDone: isDone, connection)
                }
                if let lone = try LoneStatement(statement, file: source.path) {
                    var wasBegun = step != nil
                    try execution.retrying(source.path, source.header, backOff) {
                        defer { wasBegun = true }
                        try run(lone, statement, source, wasBegun: wasBegun, execution, note)
                    }
                } else {
                    try attempt(source.path, source.header, execution) {
                        try execution.run(statement, of: source)
                        try note(true)
                    }
                }
            }
            try stepDown(connection)
            try connection.transaction { try LedgerStore.finish(migration, connection) }
        }
    }

    /// A statement outside any transaction. It may wait for locks without end: those it takes stand in
    /// nobody's way, and what it has built by then would be lost.
    private func run(
        _ lone: LoneStatement, _ statement: Statement, _ source: Source, wasBegun: Bool,
        _ execution: Execution,
        _ note: (Bool) throws -> Void
    ) throws {
        let connection = execution.connection
        if lone == .session { return try execution.run(statement, of: source) }
        let remainder = try lone.remainder(connection, wasBegun: wasBegun)
        try connection.transaction { try note(false) }
        try setTimeouts(source.header, lock: "0", "session", connection)
        for script in remainder.cleanUp { try execution.run(script: script, of: source.path) }
        if !remainder.isDone { try execution.run(statement, of: source) }
        try connection.transaction { try note(true) }
    }

    private func setTimeouts(_ header: Header, lock: String, _ scope: String, _ connection: Connection) throws
    {
        var script = "set \(scope) lock_timeout = '\(header.lockTimeout ?? lock)'"
        if let timeout = header.statementTimeout {
            script += "; set \(scope) statement_timeout = '\(timeout)'"
        }
        try connection.execute(script: script)
    }

    /// Tells before and after, passes warnings on, and leaves the session as it found it.
    private func told(_ name: String, files: Int, _ connection: Connection, _ body: () throws -> Void) throws
    {
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
    private func stepDown(_ connection: Connection) throws {
        try connection.execute(script: "reset session authorization; reset role")
    }
}

/// The jobs of pg_cron.
enum CronJobs {
    /// The named jobs for a database, each with a version that changes when it does.
    static func versions(_ database: String, _ cron: Connection) throws -> [String: String] {
        let rows = try cron.query(
            "select jobname, ctid::text as version from cron.job where database = $1 and jobname is not null",
            [Parameter(database)])
        return Dictionary(
            try rows.map { (try $0.value("jobname"), try $0.value("version")) }, uniquingKeysWith: { $1 })
    }
}
