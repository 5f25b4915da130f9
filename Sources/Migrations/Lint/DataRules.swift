/// What loses data or breaks those who use it.
let dataRules: [LintRule] = [
    LintRule(
        "D301", "no-where",
        reason: "UPDATE or DELETE of every row holds all of them until the end, and is rarely meant",
        fix: "say which rows; in batches where there are many"
    ) { scene in
        guard scene.file.isMigration else { return [] }
        return scene.parts.flatMap { part -> [Remark] in
            guard
                ["UpdateStmt", "DeleteStmt", "InsertStmt", "SelectStmt", "MergeStmt"].contains(part.tree.kind)
            else {
                return []
            }
            return (part.tree.all("UpdateStmt") + part.tree.all("DeleteStmt")).filter {
                !$0.whereClause.exists && scene.isLive($0.relation)
            }.map { write in
                let what = write.kind == "UpdateStmt" ? "updated" : "deleted"
                return Remark("every row of \(named(write.relation)) is \(what)", line: part.line)
            }
        }
    },
    LintRule(
        "D302", "truncate",
        reason:
            "TRUNCATE throws every row away under ACCESS EXCLUSIVE; with CASCADE those of other tables too",
        fix: "delete the rows that are meant"
    ) { scene in
        scene.each("TruncateStmt") { truncate in
            guard let table = truncate.relations.nodes.first(where: { scene.isLive($0) }) else { return nil }
            let others =
                truncate.behavior.text == "DROP_CASCADE" ? " and of every table that refers to it" : ""
            return "the rows of \(named(table))\(others) are gone"
        }
    },
    LintRule(
        "D303", "drop-table",
        reason: "the rows are gone for good, and programs that run now still ask for them",
        fix: "when no program has used it for a release, drop it and allow it with that reason"
    ) { scene in
        scene.each("DropStmt") { drop in
            let kinds = ["OBJECT_TABLE": "table", "OBJECT_SCHEMA": "schema", "OBJECT_FOREIGN_TABLE": "table"]
            guard let kind = kinds[drop.removeType.text ?? ""] else { return nil }
            let names = drop.objects.nodes.compactMap {
                ObjectName($0.words.isEmpty ? [$0.text ?? ""] : $0.words)
            }
            guard let name = names.first(where: scene.isLive) else { return nil }
            return "\(kind) \(name) and all that is in it are gone"
        }
            + scene.each("DropdbStmt") { drop in
                "database \(drop.dbname.text ?? "") and all that is in it are gone"
            }
    },
    LintRule(
        "D304", "drop-column",
        reason: "the values are gone for good, and programs that run now still ask for them",
        fix: "when no program has used it for a release, drop it and allow it with that reason"
    ) { scene in
        scene.eachChange("AT_DropColumn") { change, table in
            "the values of \(table).\(change.name.text ?? "") are gone"
        }
    },
    LintRule(
        "D305", "drops-what-is-used",
        reason: "what sql/ still names fails when it is next called or applied",
        fix: "take it out of sql/ in the same change, or drop it in a later one"
    ) { scene in
        guard scene.file.isMigration else { return [] }
        return dropped(scene).compactMap { drop in
            guard scene.isLive(drop.name),
                let place = scene.whole.places.first(where: { place in
                    place.words.contains(drop.name.name)
                        // A column's name alone may be that of many.
                        && (drop.what != "column" || drop.name.schema.map(place.words.contains) == true)
                })
            else { return nil }
            return Remark(
                "\(drop.what) \(drop.name) is named in \(place.file):\(place.line)", line: drop.line)
        }
    },
    LintRule(
        "D306", "drop-not-null",
        reason: "programs that read the column have never met a null there",
        fix: "see that they can, then allow it with that reason"
    ) { scene in
        scene.eachChange("AT_DropNotNull") { change, table in
            "\(table).\(change.name.text ?? "") can be null from now on"
        }
    },
    LintRule(
        "D307", "drop-breaks-callers",
        reason: "programs that run now still ask for it",
        fix: "when no program has used it for a release, drop it and allow it with that reason"
    ) { scene in
        guard scene.file.isMigration else { return [] }
        return dropped(scene).filter { drop in
            !["table", "column"].contains(drop.what) && scene.isLive(drop.name)
                && !scene.file.creates.holds(drop.name)
        }.map {
            Remark("whoever asks for the \($0.what) \($0.name) gets an error from now on", line: $0.line)
        }
    },
    LintRule(
        "D308", "default-dropped",
        reason: "programs that leave the column out have it null from now on, or an error",
        fix: "see that they name it, then allow it with that reason"
    ) { scene in
        scene.eachChange("AT_ColumnDefault", "AT_DropIdentity", "AT_DropExpression") { change, table in
            guard !change.def.exists else { return nil }
            return "nothing fills \(table).\(change.name.text ?? "") any more"
        }
    },
    LintRule(
        "D309", "alter-system",
        reason: "it changes the whole cluster, needs a superuser, and no managed server allows it",
        fix: "set it for the database or a role, or in the server's configuration"
    ) { scene in
        scene.each("AlterSystemStmt") { change in
            "\(change.setstmt.name.text ?? "every setting") changes for every database of the server"
        }
    },
]

private struct Dropped {
    let what: String
    let name: ObjectName
    let line: Int
}

/// Tables, views, functions, types and columns the statement drops. Whatever is made again in sql/ counts
/// too: its file drops it by itself when it must.
private func dropped(_ scene: Scene) -> [Dropped] {
    let kinds = [
        "OBJECT_TABLE": "table", "OBJECT_VIEW": "view", "OBJECT_MATVIEW": "materialized view",
        "OBJECT_FUNCTION": "function", "OBJECT_PROCEDURE": "procedure", "OBJECT_ROUTINE": "routine",
        "OBJECT_TYPE": "type", "OBJECT_DOMAIN": "domain", "OBJECT_SEQUENCE": "sequence",
        "OBJECT_AGGREGATE": "aggregate", "OBJECT_EXTENSION": "extension",
    ]
    return scene.parts.flatMap { part -> [Dropped] in
        switch part.tree.kind {
        case "DropStmt":
            guard let kind = kinds[part.tree.removeType.text ?? ""] else { return [] }
            return part.tree.objects.nodes.compactMap { object in
                let words =
                    object.text.map { [$0] } ?? object.words + object.objname.words + object.names.words
                return ObjectName(words).map { Dropped(what: kind, name: $0, line: part.line) }
            }
        case "AlterTableStmt":
            return part.tree.cmds.nodes.filter { $0.subtype.text == "AT_DropColumn" }.map { change in
                let table = ObjectName(part.tree.relation)
                let column = ObjectName(table?.name, change.name.text ?? "")
                return Dropped(what: "column", name: column, line: part.line)
            }
        default: return []
        }
    }
}
