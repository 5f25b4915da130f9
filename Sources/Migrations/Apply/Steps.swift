import Postgres

extension Runner {
    /// A migration that is not one transaction. Each statement that can be is a transaction of its own, with
    /// its note in the ledger. Of the others the ledger says first that they are about to run, so that
    /// whoever comes after a crash knows what to look for.
    func steps(_ migration: Migration, _ execution: Execution) throws {
        let connection = execution.connection
        let source = migration.source
        let earlier = try LedgerStore.steps(migration, connection)
        for (index, statement) in source.statements.enumerated() {
            guard let step = earlier[index + 1], step.statement != statement.canonical else { continue }
            throw Refusal(
                Problem(
                    file: source.path, line: statement.line, "edited while it was half applied",
                    detail: "Statement \(index + 1) was: \(step.statement)",
                    hint: "Restore the statements that were applied; change the ones after them as you like.")
            )
        }

        try told(source.path, files: 1, connection) {
            for (index, statement) in source.statements.enumerated() {
                let number = index + 1
                let step = earlier[number]
                if step?.isDone == true { continue }
                let note = { (isDone: Bool) in
                    try connection.execute(
                        script: "set local role none; set local session authorization default")
                    try LedgerStore.note(statement, number, of: migration, isDone: isDone, connection)
                }
                if let lone = try LoneStatement(statement, file: source.path) {
                    var wasBegun = step != nil
                    try execution.retrying(source.path, source.header, backOff) {
                        defer { wasBegun = true }
                        try run(lone, statement, source, wasBegun: wasBegun, execution, note)
                    }
                } else {
                    try attempt(source.path, source.header, execution) {
                        try execution.run(statement, of: source)
                        try note(true)
                    }
                }
            }
            try stepDown(connection)
            try connection.transaction {
                try check(migration, within: connection)
                try LedgerStore.finish(migration, connection)
            }
        }
    }

    /// A statement outside any transaction. It may wait for locks without end: those it takes stand in
    /// nobody's way, and what it has built by then would be lost.
    private func run(
        _ lone: LoneStatement, _ statement: Statement, _ source: Source, wasBegun: Bool,
        _ execution: Execution,
        _ note: (Bool) throws -> Void
    ) throws {
        let connection = execution.connection
        if lone == .session { return try execution.run(statement, of: source) }
        let remainder = try lone.remainder(connection, wasBegun: wasBegun)
        try connection.transaction { try note(false) }
        try setTimeouts(source.header, lock: "0", "session", connection)
        for script in remainder.cleanUp { try execution.run(script: script, of: source.path) }
        if !remainder.isDone { try execution.run(statement, of: source) }
        try connection.transaction { try note(true) }
    }
}
