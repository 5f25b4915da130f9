import Postgres

/// What materialized views are made from, as a fingerprint: of the views and functions they read, directly or
/// through others. Not of tables, whose rows are a refresh's business.
enum MaterializedInputs {
    /// By the view's identity. A function whose body is text depends on whatever of ours it names.
    static func read(_ connection: Connection) throws -> [String: String] {
        let rows = try connection.underCatalogPath {
            try connection.query(
                """
                with recursive ours as (
                    select n.oid from pg_namespace as n
                    where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'migration')
                ), input (root, catalogue, oid) as (
                    select c.oid, 'pg_class'::regclass, c.oid
                    from pg_class as c join ours as n on n.oid = c.relnamespace where c.relkind = 'm'
                    union
                    select i.root, u.catalogue, u.oid
                    from input as i, lateral (
                        select d.refclassid::regclass as catalogue, d.refobjid as oid
                        from pg_rewrite as r
                        join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
                        where i.catalogue = 'pg_class'::regclass and r.ev_class = i.oid
                            and d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)
                        union all
                        select d.refclassid::regclass, d.refobjid
                        from pg_depend as d
                        where i.catalogue = 'pg_proc'::regclass
                            and d.classid = 'pg_proc'::regclass and d.objid = i.oid
                            and d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)
                        union all
                        select named.catalogue, named.oid
                        from pg_proc as p
                        join pg_language as l on l.oid = p.prolang and l.lanname not in ('c', 'internal'),
                        lateral (
                            select 'pg_proc'::regclass as catalogue, f.oid, f.proname as name
                            from pg_proc as f join ours as n on n.oid = f.pronamespace
                            union all
                            select 'pg_class'::regclass, c.oid, c.relname
                            from pg_class as c join ours as n on n.oid = c.relnamespace
                            where c.relkind in ('v', 'm')
                        ) as named
                        where i.catalogue = 'pg_proc'::regclass and p.oid = i.oid and p.prosqlbody is null
                            and p.pronamespace in (select oid from ours)
                            and strpos(lower(p.prosrc), lower(named.name)) > 0
                    ) as u
                )
                select o.identity,
                    encode(sha256(convert_to(
                        coalesce(string_agg(d.definition, E'\\n' order by d.definition), ''),
                        'UTF8')), 'hex') as inputs
                from input as i
                join pg_identify_object('pg_class'::regclass, i.root, 0) as o on true
                left join lateral (
                    select pg_get_viewdef(c.oid) as definition
                    from pg_class as c
                    where i.catalogue = 'pg_class'::regclass and c.oid = i.oid and c.oid <> i.root
                        and c.relkind in ('v', 'm')
                    union all
                    select pg_get_functiondef(p.oid)
                    from pg_proc as p
                    join pg_language as l on l.oid = p.prolang and l.lanname not in ('c', 'internal')
                    where i.catalogue = 'pg_proc'::regclass and p.oid = i.oid and p.prokind in ('f', 'p')
                ) as d on true
                group by o.identity
                """)
        }
        return Dictionary(
            try rows.map { (try $0.value("identity"), try $0.value("inputs")) }, uniquingKeysWith: { $1 })
    }
}
