import Postgres

/// Something that a file of `sql/` makes, and that can be dropped and made again without losing data.
public struct MadeObject: Hashable, Sendable, CustomStringConvertible {
    /// As `pg_identify_object` says, so that `drop KIND IDENTITY` is a statement: `view`, `trigger`, …
    public let kind: String
    /// Complete whatever the search path: `event.rank(pg_catalog.uuid)`, `"own rows" on event.events`.
    public let identity: String

    public var description: String {
        // A function reads better without the schema nobody writes.
        kind + " " + identity.split(separator: "pg_catalog.", omittingEmptySubsequences: false).joined()
    }

    /// The kind of a job of pg_cron; its identity is its name.
    static let cronJob = "cron job"

    /// The name without its schema, its arguments and the table it is on.
    var name: String {
        let whole = isOnTable ? identity : String(identity.prefix { $0 != "(" })
        if isOnTable { return unquoted(qualifiedName(Scanner.pieces(of: whole).map(\.token)[...]) ?? whole) }
        return (Scanner.pieces(of: whole).last?.token).map(unquoted) ?? whole
    }

    var isRoutine: Bool { ["function", "procedure", "aggregate"].contains(kind) }

    private var isOnTable: Bool { ["trigger", "policy", "rule"].contains(kind) }

    /// Drops it, and whatever stands on it.
    var dropCascade: String {
        "drop \(isRoutine ? "routine" : kind) if exists \(identity) cascade"
    }
}

/// The catalogue, as far as files of `sql/` make it: routines, views, types, triggers, policies and rules
/// outside extensions.
enum MadeObjects {
    /// An object and its present row in the catalogue.
    struct Found {
        let object: MadeObject
        /// Another one after every change.
        let version: String
    }

    /// Every object there is now.
    static func all(_ connection: Connection) throws -> [MadeObject] {
        try connection.underCatalogPath {
            try connection.query("\(listing) select kind, identity from named").map(object)
        }
    }

    /// The versions of all that was written since this transaction began, by anyone.
    static func versions(_ connection: Connection) throws -> [String] {
        try connection.underCatalogPath {
            try connection.query("\(recent) select version from recent").map { try $0.value("version") }
        }
    }

    /// What this transaction has written and is not among the known versions.
    static func touched(since known: Set<String>, _ connection: Connection) throws -> [Found] {
        try connection.underCatalogPath {
            try connection.query(
                """
                \(recent), fresh as materialized (
                    select r.* from recent as r where r.version <> all ($1::text[])
                )
                select i.type as kind, i.identity, f.version
                from fresh as f, pg_catalog.pg_identify_object(f.catalogue, f.oid, 0) as i
                where exists (
                    select from unnest(f.xmins) as x
                    cross join lateral (
                        select f.base + (x::text::bigint - f.base & 4294967295) as full_id) as w
                    -- Rows of others are visible only when they are committed.
                    where pg_catalog.pg_xact_status(w.full_id::text::xid8) = 'in progress')
                """, [Parameter(Array(known))]
            ).map { Found(object: try object($0), version: try $0.value("version")) }
        }
    }

    /// Grants and comments of everything there is, as statements that give them to a new object; U+0001
    /// stands for its identity.
    static func attachments(_ connection: Connection) throws -> [MadeObject: [String]] {
        let rows = try connection.underCatalogPath {
            try connection.query(
                """
                \(listing), granted as (
                    select o.catalogue, o.oid, format(E'grant %s on %s \\x01 to %s%s', a.privilege_type,
                        o.grant_word, \(grantee),
                        case when a.is_grantable then ' with grant option' else '' end) as statement
                    from named as o, aclexplode(o.acl) as a
                    where a.grantee <> o.owner
                    union all
                    select o.catalogue, o.oid, format(E'grant %s (%I) on \\x01 to %s%s',
                        a.privilege_type, t.attname, \(grantee),
                        case when a.is_grantable then ' with grant option' else '' end)
                    from named as o
                    join pg_attribute as t on t.attrelid = o.oid and t.attnum > 0 and not t.attisdropped
                    cross join aclexplode(t.attacl) as a
                    where o.catalogue = 'pg_class'::regclass
                    union all
                    select o.catalogue, o.oid, format(E'comment on %s \\x01 is %L', o.kind, d.description)
                    from named as o
                    join pg_description as d
                        on d.classoid = o.catalogue and d.objoid = o.oid and d.objsubid = 0
                    union all
                    select o.catalogue, o.oid,
                        format(E'comment on column \\x01.%I is %L', t.attname, d.description)
                    from named as o
                    join pg_description as d
                        on d.classoid = o.catalogue and d.objoid = o.oid and d.objsubid > 0
                    join pg_attribute as t on t.attrelid = o.oid and t.attnum = d.objsubid
                    where o.catalogue = 'pg_class'::regclass
                )
                select o.kind, o.identity, g.statement, (o.acl is not null)::text as has_acl
                from named as o left join granted as g using (catalogue, oid)
                """)
        }
        var statements: [MadeObject: [String]] = [:]
        for row in rows {
            let object = try object(row)
            // Whatever a new one is born with is taken away before it is given the old one's grants.
            if statements[object] == nil {
                statements[object] = row["has_acl"] == "true" ? [revokeAll] : []
            }
            if let statement = row["statement"] { statements[object]?.append(statement) }
        }
        return statements
    }

