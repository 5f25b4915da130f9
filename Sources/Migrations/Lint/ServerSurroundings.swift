import Postgres

/// A database as the surroundings of a statement. What is not there yet, because a migration before this
/// one makes it, the files answer for.
struct ServerSurroundings: Surroundings {
    let connection: Connection
    var history: History

    /// The first value of a query; nil when it has none, or names what is not there.
    private func ask(_ sql: String, _ parameters: Parameter?...) -> Row? {
        try? connection.query(sql, parameters).first
    }

    private func isTrue(_ sql: String, _ parameters: Parameter?...) -> Bool {
        (try? connection.query(sql, parameters).scalar) == "t"
    }

    func isVolatile(_ function: ObjectName) -> Bool? {
        let known = ask(
            """
            select bool_or(p.provolatile = 'v') as is_volatile
            from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
            where p.proname = $1 and ($2::text is null or n.nspname = $2)
            """, Parameter(function.name), .optional(function.schema))?["is_volatile"]
        return known.map { $0 == "t" } ?? history.isVolatile(function)
    }

    func isCheckedDomain(_ type: ObjectName) -> Bool {
        isTrue(
            """
            select t.typnotnull or exists (select from pg_catalog.pg_constraint as c where c.contypid = t.oid)
            from pg_catalog.pg_type as t
            where t.oid = pg_catalog.to_regtype($1) and t.typtype = 'd'
            """, Parameter(quoted(type))) || history.isCheckedDomain(type)
    }

    func isProvenNotNull(_ column: String, of table: ObjectName) -> Bool {
        isTrue(
            """
            select exists (
                select from pg_catalog.pg_constraint as c
                join pg_catalog.pg_attribute as a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
                where c.conrelid = pg_catalog.to_regclass($1) and c.contype = 'c' and c.convalidated
                    and a.attname = $2
                    and pg_catalog.pg_get_constraintdef(c.oid)
                        = pg_catalog.format('CHECK ((%I IS NOT NULL))', $2))
            or exists (
                select from pg_catalog.pg_attribute as a
                where a.attrelid = pg_catalog.to_regclass($1) and a.attname = $2 and a.attnotnull)
            """, Parameter(quoted(table)), Parameter(column)) || history.isProvenNotNull(column, of: table)
    }

    /// What the server's own casts and length functions spare: a wider varchar or numeric, a finer time, a
    /// cast that changes no byte. Checks on the column are looked at again even then.
    func work(_ column: String, of table: ObjectName, as type: SyntaxTree) -> RowWork {
        guard let name = ObjectName(type.names.words), type.arrayBounds.nodes.isEmpty else {
            return .mayRewrite
        }
        let row = ask(
            """
            select old.typname as old, a.atttypmod as modifier, new.typname as new, new.typtype as kind,
                exists (select from pg_catalog.pg_cast as c
                    where c.castsource = old.oid and c.casttarget = new.oid and c.castmethod = 'b'
                    ) as is_free,
                exists (select from pg_catalog.pg_constraint as c
                    where c.conrelid = a.attrelid and c.contype = 'c' and c.convalidated
                        and a.attnum = any (c.conkey)) as is_checked
            from pg_catalog.pg_attribute as a
            join pg_catalog.pg_type as old on old.oid = a.atttypid
            join pg_catalog.pg_type as new on new.oid = pg_catalog.to_regtype($3)
            where a.attrelid = pg_catalog.to_regclass($1) and a.attname = $2
            """, Parameter(quoted(table)), Parameter(column), Parameter(quoted(name)))
        guard let row, let old = row["old"], let new = row["new"],
            let modifier = row["modifier"].flatMap({ Int($0) })
        else { return .mayRewrite }
        if row["kind"] == "d" { return .mayRewrite }
        let lengths = type.typmods.nodes.map { $0["ival"]["ival"].number ?? 0 }
        let keepsRows =
            old == new
            ? keeps(old, modifier: modifier, lengths: lengths) : row["is_free"] == "t" && lengths.isEmpty
        return !keepsRows ? .rewrites : row["is_checked"] == "t" ? .scans : .none
    }

