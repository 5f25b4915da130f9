import Daemon
import Glibc
import Migrations
import Postgres

/// `concierge doctor`: what a DBA would look at first, one line each.
let doctorCommands = [
    Command(
        words: ["doctor"],
        summary: "Says what is wrong, from the server to the daemon, and how to mend it.",
        options: [
            OptionRule("config", "FILE", "the daemon's settings; else \(Configuration.defaultPath), if it is there"),
            jsonOption,
        ]
    ) { invocation in
        let findings = try Doctor(target: target(invocation), config: invocation["config"]).examine()
        let wrong = findings.count { !$0.isWell }
        if invocation.has("json") {
            Terminal.say("[" + findings.map(\.json).joined(separator: ",\n ") + "]")
        } else {
            findings.forEach { Terminal.say($0.line) }
            Terminal.say(wrong == 0 ? "all is well" : "wrong: \(wrong) of \(findings.count)")
        }
        return wrong == 0 ? 0 : 1
    }
]

/// One thing looked at.
private struct Finding {
    let subject: String
    let isWell: Bool
    let state: String

    var line: String { Terminal.row(subject, "\(isWell ? "ok" : "WRONG"): \(state)") }

    var json: String {
        "{\"subject\": \(jsonString(subject)), \"ok\": \(isWell), \"state\": \(jsonString(state))}"
    }

    static func well(_ subject: String, _ state: String) -> Finding {
        Finding(subject: subject, isWell: true, state: state)
    }

    static func wrong(_ subject: String, _ state: String) -> Finding {
        Finding(subject: subject, isWell: false, state: state)
    }
}

private struct Doctor {
    let target: Target
    let connection: Connection
    /// The daemon's settings, where somebody named them.
    let config: String?

    init(target: Target, config: String?) throws {
        self.target = target
        self.config = config
        connection = try target.connect(as: "concierge doctor")
    }

    func examine() throws -> [Finding] {
        let required = ["pgcrypto", "pg_trgm", "btree_gin", "unaccent"]
        let base = try [server(), clock(), checksums(), vector()] + required.map(contrib)
            + [native(), cron(), roles(), migrations(), settings()]
        // What only a migrated database has.
        guard try connection.query("select to_regclass('queue.stuck')").scalar != nil else { return base }
        return try base + [daemons(), caches(), stuck(), deadLetters(), indexes(), deadRows(), transactions()]
    }

    private func setting(_ name: String) throws -> String? {
        try connection.query("select current_setting($1, true)", [Parameter(name)]).scalar
    }

    private func server() throws -> Finding {
        let version = try setting("server_version") ?? "unknown"
        guard connection.serverVersion >= 150_000 else {
            return .wrong("server version", "\(version); 15 or newer is needed")
        }
        return .well("server version", version)
    }

    /// Leases and schedules go by the server's clock alone; signatures of deliveries go by the daemon's.
    private func clock() throws -> Finding {
        let before = Double(time(nil))
        let there = try connection.query("select extract(epoch from clock_timestamp())").first?.value(
            "extract", as: Double.self)
        guard let there else { return .wrong("clock", "the server does not say") }
        let (least, most) = (there - Double(time(nil)) - 1, there - before)
        let difference = least > 0 ? least : min(most, 0)
        guard abs(difference) < 5 else {
            let seconds = Int(difference.rounded())
            return .wrong("clock", "the server's is \(seconds) s off from this machine's; see timedatectl")
        }
        return .well("clock", "the server's is this machine's")
    }

    /// Off is a pity, not a fault: it cannot be changed while the server runs.
    private func checksums() throws -> Finding {
        let isOn = try setting("data_checksums") == "on"
        return .well("data checksums", isOn ? "on" : "off: a broken disk goes unnoticed (see pg_checksums)")
    }

    /// The version in this database, or what is to be done about its absence.
    private func installed(_ name: String) throws -> (version: String?, remedy: String) {
        let row = try connection.query(
            "select installed_version from pg_available_extensions where name = $1", [Parameter(name)]
        ).first
        guard let row else { return (nil, "not on this server; run extensions/install.sh") }
        return (row[0], "not in this database; run concierge migrate")
    }