    /// Stands for: revoke what everybody but the owner was given.
    static let revokeAll = "revoke"

    /// The statements that take from everybody but the owner what they were given on an object.
    static func revocations(_ object: MadeObject, _ connection: Connection) throws -> [String] {
        try connection.underCatalogPath {
            try connection.query(
                """
                \(listing)
                select distinct
                    format('revoke all on %s %s from %s', o.grant_word, o.identity, \(grantee)) as statement
                from named as o, aclexplode(coalesce(o.acl, o.default_acl)) as a
                where o.kind = $1 and o.identity = $2 and a.grantee <> o.owner
                """, [Parameter(object.kind), Parameter(object.identity)]
            ).map { try $0.value("statement") }
        }
    }

    /// Whom entry `a` of an access list is for, as a grant says it.
    private static let grantee =
        "case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end"

    private static func object(_ row: Row) throws -> MadeObject {
        MadeObject(kind: try row.value("kind"), identity: try row.value("identity"))
    }

    /// `candidate`: every such object, with the rows that a change of it writes.
    private static let candidates = """
        with candidate as (
            select 'pg_catalog.pg_proc'::regclass as catalogue, p.oid, p.pronamespace as namespace,
                p.proowner as owner, p.proacl as acl, acldefault('f', p.proowner) as default_acl, 'routine' as grant_word,
                array[p.ctid] as rows, array[p.xmin] as xmins
            from pg_catalog.pg_proc as p
            union all
            select 'pg_catalog.pg_class'::regclass, c.oid, c.relnamespace, c.relowner,
                c.relacl, acldefault('r', c.relowner), 'table', array[c.ctid, r.ctid], array[c.xmin, r.xmin]
            from pg_catalog.pg_class as c
            join pg_catalog.pg_rewrite as r on r.ev_class = c.oid and r.rulename = '_RETURN'
            where c.relkind in ('v', 'm')
            union all
            select 'pg_catalog.pg_type'::regclass, t.oid, t.typnamespace, t.typowner,
                t.typacl, acldefault('T', t.typowner), 'type', array[t.ctid], array[t.xmin]
            from pg_catalog.pg_type as t
            left join pg_catalog.pg_class as c on c.oid = t.typrelid
            where t.typtype in ('d', 'e', 'r') or c.relkind = 'c'
            union all
            select 'pg_catalog.pg_trigger'::regclass, t.oid, c.relnamespace, c.relowner,
                null, null, null, array[t.ctid], array[t.xmin]
            from pg_catalog.pg_trigger as t join pg_catalog.pg_class as c on c.oid = t.tgrelid
            where not t.tgisinternal and t.tgparentid = 0
            union all
            select 'pg_catalog.pg_policy'::regclass, p.oid, c.relnamespace, c.relowner,
                null, null, null, array[p.ctid], array[p.xmin]
            from pg_catalog.pg_policy as p join pg_catalog.pg_class as c on c.oid = p.polrelid
            union all
            select 'pg_catalog.pg_rewrite'::regclass, r.oid, c.relnamespace, c.relowner,
                null, null, null, array[r.ctid], array[r.xmin]
            from pg_catalog.pg_rewrite as r join pg_catalog.pg_class as c on c.oid = r.ev_class
            where r.rulename <> '_RETURN'
        ), ours as (
            select c.*
            from candidate as c
            join pg_catalog.pg_namespace as n on n.oid = c.namespace
            where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'migration')
                and not exists (
                    select from pg_catalog.pg_depend as d
                    where d.classid = c.catalogue and d.objid = c.oid and d.deptype = 'e')
        )
        """

    private static let listing = """
        \(candidates), named as (
            select o.*, i.type as kind, i.identity
            from ours as o, pg_catalog.pg_identify_object(o.catalogue, o.oid, 0) as i
        )
        """

    /// `recent`: those with a row that is not older than this transaction. Numbers of transactions come round
    /// after 2^32, so they are compared by their distance.
    private static let recent = """
        \(candidates), recent as materialized (
            select o.catalogue, o.oid, o.xmins, t.base,
                concat_ws(' ', o.catalogue::oid, o.oid, o.rows) as version
            from ours as o, (select pg_catalog.pg_current_xact_id()::text::bigint as base) as t
            where exists (
                select from unnest(o.xmins) as x where x::text::bigint - t.base & 4294967295 < 2147483648)
        )
        """
}
