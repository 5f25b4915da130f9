import Postgres

/// The ledger's tables in schema `migration`. Every name is qualified: the session's search path is not
/// trusted.
enum LedgerStore {
    /// Reads the ledger; a database that has none yet is an empty one. Changes nothing.
    static func read(_ connection: Connection) throws -> Ledger {
        let exists =
            try connection.query("select pg_catalog.to_regclass('migration.object') is not null").scalar
            == "t"
        guard exists else { return Ledger() }
        let migrations = try connection.query(
            """
            select number, name, checksum, 
                pg_catalog.to_char(applied_at, 'YYYY-MM-DD HH24:MI TZ') as applied_at
            from migration.applied order by number
            """)
        let objects = try connection.query("select path, checksum from migration.object")
        return Ledger(
            migrations: try migrations.map {
                Ledger.Migration(
                    number: try $0.value("number"), name: try $0.value("name"),
                    checksum: try $0.value("checksum"),
                    appliedAt: try $0.value("applied_at"))
            },
            objects: Dictionary(
                try objects.map { (try $0.value("path"), try $0.value("checksum")) }, uniquingKeysWith: { $1 }
            ),
            made: try made(connection))
    }

    /// What files made, and whether it is there; nil when that was never noted.
    private static func made(_ connection: Connection) throws -> [String: [Ledger.Made]]? {
        let exists = try connection.query("select pg_catalog.to_regclass('migration.made') is not null")
            .scalar
        guard exists == "t" else { return nil }
        let existing = Set(try connection.transaction { try MadeObjects.all(connection) })
        var made: [String: [Ledger.Made]] = [:]
        for row in try connection.query("select path, kind, identity, definition, inputs from migration.made")
        {
            let object = MadeObject(kind: try row.value("kind"), identity: try row.value("identity"))
            made[try row.value("path"), default: []].append(
                Ledger.Made(
                    object: object, definition: row["definition"], inputs: row["inputs"],
                    isThere: existing.contains(object) || object.kind == MadeObject.cronJob))
        }
        return made
    }

    /// Makes the tables where they are missing.
    static func create(_ connection: Connection) throws {
        let tables = [
            ("object", definition), ("step", stepDefinition), ("made", madeDefinition),
            ("run", RunLog.definition),
        ]
        for (table, definition) in tables {
            let exists = try connection.query(
                "select pg_catalog.to_regclass('migration.' || $1) is not null", [Parameter(table)]
            ).scalar
            if exists != "t" { try connection.execute(script: definition) }
        }
    }

    /// Notes by today's checksum what was noted by that of a file's bytes, which a comment changes.
    static func modernize(_ project: Project, _ ledger: Ledger, _ connection: Connection) throws {
        for migration in project.migrations
        where isOutdated(ledger.migrations[migration.number]?.checksum, migration.source) {
            try connection.query(
                "update migration.applied set checksum = $2 where number = $1",
                [Parameter(migration.number), Parameter(migration.source.checksum)])
        }
        for file in project.preamble + project.objects + project.cron
        where isOutdated(ledger.objects[file.path], file.source) {
            try connection.query(
                "update migration.object set checksum = $2 where path = $1",
                [Parameter(file.path), Parameter(file.source.checksum)])
        }
    }

    private static func isOutdated(_ noted: String?, _ source: Source) -> Bool {
        noted != source.checksum && source.isNoted(as: noted)
    }

    /// A statement of a migration that is not one transaction: what it was, and whether it is known to be
    /// done.
    struct Step { let statement: String, isDone: Bool }

    /// The steps of a migration that was begun and not finished, by the statement's number from 1.
    static func steps(_ migration: Migration, _ connection: Connection) throws -> [Int: Step] {
        let rows = try connection.query(
            """
            select statement_number, statement, done_at is not null as is_done
            from migration.step where number = $1
            """, [Parameter(migration.number)])
        return Dictionary(
            try rows.map {
                (
                    try $0.value("statement_number"),
                    Step(statement: try $0.value("statement"), isDone: $0["is_done"] == "t")
                )
            }, uniquingKeysWith: { $1 })
    }

    /// Notes that a statement is about to run (`isDone` false) or is done.
    static func note(
        _ statement: Statement, _ number: Int, of migration: Migration, isDone: Bool, _ connection: Connection
    )
        throws
    {
        try connection.query(
            """
            insert into migration.step (number, statement_number, statement, done_at)
            values ($1, $2, $3, case when $4::boolean then pg_catalog.clock_timestamp() end)
            on conflict (number, statement_number) do update set done_at = excluded.done_at
            """,
            [
                Parameter(migration.number), Parameter(number), Parameter(statement.canonical),
                Parameter(isDone ? "t" : "f"),
            ])
    }

    /// How long a migration that is not one transaction has taken, from its first step; its steps are
    /// forgotten.
    static func finish(_ migration: Migration, _ connection: Connection) throws {
        try connection.query(
            """
            with gone as (delete from migration.step where number = $1 returning begun_at)
            insert into migration.applied (number, name, checksum, duration)
            select $1, $2, $3, pg_catalog.clock_timestamp() - coalesce(min(g.begun_at), pg_catalog.now())
            from gone as g
            """,
            [Parameter(migration.number), Parameter(migration.name), Parameter(migration.source.checksum)])
    }