    private func contrib(_ name: String) throws -> Finding {
        let (version, remedy) = try installed(name)
        return version.map { .well("extension \(name)", $0) } ?? .wrong("extension \(name)", remedy)
    }

    /// CVE-2026-3172: a parallel HNSW build before pgvector 0.8.2 reads and writes past its buffer.
    private func vector() throws -> Finding {
        let subject = "extension vector"
        let (version, remedy) = try installed("vector")
        guard let version else { return .wrong(subject, remedy) }
        guard isVersion(version, before: "0.8.2") else { return .well(subject, version) }
        guard try setting("max_parallel_maintenance_workers") == "0" else {
            return .wrong(
                subject,
                "\(version) has CVE-2026-3172: update it, or set max_parallel_maintenance_workers = 0")
        }
        return .well(
            subject, "\(version), safe from CVE-2026-3172 because max_parallel_maintenance_workers = 0")
    }

    /// Optional: it makes SQL faster and changes no answer.
    private func native() throws -> Finding {
        let row = try connection.query(
            "select installed_version from pg_available_extensions where name = 'concierge_native'"
        ).first
        guard let row else { return .well("extension concierge_native", "not on this server; SQL does its work") }
        return .well(
            "extension concierge_native",
            row[0] ?? "not in this database; create extension concierge_native with schema extensions")
    }

    /// pg_cron's version where it lives; nil where it does not.
    private func cronVersion() throws -> String? {
        let session = try? target.cronSession(beside: connection)
        return try session?.query("select extversion from pg_extension where extname = 'pg_cron'").scalar
    }

    /// pg_cron is optional: without it a dead daemon means caches that are not used, never wrong answers.
    private func cron() throws -> Finding {
        guard let version = try cronVersion() else {
            return .well("pg_cron", "not there; the daemon alone refreshes")
        }
        let launchers = try connection.query(
            "select count(*) from pg_stat_activity where backend_type = 'pg_cron launcher'"
        ).scalar
        guard launchers != "0" else { return .wrong("pg_cron", "\(version), but its launcher does not run") }
        return .well("pg_cron", "\(version), launcher alive")
    }

    private func roles() throws -> Finding {
        let names = ["concierge_owner", "concierge_app", "concierge_worker", "concierge_admin"]
        let missing = try connection.query(
            "select string_agg(r, ', ') from unnest($1::text[]) r where to_regrole(r) is null",
            [Parameter(names)]
        ).scalar
        return missing.map { .wrong("roles", "missing: \($0)") } ?? .well("roles", "all four are there")
    }

    private func migrations() throws -> Finding {
        let root = try projectRoot()
        guard fileKind(root + "/sql/manifest") != nil else {
            return .well("migrations", "not compared: this folder is in no checkout")
        }
        do {
            let plan = try Runner(Project(root: root), target).plan()
            guard !plan.isEmpty else { return .well("migrations", "none pending") }
            if plan.isOnlyCron, try cronVersion() == nil {
                return .well("migrations", "none pending, save the job for pg_cron")
            }
            let files = plan.objects.count + plan.cron.count
            return .wrong(
                "migrations",
                "\(plan.migrations.count) pending, \(files) files of sql/ to apply; run concierge migrate")
        } catch let refusal as Refusal {
            return .wrong("migrations", refusal.description)
        }
    }

    // MARK: The daemon and its queue

    /// Settings that can be read, and the secrets they speak of.
    private func settings() throws -> Finding {
        let subject = "daemon settings"
        let path = config ?? Configuration.defaultPath
        guard config != nil || fileKind(path) != nil else { return .well(subject, "none: all as usual") }
        let environment = wholeEnvironment()
        do {
            let text = String(decoding: try readFile(path), as: UTF8.self)
            let configuration = try Configuration(file: text, environment: environment)
            let folder = environment["CREDENTIALS_DIRECTORY"] ?? "/etc/concierge/credentials"
            let missing = configuration.credentialNames.filter { fileKind(folder + "/" + $0) == nil }
            guard missing.isEmpty else {
                return .wrong(
                    subject, "\(path) speaks of credentials that are not in \(folder): "
                        + missing.joined(separator: ", "))
            }
            return .well(subject, path)
        } catch {
            return .wrong(subject, "\(path): \(error)")
        }
    }

