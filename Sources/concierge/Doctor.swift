import Migrations
import Postgres

/// `concierge doctor`: what a DBA would look at first, one line each.
let doctorCommands = [
    Command(words: ["doctor"], summary: "Checks server, extensions, roles and migrations; changes nothing.") {
        invocation in
        let target = try target(invocation)
        let findings = try examine(target)
        for finding in findings {
            Terminal.say(Terminal.row(finding.subject, "\(finding.isWell ? "ok" : "WRONG"): \(finding.state)"))
        }
        let wrong = findings.count { !$0.isWell }
        Terminal.say(wrong == 0 ? "all is well" : wrong == 1 ? "one thing is wrong" : "\(wrong) things are wrong")
        return wrong == 0 ? 0 : 1
    }
]

/// One thing looked at.
private struct Finding {
    let subject: String
    let isWell: Bool
    let state: String
}

private func examine(_ target: Target) throws -> [Finding] {
    let connection = try target.connect(as: "concierge doctor")
    func setting(_ name: String) throws -> String? {
        try connection.query("select current_setting($1, true)", [Parameter(name)]).scalar
    }
    let version = try setting("server_version") ?? "unknown"
    let checksums = try setting("data_checksums") == "on"
    var findings = [
        Finding(
            subject: "server version", isWell: connection.serverVersion >= 150_000,
            state: connection.serverVersion >= 150_000 ? version : "\(version); 15 or newer is needed"),
        Finding(
            subject: "data checksums", isWell: true,
            state: checksums ? "on" : "off; a broken disk goes unnoticed (pg_checksums --enable, server stopped)"),
    ]
    findings += try extensionFindings(connection)
    findings.append(try cronFinding(target, connection))

    let missing = try connection.query(
        """
        select string_agg(r, ', ') from unnest($1::text[]) r where to_regrole(r) is null
        """, [Parameter(["concierge_owner", "concierge_app", "concierge_worker", "concierge_admin"])]
    ).scalar
    findings.append(Finding(
        subject: "roles", isWell: missing == nil, state: missing.map { "missing: \($0)" } ?? "all four are there"))

    do {
        let plan = try Runner(Project(root: projectRoot()), target).plan()
        let files = plan.objects.count + plan.cron.count
        findings.append(Finding(
            subject: "migrations", isWell: plan.isEmpty,
            state: plan.isEmpty ? "none pending"
                : "\(plan.migrations.count) pending, \(files) files of sql/ to apply; run concierge migrate"))
    } catch let refusal as Refusal {
        findings.append(Finding(subject: "migrations", isWell: false, state: refusal.description))
    }
    return findings
}

private func extensionFindings(_ connection: Connection) throws -> [Finding] {
    // Name, and whether Concierge cannot do without it.
    let wanted = [
        ("vector", true), ("pgcrypto", true), ("pg_trgm", true), ("btree_gin", true), ("unaccent", true),
    ]
    return try wanted.map { name, isRequired in
        let row = try connection.query(
            "select installed_version, default_version from pg_available_extensions where name = $1", [Parameter(name)]
        ).first
        let installed = row?["installed_version"]
        guard let installed else {
            let state = row == nil ? "not on this server; run extensions/install.sh" : "not in this database; run concierge migrate"
            return Finding(subject: "extension \(name)", isWell: !isRequired, state: state)
        }
        guard name == "vector", isVersion(installed, before: "0.8.2") else {
            return Finding(subject: "extension \(name)", isWell: true, state: installed)
        }
        // CVE-2026-3172: a parallel HNSW build before 0.8.2 reads and writes past its buffer.
        let workers = try connection.query("select current_setting('max_parallel_maintenance_workers')").scalar
        return Finding(
            subject: "extension \(name)", isWell: workers == "0",
            state: workers == "0"
                ? "\(installed), safe because max_parallel_maintenance_workers = 0 (CVE-2026-3172)"
                : "\(installed) has CVE-2026-3172: update to 0.8.2, or set max_parallel_maintenance_workers = 0")
    }
}

/// pg_cron is optional: without it, a dead daemon means that cached reads are not refreshed, never that they are wrong.
private func cronFinding(_ target: Target, _ connection: Connection) throws -> Finding {
    let home = try connection.query("select coalesce(current_setting('cron.database_name', true), 'postgres')").scalar
    let cron = try? target.inDatabase(home ?? "postgres").connect(as: "concierge doctor")
    let version = try cron?.query("select extversion from pg_extension where extname = 'pg_cron'").scalar
    guard let version else {
        return Finding(subject: "pg_cron", isWell: true, state: "not there; the daemon alone refreshes")
    }
    let launcher = try connection.query(
        "select count(*) from pg_stat_activity where backend_type = 'pg_cron launcher'").scalar
    return Finding(
        subject: "pg_cron", isWell: launcher != "0",
        state: launcher != "0" ? "\(version), launcher alive" : "\(version), but its launcher does not run")
}
