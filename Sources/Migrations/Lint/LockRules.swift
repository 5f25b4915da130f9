/// What makes others wait: scans and builds under a lock, and locks that need not be so strong.
let lockRules: [LintRule] = [
    LintRule(
        "M101", "index-blocks-writers",
        reason: "CREATE INDEX holds SHARE on the table while it builds: nobody can write",
        fix:
            "create index concurrently, in a migration with `-- transaction: none` (partitioned: on only)"
    ) { scene in
        scene.each("IndexStmt") { index in
            // ON ONLY a partitioned table builds nothing yet.
            guard !index.concurrent.isTrue, index.relation.inh.isTrue, scene.isLive(index.relation) else {
                return nil
            }
            return "writers of \(named(index.relation)) wait until the index is built"
        }
    },
    LintRule(
        "M102", "index-drop-blocks-everyone",
        reason: "DROP INDEX waits for ACCESS EXCLUSIVE on the table, and everybody behind it",
        fix: "drop index concurrently, in a migration with `-- transaction: none`"
    ) { scene in
        scene.each("DropStmt") { drop in
            guard drop.removeType.text == "OBJECT_INDEX", !drop.concurrent.isTrue else { return nil }
            let live = drop.objects.nodes.compactMap { ObjectName($0.words) }.filter(scene.isLive)
            guard let index = live.first else { return nil }
            let table = scene.history.table(of: index).map(\.description) ?? "the table of \(index)"
            return "readers and writers of \(table) wait"
        }
    },
    LintRule(
        "M103", "reindex-blocks-writers",
        reason: "REINDEX holds SHARE on the table and ACCESS EXCLUSIVE on the index, which readers want too",
        fix: "reindex … concurrently, in a migration with `-- transaction: none`"
    ) { scene in
        scene.each("ReindexStmt") { reindex in
            guard !reindex.params.nodes.contains(where: { $0.defname.text == "concurrently" }) else {
                return nil
            }
            return "writers, and readers that want the index, wait until it is built"
        }
    },
    LintRule(
        "M104", "check-scans",
        reason: "ADD CHECK reads the whole table under ACCESS EXCLUSIVE",
        fix: "add the constraint NOT VALID, and validate it in a later migration"
    ) { scene in
        scene.eachChange("AT_AddConstraint", "AT_AddColumn") { change, table in
            let checks = change.subtype.text == "AT_AddColumn" ? change.def.constraints.nodes : [change.def]
            guard checks.contains(where: { $0.contype.text == "CONSTR_CHECK" && !$0.skip_validation.isTrue })
            else {
                return nil
            }
            return "readers and writers of \(table) wait until every row is checked"
        }
    },
    LintRule(
        "M105", "foreign-key-scans",
        reason: "ADD FOREIGN KEY reads both tables under SHARE ROW EXCLUSIVE",
        fix: "add the constraint NOT VALID, and validate it in a later migration"
    ) { scene in
        scene.eachChange("AT_AddConstraint", "AT_AddColumn") { change, table in
            let column = change.subtype.text == "AT_AddColumn"
            let keys = (column ? change.def.constraints.nodes : [change.def]).filter {
                $0.contype.text == "CONSTR_FOREIGN" && !$0.skip_validation.isTrue
            }
            guard let key = keys.first, !column || change.def.hasDefault else { return nil }
            return "writers of \(table) and \(named(key.pktable)) wait until every row is looked up"
        }
    },
    LintRule(
        "M106", "not-null-scans",
        reason: "SET NOT NULL reads the whole table under ACCESS EXCLUSIVE",
        fix: "add check (column is not null) NOT VALID, validate it in a later migration, then SET NOT NULL"
    ) { scene in
        scene.eachChange("AT_SetNotNull") { change, table in
            let column = change.name.text ?? ""
            guard !scene.history.isProvenNotNull(column, of: table) else { return nil }
            return "readers and writers of \(table) wait until every \(column) is looked at"
        }
    },
    LintRule(
        "M107", "key-builds-index",
        reason: "a new PRIMARY KEY, UNIQUE or EXCLUDE builds its index under ACCESS EXCLUSIVE",
        fix: "create unique index concurrently, then add constraint … using index"
    ) { scene in
        scene.eachChange("AT_AddConstraint", "AT_AddColumn") { change, table in
            let keys = change.subtype.text == "AT_AddColumn" ? change.def.constraints.nodes : [change.def]
            guard
                keys.contains(where: { key in
                    ["CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"].contains(key.contype.text)
                        && !key.indexname.exists
                })
            else { return nil }
            return "readers and writers of \(table) wait until the index is built"
        }
    },
    LintRule(
        "M108", "validated-at-once",
        reason:
            "a constraint validated in the transaction that adds it is checked under the lock of the adding",
        fix: "validate it in a later migration, which stands in nobody's way"
    ) { scene in
        guard scene.file.isTransactional else { return [] }
        return scene.eachChange("AT_ValidateConstraint") { change, table in
            guard let name = change.name.text,
                scene.history.unvalidated.contains(where: { $0.name == name && $0.table.matches(table) })
            else { return nil }
            return "\"\(name)\" was added in this same transaction, which holds its lock meanwhile"
        }
    },
    LintRule(
        "M109", "domain-scans",
        reason: "a new rule of a domain reads every table with such a column under SHARE",
        fix: "add the constraint NOT VALID, and validate it in a later migration"
    ) { scene in
        scene.each("AlterDomainStmt") { change in
            let name = change.typeName.words.joined(separator: ".")
            switch change.subtype.text {
            case "C" where !change.def.skip_validation.isTrue, "O":
                return "writers of every table with a column of \(name) wait until its rows are checked"
            default: return nil
            }
        }
    },
    LintRule(
        "M110", "attach-scans",
        reason: "ATTACH PARTITION reads the whole partition under ACCESS EXCLUSIVE to see that it fits",
        fix:
            "add a check that says the bounds to the partition NOT VALID, validate it, attach, drop the check"
    ) { scene in
        scene.eachChange("AT_AttachPartition") { change, _ in
            guard let partition = ObjectName(change.def.name), scene.isLive(partition),
                !scene.history.isChecked(partition)
            else { return nil }
            return "\(partition) has no validated check of its bounds, so every row is looked at"
        }
    },
    LintRule(
        "M111", "detach-blocks-everyone",
        reason: "DETACH PARTITION waits for ACCESS EXCLUSIVE on the whole partitioned table",
        fix: "detach partition … concurrently, in a migration with `-- transaction: none`"
    ) { scene in
        scene.eachChange("AT_DetachPartition") { change, table in
            change.def.concurrent.isTrue ? nil : "readers and writers of all of \(table) wait"
        }
    },
    LintRule(
        "M112", "refresh-blocks-readers",
        reason: "REFRESH holds ACCESS EXCLUSIVE until the view is made anew",
        fix: "refresh materialized view concurrently, which wants a unique index"
    ) { scene in
        let later = scene.tree.kind == "DoStmt" ? [] : scene.body?.statements ?? []
        return (scene.parts + later).filter { $0.tree.kind == "RefreshMatViewStmt" }.compactMap { part in
            guard !part.tree.concurrent.isTrue, scene.isLive(part.tree.relation) else { return nil }
            return Remark(
                "readers of \(named(part.tree.relation)) wait until it is made anew", line: part.line)
        }
    },
    LintRule(
        "M113", "lock-table",
        reason: "LOCK TABLE holds its lock until the end of the transaction, whatever the statements need",
        fix: "let each statement take the lock it needs"
    ) { scene in
        scene.each("LockStmt") { lock in
            let mode = LockMode(rawValue: lock.mode.number ?? 8) ?? .accessExclusive
            guard mode >= .share, let table = lock.relations.nodes.first(where: { scene.isLive($0) }) else {
                return nil
            }
            return "\(mode.blocks) for \(named(table)) until the migration commits"
        }
    },
    LintRule(
        "M114", "cannot-be-in-a-transaction",
        reason:
            "the server refuses the statement within a transaction, and a migration is one unless it says so",
        fix: "write `-- transaction: none` at the top of a migration of its own"
    ) { scene in
        guard scene.file.isTransactional, let what = loneWord(scene.tree) else { return [] }
        return ["\(what) fails here, as the file is one transaction"]
    },
    LintRule(
        "M115", "rename-breaks-callers",
        reason: "programs that run now ask for the old name until they are replaced",
        fix:
            "add the new name beside the old (a view, a column kept equal), and drop the old one later"
    ) { scene in
        let renames = scene.each("RenameStmt") { rename in
            let what = rename.renameType.text?.dropFirst("OBJECT_".count).lowercased() ?? ""
            guard renamed.contains(what) else { return nil }
            guard !rename.relation.exists || scene.isLive(rename.relation) else { return nil }
            let old = rename.subname.text ?? (rename.relation.exists ? named(rename.relation) : "")
            let object = rename.object
            let words = old.isEmpty ? object.words + object.objname.words + object.names.words : [old]
            return "whoever asks for the \(what) \(words.joined(separator: ".")) gets an error from now on"
        }
        let moves = scene.each("AlterObjectSchemaStmt") { move in
            guard move.relation.exists, scene.isLive(move.relation) else { return nil }
            return "whoever asks for \(named(move.relation)) in its old schema gets an error from now on"
        }
        return renames + moves
    },
    LintRule(
        "M116", "trigger-disabled",
        reason: "what a trigger or foreign key guards is not guarded meanwhile, for anybody",
        fix: "write so that the triggers may fire, or let the trigger itself know when not to"
    ) { scene in
        let changes = scene.eachChange(
            "AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser", "AT_DisableRule"
        ) { change, table in
            "\(change.name.text ?? "every trigger") of \(table) is off, for all sessions"
        }
        let settings = scene.each("VariableSetStmt") { set in
            guard set.name.text == "session_replication_role",
                ["replica", "local"].contains(set.args.nodes.first?.constant)
            else { return nil }
            return "triggers and foreign keys are off for the rest of the session"
        }
        return changes + settings
    },
]

