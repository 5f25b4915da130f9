import Glibc
import Postgres

/// A session that holds a lock somebody waits for.
public struct LockHolder: Hashable, Sendable, CustomStringConvertible {
    public let pid: Int
    public let user: String
    public let application: String
    public let client: String
    /// When the session began, as the server prints it.
    public let since: String

    public var description: String {
        let what = application.isEmpty ? "a session" : application
        return "\(what) of \(user) on \(client), pid \(pid), since \(since)"
    }

    /// The sessions that a session waits for.
    static func blocking(_ pid: Int32, _ connection: Connection) throws -> [LockHolder] {
        try named("where a.pid = any (pg_catalog.pg_blocking_pids($1))", Parameter(Int(pid)), connection)
    }

    /// The sessions `a` of pg_stat_activity that are left by the rest of a query.
    static func named(_ rest: String, _ parameter: Parameter, _ connection: Connection) throws -> [LockHolder]
    {
        try connection.query(
            """
            select a.pid, coalesce(a.usename, '') as usename, coalesce(a.application_name, '') as application,
                   coalesce(pg_catalog.host(a.client_addr), 'this machine') as client,
                   pg_catalog.to_char(a.backend_start, 'HH24:MI:SS') as since
            from pg_catalog.pg_stat_activity a
            \(rest)
            order by a.pid
            """, [parameter]
        ).map { row in
            LockHolder(
                pid: try row.value("pid"), user: try row.value("usename"),
                application: try row.value("application"),
                client: try row.value("client"), since: try row.value("since"))
        }
    }
}

/// One migrator a database at a time: a session advisory lock. Who refreshes a materialized view shares it,
/// so that neither starts beside the other.
///
/// It is tried for again and again rather than waited for inside the server: a waiting statement would be an
/// open transaction, and hold back vacuum and every `create index concurrently` of the migrator it waits for.
struct MigrationLock {
    /// The letters "concierg" as a number.
    static let key: Int64 = 0x636f_6e63_6965_7267

    /// Takes the lock, calling `waiting` once for each holder it meets; throws `Refusal` after `patience`.
    static func take(_ connection: Connection, patience: Duration, waiting: (LockHolder) -> Void) throws {
        let began = ContinuousClock.now
        var met: Set<LockHolder> = []
        while try connection.query("select pg_catalog.pg_try_advisory_lock($1)", [Parameter(key)]).scalar
            != "t"
        {
            let holder = try holder(connection)
            if let holder, met.insert(holder).inserted { waiting(holder) }
            guard began.duration(to: .now) < patience else {
                throw Refusal(
                    Problem(
                        file: "database \(connection.database)",
                        "somebody else migrates it, or refreshes a view",
                        detail: holder?.description,
                        hint: "Wait for it, or end it: select pg_terminate_backend(\(holder?.pid ?? 0));"))
            }
            usleep(200_000)
        }
    }

    static func release(_ connection: Connection) {
        // If this fails the session is gone, and its lock with it.
        _ = try? connection.query("select pg_catalog.pg_advisory_unlock($1)", [Parameter(key)])
    }

    private static func holder(_ connection: Connection) throws -> LockHolder? {
        try LockHolder.named(
            """
            join pg_catalog.pg_locks l using (pid)
            where l.locktype = 'advisory' and l.granted and l.objsubid = 1
                and l.database = (
                    select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
                and (l.classid::bigint << 32 | l.objid::bigint) = $1
            """, Parameter(key), connection
        ).first
    }
}
