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
            ))
    }

    /// Makes the tables where they are missing.
    static func create(_ connection: Connection) throws {
        let exists =
            try connection.query("select pg_catalog.to_regclass('migration.object') is not null").scalar
            == "t"
        if !exists { try connection.execute(script: definition) }
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
            'SHA-256 of the file as it ran; an edited file is refused.';
        comment on column migration.applied.duration is
            'From the begin of its transaction to just before the commit.';
        comment on table migration.object is 'Which version of each file of sql/ this database has.';
        comment on column migration.object.path is 'Relative to sql/, as the manifest names it.';
        comment on column migration.object.checksum is 'SHA-256 of the file as it was last applied.';
        commit;
        """
}
