import Glibc
import Postgres

/// From where a run comes: the state of the files it applies.
public struct Origin: Hashable, Sendable {
    /// The commit of the files; nil when they are under no version control.
    public var commit: String?
    /// Whether files differ from that commit.
    public var isDirty: Bool
    /// Who called it, on which machine.
    public var user: String

    public init(commit: String?, isDirty: Bool, user: String) {
        self.commit = commit
        self.isDirty = isDirty
        self.user = user
    }
}

/// A run that wanted to change something, as the ledger keeps it.
public struct Run: Hashable, Sendable {
    /// `up`, `revert`, `repair` or `baseline`.
    public let command: String
    public let migrations: [Int]
    /// How many files of `sql/`.
    public let files: Int
    public let origin: Origin
    /// The database role.
    public let role: String
    /// As the server prints it.
    public let beganAt: String
    /// Seconds; nil when the run never said how it ended.
    public let seconds: Double?
    /// Why it failed; nil when it did not.
    public let error: String?
}

/// Table `migration.run`: one row for each run that wants to change something, written before it begins.
enum RunLog {
    /// Notes that a run begins; returns its number.
    static func begin(
        _ command: String, _ migrations: [Int], files: Int, _ origin: Origin?, _ connection: Connection
    ) throws -> String {
        let number = try connection.query(
            """
            insert into migration.run (command, migrations, files, commit, is_dirty, called_by)
            values ($1, $2::integer[], $3, $4, $5, $6) returning run_id
            """,
            [
                Parameter(command), Parameter(migrations.map(String.init)), Parameter(files),
                .optional(origin?.commit), origin.map { Parameter($0.isDirty) }, .optional(origin?.user),
            ])
        return number.scalar ?? ""
    }

    /// Notes how a run ended. If the session is lost, the row goes on saying that it never did.
    static func end(_ number: String, error: (any Error)?, _ connection: Connection) {
        _ = try? connection.query(
            "update migration.run set ended_at = pg_catalog.clock_timestamp(), error = $2 where run_id = $1::bigint",
            [Parameter(number), .optional(error.map { String("\($0)".prefix(2000)) })])
    }

    static func read(_ connection: Connection, limit: Int) throws -> [Run] {
        let exists = try connection.query("select pg_catalog.to_regclass('migration.run') is not null").scalar
        guard exists == "t" else { return [] }
        return try connection.query(
            """
            select command, pg_catalog.array_to_string(migrations, ' ') as migrations, files, commit,
                coalesce(is_dirty, false)::text as is_dirty, coalesce(called_by, '') as called_by, role,
                pg_catalog.to_char(began_at, 'YYYY-MM-DD HH24:MI TZ') as began_at,
                extract(epoch from ended_at - began_at)::double precision as seconds, error
            from migration.run order by run_id desc limit $1
            """, [Parameter(limit)]
        ).map { row in
            Run(
                command: try row.value("command"),
                migrations: (row["migrations"] ?? "").split(separator: " ").compactMap { Int($0) },
                files: try row.value("files"),
                origin: Origin(
                    commit: row["commit"], isDirty: row["is_dirty"] == "true",
                    user: try row.value("called_by")),
                role: try row.value("role"), beganAt: try row.value("began_at"),
                seconds: try row.optional("seconds"), error: row["error"])
        }
    }

    static let definition = """
        begin;
        create table migration.run (
            run_id     bigint      primary key generated always as identity,
            command    text        not null,
            migrations integer[]   not null,
            files      integer     not null,
            commit     text,
            is_dirty   boolean,
            called_by  text,
            role       text        not null default session_user,
            began_at   timestamptz not null default pg_catalog.clock_timestamp(),
            ended_at   timestamptz,
            error      text
        );
        revoke all on migration.run from public;
        comment on table migration.run is
            'Each run that wanted to change something: who, when, from which commit, how long.';
        comment on column migration.run.migrations is 'Those it set out to apply or revert.';
        comment on column migration.run.files is 'How many files of sql/ it set out to run.';
        comment on column migration.run.commit is 'Of the files; null where they are under no version control.';
        comment on column migration.run.called_by is 'The system user and machine, as the caller says.';
        comment on column migration.run.ended_at is 'Null: it is under way, or was killed.';
        comment on column migration.run.error is 'Null: all of it was applied, if it has ended.';
        commit;
        """
}