/// What programs call by its name; an index, a constraint or a trigger they do not.
private let renamed: Set = [
    "table", "column", "view", "matview", "function", "procedure", "routine", "aggregate", "schema",
    "attribute",
    "type", "domain", "sequence", "role", "database", "foreign_table",
]

/// `schema.name` of a range variable.
func named(_ range: SyntaxTree) -> String { ObjectName(range)?.description ?? "" }

/// The words of a statement that is refused within a transaction; nil for all others.
private func loneWord(_ statement: SyntaxTree) -> String? {
    switch statement.kind {
    case "IndexStmt" where statement.concurrent.isTrue: "create index concurrently"
    case "DropStmt" where statement.concurrent.isTrue: "drop index concurrently"
    case "ReindexStmt" where statement.params.nodes.contains(where: { $0.defname.text == "concurrently" }):
        "reindex concurrently"
    case "ReindexStmt"
    where ["REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_DATABASE", "REINDEX_OBJECT_SYSTEM"].contains(
        statement["kind"].text):
        "reindex of more than one table"
    case "AlterTableStmt"
    where statement.cmds.nodes.contains(where: {
        $0.subtype.text == "AT_DetachPartition" && $0.def.concurrent.isTrue
    }): "detach partition concurrently"
    case "VacuumStmt" where statement.is_vacuumcmd.isTrue: "vacuum"
    case "ClusterStmt" where !statement.relation.exists: "cluster of every table"
    case "AlterSystemStmt": "alter system"
    case "CreatedbStmt": "create database"
    case "DropdbStmt": "drop database"
    case "CreateTableSpaceStmt", "DropTableSpaceStmt": "a tablespace"
    default: nil
    }
}
