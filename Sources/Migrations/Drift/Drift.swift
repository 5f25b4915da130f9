import Postgres

extension Runner {
    /// How the database differs from a clean install of the project, which is made in a database of its own
    /// on the same server and dropped again. Changes nothing here; needs the right to create databases. With
    /// a `cronSkipReason`, jobs are not compared.
    public func drift() throws -> [Difference] {
        let live = try target.connect(as: "concierge drift")
        let pending = try Plan(project, LedgerStore.read(live))
        guard pending.migrations.isEmpty && pending.objects.isEmpty else {
            throw Refusal(
                Problem(
                    file: "database \(live.database)", "not everything has been applied",
                    hint: "Run concierge migrate; what differs after it is drift."))
        }
        try dropLeftovers(of: "concierge_drift_([0-9]+)", live)
        let scratch = "concierge_drift_\(live.backendPID)"
        let locale =
            try live.query(
                """
                select pg_catalog.format('template template0 encoding %L lc_collate %L lc_ctype %L',
                    pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype)
                from pg_catalog.pg_database where datname = pg_catalog.current_database()
                """
            ).scalar ?? ""
        try live.execute(script: "create database \(scratch) \(locale)")
        defer { _ = try? live.execute(script: "drop database if exists \(scratch) with (force)") }

        var runner = Runner(project, target.inDatabase(scratch))
        runner.cronSkipReason = "it is dropped again"
        try runner.apply()
        var clean = try Catalogue(target.inDatabase(scratch).connect(as: "concierge drift"))
        var here = try Catalogue(live)
        if cronSkipReason == nil, !project.cron.isEmpty, let cron = try target.cronSession(beside: live) {
            try here.add(cronJobsFor: live.database, cron)
            // The files are run for this very database, looked at, and rolled back.
            try cron.execute(script: "begin")
            defer { _ = try? cron.execute(script: "rollback") }
            try cron.query("delete from cron.job where database = $1", [Parameter(live.database)])
            try runCron(project.cron, for: live.database, cron)
            try clean.add(cronJobsFor: live.database, cron)
        }
        return here.differences(from: clean)
    }

    private func runCron(_ files: [ObjectFile], for database: String, _ cron: Connection) throws {
        try cron.query("select pg_catalog.set_config('concierge.database', $1, true)", [Parameter(database)])
        let execution = Execution(cron, target) { _ in }
        for file in files { try execution.run(file.source) }
    }
}
