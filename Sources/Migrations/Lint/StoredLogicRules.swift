/// What functions, policies, triggers and tables must say so that they are safe to keep in a database.
let storedLogicRules: [LintRule] = [
    LintRule(
        "S501", "definer-without-path",
        reason:
            "its caller chooses the search_path, and so which functions it calls as the owner",
        fix: "set search_path = pg_catalog, pg_temp, and write schemas before names"
    ) { scene in
        guard let function = definer(scene.tree), searchPath(function) == nil else { return [] }
        return ["\(function.name) runs as its owner on the caller's search_path"]
    },
    LintRule(
        "S502", "path-lets-temp-in",
        reason:
            "unless pg_temp stands last it comes first: a caller's temporary table hides the real one",
        fix: "end the path with pg_temp"
    ) { scene in
        guard let function = definer(scene.tree), let path = searchPath(function), !path.isEmpty,
            path != [""],
            path.last != "pg_temp"
        else { return [] }
        return ["\(function.name) finds a caller's temporary tables before its own"]
    },
    LintRule(
        "S503", "executable-by-public",
        reason: "a new function is executable by PUBLIC, that is by every login",
        fix:
            "revoke execute on function … from public, or once: alter default privileges for role … "
            + "revoke execute on functions from public"
    ) { scene in
        scene.each("CreateFunctionStmt") { create in
            guard let name = ObjectName(create.funcname.words), !scene.history.functionsAreSilenced,
                !scene.file.silenced.contains(where: {
                    $0.matches(name) || $0.name.isEmpty && $0.schema == name.schema
                })
            else { return nil }
            return "every login may call \(name)"
        }
    },
    LintRule(
        "S504", "granted-to-public",
        reason: "PUBLIC is every login there is and will be",
        fix: "grant to the role that needs it"
    ) { scene in
        scene.each("GrantStmt") { grant in
            let isPublic = grant.grantees.nodes.contains { $0.roletype.text == "ROLESPEC_PUBLIC" }
            guard isPublic, grant.is_grant.isTrue else { return nil }
            let words = grant.privileges.nodes.compactMap(\.priv_name.text)
            return "every login gets \(words.isEmpty ? "all privileges" : words.joined(separator: ", "))"
        }
            + scene.each("AlterDefaultPrivilegesStmt") { change in
                let isPublic = change.action.grantees.nodes.contains { $0.roletype.text == "ROLESPEC_PUBLIC" }
                guard isPublic, change.action.is_grant.isTrue else { return nil }
                return "every login gets privileges on what is created from now on"
            }
    },
    LintRule(
        "S505", "policy-asks-per-row",
        reason: "a function in a policy is called for every row looked at; in a subquery it is called once",
        fix: "(select …) around the call"
    ) { scene in
        (scene.each("CreatePolicyStmt", perRowCall) + scene.each("AlterPolicyStmt", perRowCall))
    },
    LintRule(
        "S506", "table-without-row-security",
        reason: "without row-level security a grant opens the rows of every tenant",
        fix: "alter table … enable row level security, beside the table"
    ) { scene in
        let made = scene.each("CreateStmt") { create in
            guard let table = ObjectName(create.relation), create.relation.relpersistence.text != "t",
                !create.partbound.exists, !scene.whole.secured.holds(table)
            else { return nil }
            return "a grant on \(table) opens all its rows"
        }
        let copied = scene.each("CreateTableAsStmt") { create in
            guard create.objtype.text == "OBJECT_TABLE", let table = ObjectName(create.into.rel),
                create.into.rel.relpersistence.text != "t", !scene.whole.secured.holds(table)
            else { return nil }
            return "a grant on \(table) opens all its rows"
        }
        return made + copied
            + scene.eachChange("AT_DisableRowSecurity") { _, table in
                "every grant on \(table) opens all its rows"
            }
    },
    LintRule(
        "S507", "raise-without-errcode",
        reason: "every such error is P0001, so a program can tell them apart by their words alone",
        fix: "raise exception '…' using errcode = '…'"
    ) { scene in
        guard let body = scene.body else { return [] }
        return body.tree.all("PLpgSQL_stmt_raise").filter(isUncoded).map { raise in
            Remark(
                "\(raise.message.text.map { "'\($0)'" } ?? "the error") has no code",
                line: body.line(of: raise))
        }
    },
    LintRule(
        "S508", "without-comment",
        reason: "whoever meets the object in a database has its comment and nothing else",
        fix: "comment on … is '…', beside it"
    ) { scene in
        scene.parts.prefix(1).flatMap { part in
            created(part.tree).filter { object in
                !scene.file.comments.contains { $0.kind == object.kind && $0.name.matches(object.name) }
            }.map { "\($0.kind) \($0.name) does not say what it is" }
        }
    },
    LintRule(
        "S509", "notify-per-row",
        reason:
            "a NOTIFY takes a lock on the whole cluster at commit, and a row trigger sends one for each row",
        fix: "a trigger for each statement, that sends one empty notification"
    ) { scene in
        scene.each("CreateTrigStmt") { trigger in
            guard trigger.row.isTrue, let function = ObjectName(trigger.funcname.words),
                scene.whole.notifiers.holds(function)
            else { return nil }
            return "\(function) notifies for every row of \(named(trigger.relation))"
        }
    },
]