    private func number(_ query: String) throws -> Int {
        Int(try connection.query(query).scalar ?? "") ?? 0
    }

    /// One that listens is in LISTEN's words in its own session; a lease says that it claims.
    private func daemons() throws -> Finding {
        let sessions = try number(
            "select count(*) from pg_stat_activity where application_name = 'concierge-daemon' "
                + "and datname = current_database()")
        let workers = try number(
            "select count(*) from queue.worker where leased_until > clock_timestamp()")
        if workers > 0, sessions > 0 {
            return .well("daemon", "\(workers) with a lease, \(sessions) sessions")
        }
        let waiting = try number("select count(*) from queue.job where state = 'ready' and run_at < now()")
        guard waiting == 0 else {
            return .wrong("daemon", "none works here, and \(waiting) jobs are due; see journalctl -u concierge")
        }
        return .well("daemon", "none works here; no job waits for one")
    }

    private func caches() throws -> Finding {
        let marks = try number(
            "select count(*) from event.dirty_marks where marked_at < now() - interval '1 minute'")
        guard marks == 0 else {
            return .wrong(
                "caches", "\(marks) changes have not been in them for more than a minute: answers are right "
                    + "and slow; is a daemon running?")
        }
        return .well("caches", "refreshed")
    }

    private func stuck() throws -> Finding {
        let rows = try connection.query(
            """
            select format('%s %s: %s. %s', count(*), kind, coalesce(reason, 'for no known reason'), remedy) as line
            from queue.stuck group by kind, reason, remedy order by count(*) desc, kind limit 3
            """)
        let lines: [String] = try rows.map { try $0.value("line") }
        return lines.isEmpty ? .well("stuck jobs", "none") : .wrong("stuck jobs", lines.joined(separator: "; "))
    }

    private func deadLetters() throws -> Finding {
        let count = try number("select count(*) from queue.dead_letter")
        guard count > 0 else { return .well("dead letters", "none") }
        return .wrong(
            "dead letters", "\(count); read queue.dead_letter, then queue.retry_many(…) or queue.purge(…)")
    }

    private func indexes() throws -> Finding {
        let names = try connection.query(
            """
            select string_agg(indexrelid::regclass::text, ', ' order by indexrelid::regclass::text)
            from pg_index where not indisvalid
            """
        ).scalar
        return names.map { .wrong("indexes", "invalid: \($0); drop them, and build them again concurrently") }
            ?? .well("indexes", "all valid")
    }

    /// Of a table that is written all day, more dead rows than live ones and more than a few.
    private func deadRows() throws -> Finding {
        let names = try connection.query(
            """
            select string_agg(format('%s (%s dead, %s live)', relid::regclass, n_dead_tup, n_live_tup), ', ')
            from pg_stat_user_tables
            where n_dead_tup > 50000 and n_dead_tup > n_live_tup
                and schemaname in ('access', 'queue', 'event', 'contractor', 'chat', 'knowledge', 'model')
            """
        ).scalar
        return names.map { .wrong("dead rows", "\($0); does autovacuum run, or does an old transaction keep them?") }
            ?? .well("dead rows", "few")
    }

    private func transactions() throws -> Finding {
        let oldest = try connection.query(
            """
            select format('pid %s of %s, %s, open since %s', pid, usename, coalesce(nullif(application_name, ''), 'unnamed'),
                to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'))
            from pg_stat_activity
            where xact_start < now() - interval '1 hour' and datname = current_database()
            order by xact_start limit 1
            """
        ).scalar
        return oldest.map { .wrong("old transactions", "\($0): nothing can be vacuumed meanwhile") }
            ?? .well("old transactions", "none older than an hour")
    }
}
