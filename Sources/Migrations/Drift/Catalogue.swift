import Postgres

/// What a database is made of, object by object, in the words of its own catalogue: two databases are alike
/// when their catalogues are equal.
///
/// Left out: what belongs to the server or to an extension, the ledger, rows, and physical accidents such as
/// the numbers of columns that were dropped.
public struct Catalogue: Equatable, Sendable {
    /// Definitions by kind and name: `table event.events`, `function access.me()`.
    public private(set) var definitions: [String: String]

    /// In one snapshot.
    init(_ connection: Connection) throws {
        self = try connection.transaction(begin: "begin isolation level repeatable read read only") {
            try Catalogue(within: connection)
        }
    }

    /// As the transaction under way sees it.
    init(within connection: Connection) throws {
        // Names then always say their schema.
        definitions = try connection.underCatalogPath {
            var definitions: [String: String] = [:]
            for part in Catalogue.parts {
                for row in try connection.query(Catalogue.frame + part) {
                    definitions[try row.value("name")] = try row.value("definition")
                }
            }
            return definitions
        }
    }

    private init(definitions: [String: String]) { self.definitions = definitions }

    /// What files of `sql/` do not make: tables with their columns, defaults and constraints, indexes,
    /// sequences; not what belongs to the views and types that are named.
    func rest(without gone: Set<MadeObject>) -> Catalogue {
        let kinds = [
            "table", "foreign", "column", "constraint", "index", "sequence", "statistics", "publication",
        ]
        let owners = gone.map(\.identity)
        return Catalogue(
            definitions: definitions.filter { name, definition in
                guard let kind = name.split(separator: " ").first, kinds.contains(String(kind)) else {
                    return false
                }
                return !owners.contains { Catalogue.belongs(name, definition, to: $0) }
            })
    }

    /// Whether an object is a column, constraint, index or trigger of a table or view.
    private static func belongs(_ name: String, _ definition: String, to owner: String) -> Bool {
        name.hasPrefix("column \(owner).") || name.hasSuffix(" on \(owner)")
            || name.hasPrefix("index ") && definition.contains(" ON \(owner) ")
    }

    /// Tables that are partitions of a table a clean install has, and that it does not have: they are made as
    /// rows come and dropped as rows grow old, and are no more drift than rows are.
    private func partitions(besides clean: Catalogue) -> [String] {
        let sign = "partition of "
        return definitions.compactMap { name, definition in
            guard name.hasPrefix("table "), clean.definitions[name] == nil,
                let line = definition.split(separator: "\n").first(where: { $0.hasPrefix(sign) }),
                // "partition of event.log FOR VALUES …", "… DEFAULT".
                clean.definitions.keys.contains(where: {
                    $0.hasPrefix("table ") && line.dropFirst(sign.count).hasPrefix($0.dropFirst(6) + " ")
                })
            else { return nil }
            return String(name.dropFirst("table ".count))
        }
    }

    /// The jobs that pg_cron has for a database, by a session where it lives.
    mutating func add(cronJobsFor database: String, _ cron: Connection) throws {
        let rows = try cron.query(
            """
            select 'cron job ' || jobname as name,
                schedule || E'\\n' || command
                || case when active then '' else E'\\nnot active' end as definition
            from cron.job where database = $1 and jobname is not null
            """, [Parameter(database)])
        for row in rows { definitions[try row.value("name")] = try row.value("definition") }
    }

    /// What is not as it should be; empty when both are alike.
    public func differences(from clean: Catalogue) -> [Difference] {
        let partitions = partitions(besides: clean)
        return Set(definitions.keys).union(clean.definitions.keys).sorted().compactMap { name in
            let (here, there) = (definitions[name], clean.definitions[name])
            if here == there { return nil }
            let isOfPartition = partitions.contains {
                name == "table \($0)" || Catalogue.belongs(name, here ?? "", to: $0)
            }
            return there == nil && isOfPartition ? nil : Difference(name: name, clean: there, here: here)
        }
    }

    /// Helpers every part may use: objects of ours, owners, grants, comments.
    private static let frame = """
        with ours as (
            select n.oid, n.nspname
            from pg_namespace n
            where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'migration')
        ), borrowed as (
            select d.classid, d.objid from pg_depend d where d.deptype = 'e'
        )

        """

