import Postgres

extension Runner {
    /// Runs a file where pg_cron lives; there, `concierge.database` says which database its jobs are for.
    func applyCron(_ file: ObjectFile, _ connection: Connection) throws {
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
    func unscheduleOrphans(_ plan: Plan, _ ledger: Ledger, _ connection: Connection) throws {
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
