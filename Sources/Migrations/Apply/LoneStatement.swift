import Postgres

/// A statement that runs in no transaction, so that a crash can leave it done and not noted, or half done:
/// what it is, and how one finds out.
enum LoneStatement: Equatable {
    /// `create index concurrently`: interrupted or failed, it leaves an index that is INVALID.
    case createIndex(name: String, table: String)
    /// `drop index concurrently`
    case dropIndex(String)
    /// `reindex … concurrently`: interrupted, it leaves INVALID copies named `…_ccnew` or `…_ccold`.
    case reindexConcurrently
    /// `alter table … detach partition … concurrently`: interrupted, it leaves the partition half detached.
    case detachPartition(String, table: String)
    /// Done twice is as good as done once: vacuum, analyze, cluster, reindex, checkpoint, alter system, and a
    /// call of a procedure, which commits for itself and must be able to go on where it stopped.
    case repeatable
    /// Changes the session, and is forgotten with it: done again by whoever goes on.
    case session

    /// Nil for a statement that can be a transaction of its own, as most can.
    init?(_ statement: Statement, file: String) throws(Refusal) {
        let tokens = statement.tokens
        func name(after words: String...) -> String? {
            guard let at = tokens.indices.first(where: { tokens[$0...].starts(with: words) }) else {
                return nil
            }
            return qualifiedName(tokens[(at + words.count)...])
        }
        let isConcurrent = tokens.contains("concurrently")
        switch tokens.first {
        case "set", "reset":
            self = .session
        case "vacuum", "analyze", "cluster", "checkpoint", "call":
            self = .repeatable
        case "alter" where tokens.dropFirst().first == "system":
            self = .repeatable
        case "reindex":
            self = isConcurrent ? .reindexConcurrently : .repeatable
        case "create" where isConcurrent && tokens.prefix(3).contains("index"):
            let table = name(after: "on", "only") ?? name(after: "on")
            let index = name(after: "concurrently", "if", "not", "exists") ?? name(after: "concurrently")
            guard let table, let index, index != "on" else {
                throw Refusal(
                    Problem(
                        file: file, line: statement.line, "an index that is built concurrently needs a name",
                        hint: "By its name the runner finds what an interrupted build has left."))
            }
            self = .createIndex(name: index, table: table)
        case "drop" where isConcurrent && tokens.dropFirst().first == "index":
            guard let index = name(after: "if", "exists") ?? name(after: "concurrently") else { return nil }
            self = .dropIndex(index)
        case "alter" where isConcurrent && tokens.contains("detach"):
            guard let table = name(after: "if", "exists") ?? name(after: "only") ?? name(after: "table"),
                let partition = name(after: "partition")
            else { return nil }
            self = .detachPartition(partition, table: table)
        default:
            return nil
        }
    }

    /// What is left to be done.
    struct Remainder: Equatable {
        /// To be run first, one by one: they clear away what an interrupted run has left.
        var cleanUp: [String] = []
        /// Whether the statement itself has been done.
        var isDone = false
    }

    /// Looks what an earlier run has left. `wasBegun`: whether it may have run this statement.
    func remainder(_ connection: Connection, wasBegun: Bool) throws -> Remainder {
        switch self {
        case .createIndex(let name, let table):
            let rows = try connection.query(
                """
                select i.indexrelid::pg_catalog.regclass::text as name, i.indisvalid and i.indisready as is_whole
                from pg_catalog.pg_class t
                join pg_catalog.pg_class c on c.relnamespace = t.relnamespace and c.relname = $2
                join pg_catalog.pg_index i on i.indexrelid = c.oid and i.indrelid = t.oid
                where t.oid = pg_catalog.to_regclass($1)
                """, [Parameter(table), Parameter(unquoted(name))])
            guard let row = rows.first else { return Remainder() }
            // Valid, and nobody here began it: then the statement says itself what it thinks of that.
            if row["is_whole"] == "t" { return Remainder(isDone: wasBegun) }
            return Remainder(cleanUp: ["drop index concurrently \(try row.value("name", as: String.self))"])
        case .dropIndex(let name):
            let isThere = try connection.query(
                "select pg_catalog.to_regclass($1) is not null", [Parameter(name)])
            return Remainder(isDone: wasBegun && isThere.scalar == "f")
        case .reindexConcurrently:
            guard wasBegun else { return Remainder() }
            let rows = try connection.query(
                """
                select i.indexrelid::pg_catalog.regclass::text as name
                from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
                where not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$'
                """)
            return Remainder(
                cleanUp: try rows.map { "drop index concurrently \(try $0.value("name", as: String.self))" })
        case .detachPartition(let partition, let table):
            guard wasBegun else { return Remainder() }
            let rows = try connection.query(
                """
                select inhdetachpending from pg_catalog.pg_inherits
                where inhrelid = pg_catalog.to_regclass($1) and inhparent = pg_catalog.to_regclass($2)
                """, [Parameter(partition), Parameter(table)])
            guard let row = rows.first else { return Remainder(isDone: true) }
            guard row[0] == "t" else { return Remainder() }
            return Remainder(
                cleanUp: ["alter table \(table) detach partition \(partition) finalize"], isDone: true)
        case .repeatable, .session:
            return Remainder()
        }
    }
}
