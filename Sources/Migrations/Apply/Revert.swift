import Postgres

extension Runner {
    /// The migrations a revert would undo, the newest first: the last one applied, or all above a number.
    public func reverts(downTo number: Int? = nil) throws -> [Migration] {
        let ledger = try ledger()
        _ = try Plan(project, ledger)
        let applied = project.migrations.filter { ledger.migrations[$0.number] != nil }
        if let number, number != 0, !applied.contains(where: { $0.number == number }) {
            throw Refusal(
                Problem(
                    file: "migrations", "migration \(number) has not been applied",
                    hint: "Name the last one that shall stay; 0 is none."))
        }
        let chosen = number.map { number in applied.filter { $0.number > number } } ?? applied.suffix(1)
        let stuck = chosen.filter { $0.revert == nil }.map { migration in
            Problem(
                file: migration.source.path, "has no revert script",
                hint: "Write \(migration.source.path.dropLast(4)).revert.sql, or a new migration.")
        }
        guard stuck.isEmpty else { throw Refusal(stuck) }
        return chosen.reversed()
    }

    /// Undoes migrations, each in a transaction of its own. Where rows or values would be lost it is refused,
    /// and nothing of that migration changed, unless `losingData`.
    public func revert(_ migrations: [Migration], losingData: Bool = false) throws {
        try underLock(as: "revert", migrations.map(\.number)) { connection in
            let execution = Execution(connection, target, progress)
            for migration in migrations {
                guard let revert = migration.revert else { continue }
                try step(revert.path, revert.header, files: 1, execution) {
                    try undo(migration, revert, losingData: losingData, execution)
                    try stepDown(connection)
                    try LedgerStore.forget(migration, connection)
                }
            }
        }
    }

    private func undo(_ migration: Migration, _ script: Source, losingData: Bool, _ execution: Execution)
        throws
    {
        let connection = execution.connection
        let before = try StoredData(connection)
        try connection.execute(script: "savepoint concierge_revert")
        try execution.run(script)
        let suspects = try before.suspects(connection)
        guard !suspects.isEmpty, !losingData else { return }
        // Looked at as it was, under the locks the script takes anyway, so that nobody adds to it meanwhile.
        try connection.execute(script: "rollback to savepoint concierge_revert")
        let losses = try suspects.compactMap { try $0.loss(connection) }
        guard losses.isEmpty else {
            throw Refusal(
                Problem(
                    file: script.path, "would lose data",
                    detail: "Lost would be: " + losses.joined(separator: ", ") + ".",
                    hint: "Save it first, or say that it may go: concierge migrate revert --lose-data"))
        }
        try execution.run(script)
    }
}

/// Where a database keeps data: its tables, their columns and files.
private struct StoredData {
    struct Table { let name: String, file: String, columns: [Int: String] }

    /// By the tables' numbers.
    let tables: [Int: Table]

    init(_ connection: Connection) throws {
        let rows = try connection.underCatalogPath {
            try connection.query(
                """
                select c.oid, c.oid::regclass::text as name, c.relfilenode::text as file,
                    a.attnum, quote_ident(a.attname) as column
                from pg_class as c
                join pg_namespace as n on n.oid = c.relnamespace
                left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                where c.relkind in ('r', 'p')
                    and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'migration')
                """)
        }
        var tables: [Int: Table] = [:]
        for (oid, rows) in Dictionary(grouping: rows, by: { $0["oid"].flatMap { Int($0) } ?? 0 }) {
            guard let first = rows.first else { continue }
            let columns = try rows.compactMap { row in
                try row.optional("attnum", as: Int.self).map { ($0, row["column"] ?? "") }
            }
            tables[oid] = Table(
                name: try first.value("name"), file: try first.value("file"),
                columns: Dictionary(columns, uniquingKeysWith: { $1 }))
        }
        self.tables = tables
    }

    /// What has gone since, and may have held data.
    func suspects(_ connection: Connection) throws -> [Suspect] {
        let now = try StoredData(connection)
        var suspects: [Suspect] = []
        for (oid, table) in tables.sorted(by: { $0.value.name < $1.value.name }) {
            guard let there = now.tables[oid] else {
                suspects.append(.table(table.name))
                continue
            }
            for (number, column) in table.columns.sorted(by: { $0.key < $1.key })
            where there.columns[number] == nil {
                suspects.append(.column(column, table: table.name))
            }
            let deleted =
                try connection.query(
                    "select pg_catalog.pg_stat_get_xact_tuples_deleted($1::oid)", [Parameter(oid)]
                ).scalar.flatMap { Int($0) } ?? 0
            if deleted > 0 { suspects.append(.rows(deleted, table: table.name)) }
            // Another file and no rows in it: truncated.
            if there.file != table.file,
                try connection.query("select not exists (select from \(there.name))").scalar == "t"
            {
                suspects.append(.table(table.name))
            }
        }
        return suspects
    }
}

/// Something a script takes away.
private enum Suspect {
    case table(String)
    case column(String, table: String)
    case rows(Int, table: String)

    /// What would be lost of it, in words; nil when it holds nothing. Locks the table.
    func loss(_ connection: Connection) throws -> String? {
        switch self {
        case .table(let table):
            return try count("select from \(table)", table, connection).map { "\($0) rows of \(table)" }
        case .column(let column, let table):
            return try count("select from \(table) where \(column) is not null", table, connection)
                .map { "\($0) values of \(table).\(column)" }
        case .rows(let count, let table):
            return "\(count) rows of \(table)"
        }
    }

    private func count(_ query: String, _ table: String, _ connection: Connection) throws -> String? {
        try connection.execute(script: "lock table \(table) in access exclusive mode")
        let limit = 1000
        let text =
            try connection.query("select count(*) from (\(query) limit \(limit + 1)) as t").scalar ?? "0"
        guard let count = Int(text), count > 0 else { return nil }
        return count > limit ? "more than \(limit)" : text
    }
}