    private static func comment(_ oid: String, _ catalogue: String) -> String {
        "coalesce(E'\\ncomment ' || obj_description(\(oid), '\(catalogue)'), '')"
    }

    /// Who was given what, unless it is what everything of that kind is born with.
    private static func grants(_ list: String, kind: String, owner: String) -> String {
        let sorted = "(select string_agg(a::text, ' ' order by a::text) from unnest"
        return "coalesce(E'\\ngrants ' || nullif(\(sorted)(\(list)) as a), "
            + "\(sorted)(acldefault(\(kind), \(owner))) as a)), '')"
    }

    private static func isOurs(_ oid: String, _ catalogue: String) -> String {
        "not exists (select from borrowed b where b.classid = '\(catalogue)'::regclass and b.objid = \(oid))"
    }

    /// Each gives `name` and `definition`.
    private static let parts = [
        // Schemas.
        """
        select 'schema ' || quote_ident(n.nspname) as name,
            'owner ' || pg_get_userbyid(n.nspowner)
            || \(grants("n.nspacl", kind: "'n'", owner: "n.nspowner"))
            || \(comment("n.oid", "pg_namespace")) as definition
        from pg_namespace n
        join ours using (oid)
        where \(isOurs("n.oid", "pg_namespace"))
        """,
        // Tables, views, sequences.
        """
        select case c.relkind
                when 'r' then 'table'
                when 'p' then 'table'
                when 'v' then 'view'
                when 'm' then 'materialized view'
                when 'S' then 'sequence'
                when 'f' then 'foreign table'
                else 'type' end || ' ' || c.oid::regclass as name,
            'owner ' || pg_get_userbyid(c.relowner)
            || case c.relpersistence when 'u' then E'\\nunlogged' else '' end
            || case when c.relkind = 'p' then E'\\npartition by ' || pg_get_partkeydef(c.oid) else '' end
            || coalesce(E'\\npartition of '
                || (select i.inhparent::regclass from pg_inherits i where i.inhrelid = c.oid limit 1)
                || coalesce(' ' || pg_get_expr(c.relpartbound, c.oid), ''), '')
            || coalesce(E'\\nwith '
                || (select string_agg(o, ', ' order by o) from unnest(c.reloptions) as o), '')
            || case when c.relrowsecurity then E'\\nrow level security' else '' end
            || case when c.relforcerowsecurity then E'\\nforced row level security' else '' end
            || case c.relreplident when 'd' then '' else E'\\nreplica identity ' || c.relreplident::text end
            || case when c.relkind = 'm' and not c.relispopulated then E'\\nnot populated' else '' end
            || case when c.relkind in ('v', 'm') then E'\\n' || pg_get_viewdef(c.oid) else '' end
            || coalesce(E'\\n'
                || (select concat_ws(' ', s.seqtypid::regtype,
                        'start', s.seqstart, 'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax,
                        'cache', s.seqcache, case when s.seqcycle then 'cycle' end)
                    from pg_sequence s where s.seqrelid = c.oid), '')
            || \(grants(
                "c.relacl", kind: "case c.relkind when 'S' then 's' else 'r' end::\"char\"",
                owner: "c.relowner"))
            || \(comment("c.oid", "pg_class")) as definition
        from pg_class c
        join ours n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c') and \(isOurs("c.oid", "pg_class"))
        """,
        // Columns, in their order.
        """
        select 'column ' || c.oid::regclass || '.' || quote_ident(a.attname) as name,
            row_number() over (partition by c.oid order by a.attnum)
            || ' ' || format_type(a.atttypid, a.atttypmod)
            || case when a.attnotnull then ' not null' else '' end
            || case when a.attcollation <> t.typcollation then ' collate ' || a.attcollation::regcollation
                    else '' end
            || case a.attidentity when 'a' then ' identity always'
                                  when 'd' then ' identity by default' else '' end
            || coalesce(case a.attgenerated when 's' then ' generated ' else ' default ' end
                || pg_get_expr(d.adbin, d.adrelid), '')
            || case when a.attstorage <> t.typstorage then ' storage ' || a.attstorage::text else '' end
            || case when a.attcompression <> '' then ' compression ' || a.attcompression::text else '' end
            || case when a.attstattarget > 0 then ' statistics ' || a.attstattarget else '' end
            || \(grants("a.attacl", kind: "'c'", owner: "c.relowner"))
            || coalesce(E'\\ncomment ' || col_description(a.attrelid, a.attnum), '') as definition
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid
        join ours n on n.oid = c.relnamespace
        join pg_type t on t.oid = a.atttypid
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
            and \(isOurs("c.oid", "pg_class"))
        """,
        // Constraints of tables and domains.
        """
        select 'constraint ' || quote_ident(k.conname) || ' on '
                || coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text) as name,
            pg_get_constraintdef(k.oid)
            || case when k.convalidated then '' else E'\\nnot validated' end
            || \(comment("k.oid", "pg_constraint")) as definition
        from pg_constraint k
        join ours n on n.oid = k.connamespace
        where k.contype <> 't' and \(isOurs("k.conrelid", "pg_class")) and \(isOurs("k.contypid", "pg_type"))
        """,
        // Indexes.
        """
        select 'index ' || i.indexrelid::regclass as name,
            pg_get_indexdef(i.indexrelid)
            || case when i.indisvalid and i.indisready then '' else E'\\nINVALID' end
            || case when i.indisclustered then E'\\nclustered' else '' end
            || case when i.indisreplident then E'\\nreplica identity' else '' end
            || \(comment("i.indexrelid", "pg_class")) as definition
        from pg_index i
        join pg_class c on c.oid = i.indrelid
        join ours n on n.oid = c.relnamespace
        where \(isOurs("c.oid", "pg_class"))
        """,
        // Functions and procedures by body; aggregates by what they are made of.
        """
        select case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end
                || ' ' || p.oid::regprocedure as name,
            'owner ' || pg_get_userbyid(p.proowner) || E'\\n'
            || case when p.prokind = 'a'
                    then (select concat_ws(' ', a.aggtransfn, a.aggfinalfn,
                              a.aggtranstype::regtype, a.agginitval)
                          from pg_aggregate a where a.aggfnoid = p.oid)
                    else pg_get_functiondef(p.oid) end
            || \(grants("p.proacl", kind: "'f'", owner: "p.proowner"))
            || \(comment("p.oid", "pg_proc")) as definition
        from pg_proc p
        join ours n on n.oid = p.pronamespace
        where \(isOurs("p.oid", "pg_proc"))
        """,
        // Triggers, rules, policies.
        """
        select 'trigger ' || quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass as name,
            pg_get_triggerdef(t.oid)
            || case t.tgenabled when 'O' then ''
                                when 'D' then E'\\ndisabled'
                                else E'\\nenabled ' || t.tgenabled::text end
            || \(comment("t.oid", "pg_trigger")) as definition
        from pg_trigger t
        join pg_class c on c.oid = t.tgrelid
        join ours n on n.oid = c.relnamespace
        where not t.tgisinternal and t.tgparentid = 0 and \(isOurs("c.oid", "pg_class"))
        """,
        """
        select 'rule ' || quote_ident(r.rulename) || ' on ' || r.ev_class::regclass as name,
            pg_get_ruledef(r.oid) as definition
        from pg_rewrite r
        join pg_class c on c.oid = r.ev_class
        join ours n on n.oid = c.relnamespace
        where r.rulename <> '_RETURN' and \(isOurs("c.oid", "pg_class"))
        """,
        """
        select 'policy ' || quote_ident(p.polname) || ' on ' || p.polrelid::regclass as name,
            concat_ws(E'\\n',
                case when p.polpermissive then 'permissive' else 'restrictive' end
                || ' for ' || p.polcmd::text || ' to '
                || (select string_agg(case r when 0 then 'public' else pg_get_userbyid(r) end,
                        ', ' order by r)
                    from unnest(p.polroles) as r),
                'using ' || pg_get_expr(p.polqual, p.polrelid),
                'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)) as definition
        from pg_policy p
        join pg_class c on c.oid = p.polrelid
        join ours n on n.oid = c.relnamespace
        """,
        // Types made by create type and create domain.
        """
        select case t.typtype when 'd' then 'domain ' else 'type ' end || t.oid::regtype as name,
            'owner ' || pg_get_userbyid(t.typowner)
            || case when t.typtype = 'd'
                    then E'\\n' || format_type(t.typbasetype, t.typtypmod)
                        || case when t.typnotnull then ' not null' else '' end
                        || coalesce(' default ' || t.typdefault, '')
                    else '' end
            || coalesce(E'\\nenum '
                || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                    from pg_enum e where e.enumtypid = t.oid), '')
            || coalesce(E'\\nrange of '
                || (select format_type(r.rngsubtype, null) from pg_range r where r.rngtypid = t.oid), '')
            || \(grants("t.typacl", kind: "'T'", owner: "t.typowner"))
            || \(comment("t.oid", "pg_type")) as definition
        from pg_type t
        join ours n on n.oid = t.typnamespace
        where (t.typtype in ('d', 'e', 'r')
                or t.typrelid <> 0 and (select c.relkind = 'c' from pg_class c where c.oid = t.typrelid))
            and \(isOurs("t.oid", "pg_type"))
        """,
        // Of the whole database.
        """
        select 'extension ' || quote_ident(e.extname) as name,
            e.extversion || ' in schema ' || quote_ident(n.nspname) as definition
        from pg_extension e
        join pg_namespace n on n.oid = e.extnamespace
        """,
        """
        select 'event trigger ' || quote_ident(e.evtname) as name,
            e.evtevent || ' ' || e.evtfoid::regprocedure || ' ' || e.evtenabled::text
            || coalesce(' ' || e.evttags::text, '') as definition
        from pg_event_trigger e
        where \(isOurs("e.oid", "pg_event_trigger"))
        """,
        """
        select 'statistics ' || quote_ident(n.nspname) || '.' || quote_ident(s.stxname) as name,
            pg_get_statisticsobjdef(s.oid) as definition
        from pg_statistic_ext s
        join ours n on n.oid = s.stxnamespace
        """,
        """
        select 'default privileges of ' || pg_get_userbyid(d.defaclrole) || ' for ' || d.defaclobjtype::text
                || coalesce(' in ' || quote_ident(n.nspname), '') as name,
            (select coalesce(string_agg(a::text, ' ' order by a::text), 'none')
             from unnest(d.defaclacl) as a) as definition
        from pg_default_acl d
        left join pg_namespace n on n.oid = d.defaclnamespace
        """,
        """
        select 'setting ' || split_part(s.setting, '=', 1)
                || coalesce(' of ' || nullif(d.setrole, 0)::regrole, '') as name,
            substr(s.setting, strpos(s.setting, '=') + 1) as definition
        from pg_db_role_setting d, unnest(d.setconfig) as s (setting)
        where d.setdatabase = (select oid from pg_database where datname = current_database())
        """,
        """
        select 'publication ' || quote_ident(p.pubname) as name,
            p.puballtables
            || coalesce(E'\\n'
                || (select string_agg(r.prrelid::regclass::text, ', ' order by r.prrelid::regclass::text)
                    from pg_publication_rel r where r.prpubid = p.oid), '') as definition
        from pg_publication p
        """,
    ]
}

/// An object that is not as a clean install has it.
public struct Difference: Hashable, Sendable, CustomStringConvertible {
    /// Kind and name: `index event.rooms_pkey`.
    public let name: String
    /// What a clean install has; nil when it has no such object.
    public let clean: String?
    /// What is here; nil when it is missing.
    public let here: String?

    /// `missing`, `extra` or `differs` and the name; below it the lines that only one of them has, `-` for
    /// what should be and `+` for what is.
    public var description: String {
        guard let clean else { return "extra    " + name }
        guard let here else { return "missing  " + name }
        let wanted = clean.split(separator: "\n", omittingEmptySubsequences: false)
        let found = here.split(separator: "\n", omittingEmptySubsequences: false)
        return "differs  " + name
            + found.difference(from: wanted).map { change in
                switch change {
                case .remove(_, let line, _): "\n         - " + line
                case .insert(_, let line, _): "\n         + " + line
                }
            }.joined()
    }
}