    /// Whether values of one type keep when only its length changes. A modifier below 0 is no limit.
    private func keeps(_ type: String, modifier: Int, lengths: [Int]) -> Bool {
        switch type {
        case "varchar": lengths.isEmpty || modifier >= 0 && lengths[0] >= modifier - 4
        case "varbit": lengths.isEmpty || modifier >= 0 && lengths[0] >= modifier
        case "numeric":
            lengths.isEmpty
                || modifier >= 0 && (lengths.count > 1 ? lengths[1] : 0) == (modifier - 4) & 0x7ff
                    && lengths[0] >= (modifier - 4) >> 16
        case "timestamp", "timestamptz", "time", "timetz":
            lengths.isEmpty || lengths[0] >= 6 || modifier >= 0 && lengths[0] >= modifier
        case "bpchar", "bit", "interval": false
        default: true
        }
    }

    func table(of index: ObjectName) -> ObjectName? {
        name(
            ask(
                """
                select n.nspname, c.relname
                from pg_catalog.pg_index as i
                join pg_catalog.pg_class as c on c.oid = i.indrelid
                join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
                where i.indexrelid = pg_catalog.to_regclass($1)
                """, Parameter(quoted(index)))) ?? history.table(of: index)
    }

    func target(of constraint: String, on table: ObjectName) -> ObjectName? {
        name(
            ask(
                """
                select n.nspname, c.relname
                from pg_catalog.pg_constraint as k
                join pg_catalog.pg_class as c on c.oid = k.confrelid
                join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
                where k.conrelid = pg_catalog.to_regclass($1) and k.conname = $2
                """, Parameter(quoted(table)), Parameter(constraint)))
            ?? history.target(of: constraint, on: table)
    }

    func targets(of table: ObjectName, column: String?) -> [ObjectName] {
        let found = try? connection.query(
            """
            select n.nspname, c.relname
            from pg_catalog.pg_constraint as k
            join pg_catalog.pg_class as c on c.oid = k.confrelid
            join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            where k.conrelid = pg_catalog.to_regclass($1) and k.confrelid <> k.conrelid and ($2::text is null
                or exists (select from pg_catalog.pg_attribute as a
                    where a.attrelid = k.conrelid and a.attname = $2 and a.attnum = any (k.conkey)))
            """, [Parameter(quoted(table)), .optional(column)])
        let names = found?.compactMap { name($0) } ?? []
        return names.isEmpty ? history.targets(of: table, column: column) : names
    }

    func isChecked(_ table: ObjectName) -> Bool {
        isTrue(
            """
            select exists (select from pg_catalog.pg_constraint as c
                where c.conrelid = pg_catalog.to_regclass($1) and c.contype = 'c' and c.convalidated)
            """, Parameter(quoted(table))) || history.isChecked(table)
    }

    func isFresh(_ relation: ObjectName) -> Bool { history.isFresh(relation) }

    /// How large a relation is; nil when it is not there, or is no table.
    func size(of relation: ObjectName) -> RelationSize? {
        let row = ask(
            """
            select
                case when bool_and(c.reltuples >= 0 or c.relkind = 'p')
                     then sum(greatest(c.reltuples, 0))::bigint end as rows,
                sum(pg_catalog.pg_total_relation_size(c.oid))::bigint as bytes
            from pg_catalog.pg_class as c
            where c.relkind in ('r', 'p', 'm') and c.oid in (
                select t.relid from pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) as t
                union select pg_catalog.to_regclass($1))
            """, Parameter(quoted(relation)))
        guard let row, let bytes = row["bytes"].flatMap({ Int($0) }) else { return nil }
        return RelationSize(rows: row["rows"].flatMap { Int($0) }, bytes: bytes)
    }

    private func name(_ row: Row?) -> ObjectName? {
        guard let row, let table = row[1] else { return nil }
        return ObjectName(row[0], table)
    }

    private func quoted(_ name: ObjectName) -> String {
        let words = [name.schema, name.name].compactMap { $0 }
        return words.map { "\"" + $0.replacing("\"", with: "\"\"") + "\"" }.joined(separator: ".")
    }
}
