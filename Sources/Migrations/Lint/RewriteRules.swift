/// What writes every row anew, or cannot be had for the rows that are there.
let rewriteRules: [LintRule] = [
    LintRule(
        "M201", "type-change-rewrites",
        reason: "a new type may write every row and every index anew under ACCESS EXCLUSIVE",
        fix:
            "add a column of the new type, fill it in batches, and let the programs change over; or allow it "
            + "where `concierge migrate plan` says that nothing is rewritten"
    ) { scene in
        scene.eachChange("AT_AlterColumnType") { change, table in
            "\(table).\(change.name.text ?? "") may be written anew while readers and writers wait"
        }
    },
    LintRule(
        "M202", "default-rewrites",
        reason: "a default that differs from row to row is written into every row under ACCESS EXCLUSIVE",
        fix: "add the column without it, set the default for new rows, and fill the old ones in batches"
    ) { scene in
        scene.eachChange("AT_AddColumn") { change, table in
            let column = change.def
            let hasOne = column.constraints.nodes.contains { $0.contype.text == "CONSTR_DEFAULT" }
            guard hasOne, !isComputed(column) else { return nil }
            let collector = EffectCollector(scene.history)
            switch collector.columnWork(column) {
            case .rewrites: return "every row of \(table) is written anew while readers and writers wait"
            case .mayRewrite:
                return
                    "every row of \(table) may be written anew: whether its function is volatile is not known"
            default: return nil
            }
        }
    },
    LintRule(
        "M203", "computed-column-rewrites",
        reason:
            "identity, serial and generated columns and checked domains are written into every row",
        fix: "add a plain column and fill it in batches; let a trigger or a default see to new rows"
    ) { scene in
        scene.eachChange("AT_AddColumn") { change, table in
            let type = ObjectName(change.def.typeName.names.words)
            guard isComputed(change.def) || type.map(scene.history.isCheckedDomain) == true else {
                return nil
            }
            return "every row of \(table) is written anew while readers and writers wait"
        }
    },
    LintRule(
        "M204", "required-column",
        reason:
            "NOT NULL without a default fails when there is one row, and then for every program that inserts",
        fix: "give it a default, or add it nullable and require it when all rows and programs have it"
    ) { scene in
        scene.eachChange("AT_AddColumn") { change, table in
            let kinds = change.def.constraints.nodes.compactMap(\.contype.text)
            let isRequired = kinds.contains("CONSTR_NOTNULL") || kinds.contains("CONSTR_PRIMARY")
            guard isRequired, !change.def.hasDefault else { return nil }
            return
                "the rows of \(table) have no \(change.def.colname.text ?? ""), nor have those to come"
        }
    },
    LintRule(
        "M205", "rewrite-by-hand",
        reason: "VACUUM FULL and CLUSTER write the table anew under ACCESS EXCLUSIVE",
        fix:
            "let autovacuum work; where a table must shrink, use pg_repack, or do it in a window and allow it"
    ) { scene in
        scene.each("VacuumStmt") { vacuum in
            guard
                vacuum.options.nodes.contains(where: {
                    $0.defname.text == "full" && !["false", "off"].contains($0.arg.text)
                })
            else { return nil }
            let table = vacuum.rels.nodes.first.map { named($0.relation) } ?? "every table"
            return "readers and writers wait until \(table) is written anew"
        }
            + scene.each("ClusterStmt") { cluster in
                let table = cluster.relation.exists ? named(cluster.relation) : "every clustered table"
                return "readers and writers wait until \(table) is written anew"
            }
    },
    LintRule(
        "M206", "storage-rewrites",
        reason:
            "another tablespace, access method, LOGGED or UNLOGGED copies the table under ACCESS EXCLUSIVE",
        fix: "do it in a window and allow it, or fill a new table and swap"
    ) { scene in
        scene.eachChange("AT_SetTableSpace", "AT_SetLogged", "AT_SetUnLogged", "AT_SetAccessMethod") {
            _, table in
            "\(table) is copied while readers and writers wait"
        }
            + scene.each("AlterTableMoveAllStmt") { _ in
                "every table there is copied while readers and writers wait"
            }
    },
    LintRule(
        "M207", "enum-value-at-once",
        reason:
            "an added label cannot be used before the transaction that added it has committed (55P04)",
        fix: "use it in the next migration"
    ) { scene in
        guard scene.file.isTransactional, !scene.history.newEnumValues.isEmpty else { return [] }
        let used = Set(scene.tree.all("A_Const").compactMap(\.constant))
        return scene.history.newEnumValues.filter(used.contains).map {
            "'\($0)' was added in this same transaction"
        }
    },
    LintRule(
        "M208", "enum-value-renamed",
        reason:
            "programs that send or compare the old label fail from now on; a label cannot be dropped either",
        fix: "add the new label and let the programs change over; better a check on a text column"
    ) { scene in
        scene.each("AlterEnumStmt") { change in
            guard let old = change.oldVal.text else { return nil }
            return "whoever writes '\(old)' gets an error from now on"
        }
    },
    LintRule(
        "M209", "enum-value-unplaced",
        reason: "without BEFORE or AFTER a new label sorts last, and that cannot be changed later",
        fix: "say where: add value … before or after …"
    ) { scene in
        scene.each("AlterEnumStmt") { change in
            guard !change.oldVal.exists, !change.newValNeighbor.exists else { return nil }
            return "'\(change.newVal.text ?? "")' sorts after all others for good"
        }
    },
]

/// Whether the server computes the column's value for each row that is there.
private func isComputed(_ column: SyntaxTree) -> Bool {
    column.constraints.nodes.contains { ["CONSTR_IDENTITY", "CONSTR_GENERATED"].contains($0.contype.text) }
        || isSerial(column)
}

/// Whether the type is one of the words that stand for an integer with a sequence.
func isSerial(_ column: SyntaxTree) -> Bool {
    ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"].contains(
        column.typeName.names.words.last)
}
