import Migrations
import Postgres

/// `concierge doctor`: what a DBA would look at first, one line each.
let doctorCommands = [
    Command(
        words: ["doctor"], summary: "Checks server, extensions, roles and migrations; changes nothing.",
        options: [jsonOption]
    ) { invocation in
        let findings = try Doctor(target: target(invocation)).examine()
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

    init(target: Target) throws {
        self.target = target
        connection = try target.connect(as: "concierge doctor")
    }

    func examine() throws -> [Finding] {
        let required = ["pgcrypto", "pg_trgm", "btree_gin", "unaccent"]
        return try [server(), checksums(), vector()] + required.map(contrib) + [cron(), roles(), migrations()]
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
}
