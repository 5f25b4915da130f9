import Postgres

extension Runner {
    /// A migration whose file is not as it was when it was applied.
    public struct Edit: Hashable, Sendable, CustomStringConvertible {
        public let migration: Migration
        public let applied: Ledger.Migration

        public var description: String {
            let what = applied.name == migration.name ? "edited" : "renamed from \(applied.name)"
            return "\(migration.source.path): \(what) after it was applied on \(applied.appliedAt)"
        }
    }

    /// What `repair` would accept; reads only.
    public func edits() throws -> [Edit] {
        let ledger = try ledger()
        return project.migrations.compactMap { migration in
            guard let applied = ledger.migrations[migration.number],
                applied.name != migration.name || !migration.source.isNoted(as: applied.checksum)
            else { return nil }
            return Edit(migration: migration, applied: applied)
        }
    }

    /// Notes the files as they are now for these migrations, and runs nothing: whoever accepts says that the
    /// database is already what the edited file would have made of it.
    public func accept(_ edits: [Edit]) throws {
        try underLock(as: "repair", edits.map(\.migration.number)) { connection in
            try connection.transaction {
                for edit in edits {
                    let changed = try connection.query(
                        """
                        update migration.applied set name = $2, checksum = $3
                        where number = $1 and checksum = $4
                        """,
                        [
                            Parameter(edit.migration.number), Parameter(edit.migration.name),
                            Parameter(edit.migration.source.checksum), Parameter(edit.applied.checksum),
                        ])
                    guard changed.affected == 1 else {
                        throw Refusal(
                            Problem(
                                file: edit.migration.source.path, "the ledger has changed meanwhile",
                                hint: "Look again."))
                    }
                }
            }
        }
    }

    /// Notes the migrations up to a number as applied and runs none: for a database that has their objects
    /// from elsewhere. Refused where a ledger has begun.
    @discardableResult
    public func baseline(through number: Int) throws -> [Migration] {
        let known = project.migrations.filter { $0.number <= number }
        guard known.last?.number == number else {
            throw Refusal(
                Problem(
                    file: "migrations", "there is no migration \(number)",
                    hint: "Name the last one whose objects are there."))
        }
        try underLock(as: "baseline", known.map(\.number)) { connection in
            guard try LedgerStore.read(connection).migrations.isEmpty else {
                throw Refusal(
                    Problem(
                        file: "database \(connection.database)", "migrations have been applied here",
                        hint: "A baseline is for a database that came from elsewhere; "
                            + "concierge migrate status shows this one's."))
            }
            try connection.transaction {
                for migration in known { try LedgerStore.record(migration, connection) }
            }
        }
        return known
    }
}