    /// Writes down a migration in the transaction that ran it; its duration counts from the transaction's
    /// begin.
    static func record(_ migration: Migration, _ connection: Connection) throws {
        try connection.query(
            """
            insert into migration.applied (number, name, checksum, duration)
            values ($1, $2, $3, pg_catalog.clock_timestamp() - pg_catalog.now())
            """,
            [Parameter(migration.number), Parameter(migration.name), Parameter(migration.source.checksum)])
    }

    /// Writes down which version of a file the database now has.
    static func record(_ file: ObjectFile, _ connection: Connection) throws {
        try connection.query(
            """
            insert into migration.object (path, checksum) values ($1, $2)
            on conflict (path) do update set checksum = excluded.checksum, applied_at = pg_catalog.now()
            """,
            [Parameter(file.path), Parameter(file.source.checksum)])
    }

    /// Writes down what a file made; what another file made before is this one's now.
    static func record(_ notes: [Ledger.Made], of file: ObjectFile, _ connection: Connection) throws {
        try connection.query("delete from migration.made where path = $1", [Parameter(file.path)])
        guard !notes.isEmpty else { return }
        try connection.query(
            """
            insert into migration.made (path, kind, identity, definition, inputs)
            select $1, n.kind, n.identity, nullif(n.definition, ''), nullif(n.inputs, '')
            from rows from (
                pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[]),
                pg_catalog.unnest($5::text[])) as n (kind, identity, definition, inputs)
            on conflict (kind, identity) do update
            set path = excluded.path, definition = excluded.definition, inputs = excluded.inputs
            """,
            [
                Parameter(file.path), Parameter(notes.map(\.object.kind)),
                Parameter(notes.map(\.object.identity)), Parameter(notes.map { $0.definition ?? "" }),
                Parameter(notes.map { $0.inputs ?? "" }),
            ])
    }

    static func forget(_ migration: Migration, _ connection: Connection) throws {
        try connection.query("delete from migration.applied where number = $1", [Parameter(migration.number)])
    }

    static func forget(_ path: String, _ connection: Connection) throws {
        try connection.query("delete from migration.object where path = $1", [Parameter(path)])
    }

    private static let definition = """
        begin;
        create schema if not exists migration;
        create table migration.applied (
            number     integer     primary key check (number > 0),
            name       text        not null,
            checksum   text        not null,
            applied_at timestamptz not null default pg_catalog.now(),
            applied_by text        not null default session_user,
            duration   interval    not null
        );
        create table migration.object (
            path       text        primary key,
            checksum   text        not null,
            applied_at timestamptz not null default pg_catalog.now()
        );
        revoke all on schema migration from public;
        revoke all on all tables in schema migration from public;
        comment on schema migration is 'What concierge migrate has applied here; written by it alone.';
        comment on table migration.applied is
            'Each migration that ran, once, in the transaction that ran it.';
        comment on column migration.applied.checksum is
            '1: and the SHA-256 of what the file said; comments do not count, an edited file is refused.';
        comment on column migration.applied.duration is
            'From the begin of its transaction to just before the commit.';
        comment on table migration.object is 'Which version of each file of sql/ this database has.';
        comment on column migration.object.path is 'Relative to sql/, as the manifest names it.';
        comment on column migration.object.checksum is 'As in applied, of the file as it was last applied.';
        commit;
        """

    private static let madeDefinition = """
        begin;
        create table migration.made (
            path       text not null references migration.object on delete cascade,
            kind       text not null,
            identity   text not null,
            definition text,
            inputs     text,
            primary key (kind, identity)
        );
        create index made_by_path on migration.made (path);
        revoke all on migration.made from public;
        comment on table migration.made is
            'What each file of sql/ made: dropped when no file makes it any more, '
            'made again when it is missing.';
        comment on column migration.made.kind is 'As pg_identify_object says; or cron job.';
        comment on column migration.made.identity is 'As pg_identify_object says; of a cron job its name.';
        comment on column migration.made.definition is
            'Of a materialized view: the SHA-256 of what made it and its indexes.';
        comment on column migration.made.inputs is
            'Of a materialized view: the SHA-256 of the views and functions it was made from.';
        commit;
        """

    private static let stepDefinition = """
        begin;
        create table migration.step (
            number           integer     not null,
            statement_number integer     not null,
            statement        text        not null,
            begun_at         timestamptz not null default pg_catalog.clock_timestamp(),
            done_at          timestamptz,
            primary key (number, statement_number)
        );
        revoke all on migration.step from public;
        comment on table migration.step is
            'The statements so far of a migration that is under way, or was interrupted, '
            'and is not one transaction.';
        comment on column migration.step.statement is 'Without comments and white space.';
        comment on column migration.step.done_at is 'Null: it was about to run, and may have.';
        commit;
        """
}
