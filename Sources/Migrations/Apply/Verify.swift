import Postgres

extension Runner {
    /// Runs the checks of every migration that has been applied and has some, each file in a transaction that
    /// can only read; returns what does not hold. `checked` is told of each file before and what it had to
    /// say.
    public func verify(_ checked: (Migration, [Problem]) -> Void = { _, _ in }) throws -> [Problem] {
        let connection = try target.connect()
        let applied = try LedgerStore.read(connection).migrations
        var failures: [Problem] = []
        for migration in project.migrations where applied[migration.number] != nil {
            guard let verify = migration.verify else { continue }
            var problems: [Problem] = []
            do {
                try connection.transaction(begin: "begin read only") { try check(verify, connection) }
            } catch let refusal as Refusal {
                problems = refusal.problems
            } catch let error as ScriptError {
                problems = [Problem(file: error.file, line: error.line, error.error.message)]
            }
            failures += problems
            checked(migration, problems)
        }
        return failures
    }

    /// Checks, in the transaction that ran the migration, what must be true before it is committed; leaves no
    /// trace.
    func check(_ migration: Migration, within connection: Connection) throws {
        guard let verify = migration.verify else { return }
        try connection.execute(script: "savepoint concierge_verify; set local transaction_read_only = on")
        try check(verify, connection)
        try connection.execute(script: "rollback to savepoint concierge_verify")
    }

    /// A check is a query whose every value is true, and that has one; any other statement must only succeed.
    private func check(_ source: Source, _ connection: Connection) throws {
        let execution = Execution(connection, target) { _ in }
        var problems: [Problem] = []
        for statement in source.statements {
            let results = try execution.results(of: statement, in: source)
            for rows in results where rows.hasColumns {
                let values = rows.flatMap { row in rows.columns.indices.map { row[$0] ?? "null" } }
                if !values.isEmpty, values.allSatisfy({ $0 == "t" }) { continue }
                let found = values.prefix(5).joined(separator: ", ") + (values.count > 5 ? ", …" : "")
                problems.append(
                    Problem(
                        file: source.path, line: statement.line, "does not hold: \(statement.headline)",
                        detail: values.isEmpty ? "It returned no row." : "It returned \(found).",
                        hint: "A check returns true, in each row and column."))
            }
        }
        guard problems.isEmpty else { throw Refusal(problems) }
    }
}
