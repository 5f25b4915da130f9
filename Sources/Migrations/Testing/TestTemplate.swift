import Postgres

/// The database every test starts from: migrations, `sql/` and `Tests/sql/_setup`, made once for each state
/// of the files.
struct TestTemplate {
    private static let prefix = "concierge_test_template_"
    private static let throwAwayPrefix = "concierge_test_run_"
    /// Counted up when this file changes what a template holds.
    private static let generation = "1"

    let project: Project
    let target: Target
    /// A session in database `postgres`: advisory locks belong to one database, and all testers meet in this
    /// one.
    let admin: Connection

    /// Makes the template unless it is there, and drops those of other states that nobody uses; returns its
    /// name.
    ///
    /// Two testers may come at once: one builds under an exclusive lock; everyone then holds a shared lock on
    /// the name, which keeps others from dropping it, until the session ends.
    func prepare() throws -> String {
        let setup = try filesBelow(project.root + "/Tests/sql/_setup", suffix: ".sql")
            .map { try Source(root: project.root, path: "Tests/sql/_setup/" + $0) }
        let name = TestTemplate.prefix + (try fingerprint(setup)).prefix(16)

        try admin.query(
            "select pg_catalog.pg_advisory_lock(pg_catalog.hashtext($1))", [Parameter(TestTemplate.prefix)])
        defer {
            _ = try? admin.query(
                "select pg_catalog.pg_advisory_unlock(pg_catalog.hashtext($1))",
                [Parameter(TestTemplate.prefix)])
        }
        try admin.query(
            "select pg_catalog.pg_advisory_lock_shared(pg_catalog.hashtext($1))", [Parameter(name)])
        if try admin.query("select 1 from pg_catalog.pg_database where datname = $1", [Parameter(name)])
            .isEmpty
        {
            try build(name, setup)
        }
        try dropUnused(except: name)
        return name
    }

    /// The name of the n-th throw-away database of this tester; it carries the server process of its session.
    func throwAwayName(_ number: Int) -> String {
        "\(TestTemplate.throwAwayPrefix)\(admin.backendPID)_\(number)"
    }

    /// All that makes one template differ from another.
    private func fingerprint(_ setup: [Source]) throws -> String {
        let server =
            try admin.query(
                """
                select pg_catalog.current_setting('server_version_num') || ' ' ||
                       pg_catalog.string_agg(name || ' ' || default_version, ' ' order by name) as version
                from pg_catalog.pg_available_extensions
                """
            ).scalar ?? ""
        let objects = project.preamble + project.objects
        let sources = project.migrations.map(\.source) + objects.map(\.source) + setup
        let helpers = TestHelpers.sources.map(\.1)
        let inputs =
            [TestTemplate.generation, server] + helpers + sources.map { "\($0.path) \($0.checksum)" }
        return sha256(Array(inputs.joined(separator: "\n").utf8))
    }

    private func build(_ name: String, _ setup: [Source]) throws {
        // Under another name until it is whole: a build that was killed leaves no half template.
        let unfinished = "concierge_test_unfinished"
        try admin.execute(script: "drop database if exists \(unfinished) with (force)")
        try admin.execute(script: "create database \(unfinished) template template0 encoding 'UTF8'")
        let place = target.inDatabase(unfinished)
        let connection = try place.connect(as: "concierge test")
        try connection.execute(script: "set synchronous_commit = off")
        for name in ["pgtap", "plpgsql_check"] {
            do {
                try connection.execute(script: "create extension \(name) schema public")
            } catch let error as PostgresError {
                throw Refusal(
                    Problem(
                        file: "extension \(name)", error.message,
                        hint: "Run extensions/install.sh, which brings it."))
            }
        }
        var runner = Runner(project, place)
        runner.cronSkipReason = "a test database has no jobs of its own"
        try runner.apply()
        let execution = Execution(connection, place) { _ in }
        for source in setup { try execution.run(source) }
        try TestHelpers.add(to: connection)
        connection.close()
        try admin.execute(script: "alter database \(unfinished) rename to \(admin.escapeIdentifier(name))")
        try admin.execute(
            script: "alter database \(admin.escapeIdentifier(name)) with allow_connections false")
    }

    /// Drops templates nobody holds, and throw-away databases whose tester is gone.
    private func dropUnused(except name: String) throws {
        let templates = try admin.query(
            """
            select datname from pg_catalog.pg_database
            where pg_catalog.starts_with(datname, $1) and datname <> $2
            """, [Parameter(TestTemplate.prefix), Parameter(name)])
        for template in try templates.map({ try $0.value("datname", as: String.self) }) {
            let isFree = try admin.query(
                "select pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext($1))", [Parameter(template)])
            guard isFree.scalar == "t" else { continue }
            try admin.execute(script: "drop database if exists \(admin.escapeIdentifier(template))")
            try admin.query(
                "select pg_catalog.pg_advisory_unlock(pg_catalog.hashtext($1))", [Parameter(template)])
        }
        try dropLeftovers(of: TestTemplate.throwAwayPrefix + "([0-9]+)_[0-9]+", admin)
    }
}

/// Drops throw-away databases of a killed run: the group of the pattern is the server process of the session
/// that made one.
func dropLeftovers(of pattern: String, _ admin: Connection) throws {
    let leftovers = try admin.query(
        """
        select datname from pg_catalog.pg_database
        where pg_catalog.substring(datname, $1)::integer not in (select pid from pg_catalog.pg_stat_activity)
        """, [Parameter("^" + pattern + "$")])
    for database in try leftovers.map({ try $0.value("datname", as: String.self) }) {
        try admin.execute(
            script: "drop database if exists \(admin.escapeIdentifier(database)) with (force)")
    }
}