/// What lint says about the files themselves; the linter raises these, as no statement alone shows them.
let lintRules: [LintRule] = [
    LintRule(
        "L601", "not-sql",
        reason: "PostgreSQL's own grammar does not accept it", fix: "see the place the parser names"
    ) { _ in [] },
    LintRule(
        "L602", "allowed-without-reason",
        reason: "the next reader cannot tell whether the danger was seen",
        fix: "-- allow CODE: why it is harmless here"
    ) { _ in [] },
    LintRule(
        "L603", "allows-nothing",
        reason: "an exception that excepts nothing hides the next mistake", fix: "take the comment out"
    ) { _ in [] },
    LintRule(
        "L604", "body-not-read",
        reason: "what the PL/pgSQL parser does not understand has not been looked at",
        fix: "write it in plainer words, or allow it"
    ) { _ in [] },
]

/// The name and options of a function that runs as its owner.
private func definer(_ statement: SyntaxTree) -> (name: ObjectName, options: [SyntaxTree])? {
    let name = statement.kind == "AlterFunctionStmt" ? statement.func.objname.words : statement.funcname.words
    let options = statement.options.nodes + statement.actions.nodes
    guard ["CreateFunctionStmt", "AlterFunctionStmt"].contains(statement.kind),
        let name = ObjectName(name),
        options.contains(where: { $0.defname.text == "security" && $0.arg.isOn })
    else { return nil }
    return (name, options)
}

/// The path a function sets for itself; nil when it sets none.
private func searchPath(_ function: (name: ObjectName, options: [SyntaxTree])) -> [String]? {
    let settings = function.options.filter { $0.defname.text == "set" }.map(\.arg)
    guard let path = settings.last(where: { $0.name.text == "search_path" }),
        path["kind"].text == "VAR_SET_VALUE"
    else { return nil }
    return path.args.nodes.map { $0.constant ?? "" }
}

/// A call in a policy that depends on no row and does not stand in a subquery.
private func perRowCall(_ policy: SyntaxTree) -> String? {
    var calls: [String] = []
    for expression in [policy.qual, policy.with_check] {
        expression.walk(closed: { $0.kind == "SubLink" }) { node in
            if node.kind == "FuncCall", node.all("ColumnRef").isEmpty {
                calls.append(node.funcname.words.joined(separator: "."))
            }
        }
    }
    guard let call = calls.first else { return nil }
    return "\(call)() is called for every row of \(named(policy.table))"
}

/// Whether a RAISE is an error of its own without a code. Level 21 is ERROR; a bare RAISE passes an error on.
private func isUncoded(_ raise: SyntaxTree) -> Bool {
    let options = raise.options.nodes
    guard raise.elog_level.number == 21, !raise.condname.exists else { return false }
    guard raise.message.exists || !options.isEmpty else { return false }
    return !options.contains {
        ($0.opt_type.number ?? 0) == 0
            && ($0.opt_type.text ?? "PLPGSQL_RAISEOPTION_ERRCODE").hasSuffix("ERRCODE")
    }
}

/// What a statement creates that should say what it is.
func created(_ statement: SyntaxTree) -> [(kind: String, name: ObjectName)] {
    let relation = statement.relation
    let object: (String, ObjectName?)? =
        switch statement.kind {
        case "CreateStmt" where !statement.partbound.exists && relation.relpersistence.text != "t":
            ("table", ObjectName(relation))
        case "CreateTableAsStmt" where statement.into.rel.relpersistence.text != "t":
            (
                statement.objtype.text == "OBJECT_MATVIEW" ? "materialized view" : "table",
                ObjectName(statement.into.rel)
            )
        case "ViewStmt" where statement.view.relpersistence.text != "t":
            ("view", ObjectName(statement.view))
        case "CreateFunctionStmt":
            (
                statement.is_procedure.isTrue ? "procedure" : "function",
                ObjectName(statement.funcname.words)
            )
        case "CompositeTypeStmt": ("type", ObjectName(statement.typevar))
        case "CreateEnumStmt", "CreateRangeStmt": ("type", ObjectName(statement.typeName.words))
        case "CreateDomainStmt": ("domain", ObjectName(statement.domainname.words))
        case "CreateSeqStmt" where statement.sequence.relpersistence.text != "t":
            ("sequence", ObjectName(statement.sequence))
        case "CreateSchemaStmt" where !statement.if_not_exists.isTrue:
            ("schema", statement.schemaname.text.map { ObjectName(nil, $0) })
        default: nil
        }
    guard let (kind, name) = object, let name else { return [] }
    return [(kind, name)]
}

extension SyntaxTree {
    /// What a COMMENT ON speaks of, in the words of `created`.
    var commented: (kind: String, name: ObjectName)? {
        let kinds = [
            "OBJECT_TABLE": "table", "OBJECT_MATVIEW": "materialized view", "OBJECT_VIEW": "view",
            "OBJECT_FUNCTION": "function", "OBJECT_PROCEDURE": "procedure", "OBJECT_TYPE": "type",
            "OBJECT_DOMAIN": "domain", "OBJECT_SEQUENCE": "sequence", "OBJECT_SCHEMA": "schema",
        ]
        guard kind == "CommentStmt", let what = kinds[self.objtype.text ?? ""] else { return nil }
        let object = self.object
        let words = object.text.map { [$0] } ?? object.words + object.objname.words + object.names.words
        return ObjectName(words).map { (what, $0) }
    }

    /// A boolean of a DefElem, in either way the library writes it.
    var isOn: Bool { self.boolval.boolval.isTrue || self.boolval.isTrue || isTrue || self.ival.number == 1 }
}
