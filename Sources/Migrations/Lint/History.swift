/// What the files have said so far, statement after statement in the order they are applied: the part of the
/// database that lint can know without one.
struct History: Sendable {
    struct Function: Sendable {
        let name: ObjectName
        let isVolatile: Bool
        /// Whether its body sends a notification.
        let notifies: Bool
    }
    struct Check: Sendable {
        let name: String?
        let table: ObjectName
        /// The columns it says are not null.
        let notNull: [String]
        var isValid: Bool
    }
    struct ForeignKey: Sendable {
        let name: String
        let table: ObjectName
        let columns: [String]
        let target: ObjectName
    }

    private(set) var indexes: [(name: ObjectName, table: ObjectName)] = []
    private(set) var functions: [Function] = []
    private(set) var checks: [Check] = []
    private(set) var foreignKeys: [ForeignKey] = []
    private(set) var checkedDomains: [ObjectName] = []
    /// Roles whose new functions are executable by nobody; nil stands for whoever migrates.
    private(set) var silencedRoles: Set<String?> = []

    // What belongs to the file under way.
    /// Relations made in it.
    private(set) var fresh: [ObjectName] = []
    /// Values added to enum types in it.
    private(set) var newEnumValues: [String] = []
    /// Constraints added without validation in it.
    private(set) var unvalidated: [(name: String, table: ObjectName)] = []
    /// Who creates objects: `set role`.
    private(set) var role: String?

    mutating func beginFile() {
        fresh = []
        newEnumValues = []
        unvalidated = []
        role = nil
    }

    mutating func note(_ statement: SyntaxTree) {
        switch statement.kind {
        case "CreateStmt": createTable(statement)
        case "CreateTableAsStmt": made(ObjectName(statement.into.rel))
        case "ViewStmt": if !statement.replace.isTrue { made(ObjectName(statement.view)) }
        case "CreateSeqStmt": made(ObjectName(statement.sequence))
        case "IndexStmt":
            guard let name = statement.idxname.text, let table = ObjectName(statement.relation) else {
                return
            }
            let index = ObjectName(table.schema, name)
            indexes.append((index, table))
            if fresh.holds(table) { made(index) }
        case "CreateFunctionStmt": createFunction(statement)
        case "CreateDomainStmt":
            guard let name = ObjectName(statement.domainname.words),
                statement.constraints.nodes.contains(where: {
                    ["CONSTR_CHECK", "CONSTR_NOTNULL"].contains($0.contype.text)
                })
            else { return }
            checkedDomains.append(name)
        case "AlterTableStmt":
            guard let table = ObjectName(statement.relation) else { return }
            for command in statement.cmds.nodes { alterTable(table, command) }
        case "AlterEnumStmt":
            if !statement.oldVal.exists, let value = statement.newVal.text { newEnumValues.append(value) }
        case "AlterDefaultPrivilegesStmt": alterDefaults(statement)
        case "VariableSetStmt":
            if statement.name.text == "role" {
                let name = statement.args.nodes.first?.constant
                role = name == "none" ? nil : name
            }
        default: break
        }
    }

    private mutating func made(_ name: ObjectName?) { if let name { fresh.append(name) } }

    private mutating func createTable(_ statement: SyntaxTree) {
        guard let table = ObjectName(statement.relation) else { return }
        if !statement.if_not_exists.isTrue { fresh.append(table) }
        for element in statement.tableElts.nodes {
            if element.kind == "Constraint" { note(element, on: table, isNew: true) }
            for constraint in element.constraints.nodes {
                note(constraint, on: table, column: element.colname.text, isNew: true)
            }
        }
    }

    /// In a new table there are no rows to look at: NOT VALID means nothing there.
    private mutating func note(
        _ constraint: SyntaxTree, on table: ObjectName, column: String? = nil, isNew: Bool = false
    ) {
        let isUnvalidated = constraint.skip_validation.isTrue && !isNew
        let name = constraint.conname.text
        switch constraint.contype.text {
        case "CONSTR_CHECK":
            let columns = notNullColumns(constraint.raw_expr)
            checks.append(Check(name: name, table: table, notNull: columns, isValid: !isUnvalidated))
        case "CONSTR_FOREIGN":
            guard let target = ObjectName(constraint.pktable) else { return }
            let columns = column.map { [$0] } ?? constraint.fk_attrs.words
            let given = ([table.name] + columns + ["fkey"]).joined(separator: "_")
            foreignKeys.append(
                ForeignKey(name: name ?? given, table: table, columns: columns, target: target))
        case "CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_EXCLUSION":
            let suffix =
                constraint.contype.text == "CONSTR_PRIMARY"
                ? ["pkey"] : constraint.contype.text == "CONSTR_UNIQUE" ? ["key"] : ["excl"]
            let columns = suffix == ["pkey"] ? [] : column.map { [$0] } ?? constraint.keys.words
            let given = ([table.name] + columns + suffix).joined(separator: "_")
            indexes.append((ObjectName(table.schema, name ?? given), table))
        default: break
        }
        if isUnvalidated, let name { unvalidated.append((name, table)) }
    }

    /// The columns of `a is not null and b is not null`.
    private func notNullColumns(_ expression: SyntaxTree) -> [String] {
        if expression.kind == "BoolExpr", expression.boolop.text == "AND_EXPR" {
            return expression.args.nodes.flatMap(notNullColumns)
        }
        guard expression.kind == "NullTest", expression.nulltesttype.text == "IS_NOT_NULL" else { return [] }
        return expression.arg.fields.words
    }

    private mutating func alterTable(_ table: ObjectName, _ command: SyntaxTree) {
        switch command.subtype.text {
        case "AT_AddConstraint": note(command.def, on: table)
        case "AT_AddColumn":
            for constraint in command.def.constraints.nodes {
                note(constraint, on: table, column: command.def.colname.text)
            }
        case "AT_ValidateConstraint":
            for index in checks.indices
            where checks[index].name == command.name.text && checks[index].table.matches(table) {
                checks[index].isValid = true
            }
        case "AT_DropConstraint":
            checks.removeAll { $0.name == command.name.text && $0.table.matches(table) }
            foreignKeys.removeAll { $0.name == command.name.text && $0.table.matches(table) }
        default: break
        }
    }

    private mutating func createFunction(_ statement: SyntaxTree) {
        guard let name = ObjectName(statement.funcname.words) else { return }
        let volatility =
            statement.options.nodes.last { $0.defname.text == "volatility" }?.arg.text ?? "volatile"
        let body = statement.options.nodes.first { $0.defname.text == "as" }?.arg.words.first ?? ""
        let words = Scanner.words(in: body)
        functions.removeAll { $0.name.matches(name) }
        functions.append(
            Function(
                name: name, isVolatile: volatility == "volatile",
                notifies: words.contains("pg_notify") || words.contains("notify")))
    }

    /// Only what holds for all schemas: PostgreSQL adds what one schema says, and cannot take away there.
    private mutating func alterDefaults(_ statement: SyntaxTree) {
        let action = statement.action
        let options = statement.options.nodes
        let isOfPublic = action.grantees.nodes.contains { $0.roletype.text == "ROLESPEC_PUBLIC" }
        guard isOfPublic, ["OBJECT_FUNCTION", "OBJECT_ROUTINE"].contains(action.objtype.text),
            !options.contains(where: { $0.defname.text == "schemas" })
        else { return }
        let named = options.first { $0.defname.text == "roles" }?.arg.nodes.compactMap(\.rolename.text)
        for role in named.map({ $0.map { Optional($0) } }) ?? [role] {
            if action.is_grant.isTrue { silencedRoles.remove(role) } else { silencedRoles.insert(role) }
        }
    }

    /// Whether PUBLIC may not call what is created now.
    var functionsAreSilenced: Bool { silencedRoles.contains(role) }
}

extension History: Surroundings {
    func isVolatile(_ function: ObjectName) -> Bool? {
        if let known = functions.last(where: { $0.name.matches(function) }) { return known.isVolatile }
        if volatileFunctions.contains(function.name) { return true }
        return function.schema == "pg_catalog" || steadyFunctions.contains(function.name) ? false : nil
    }

    func isCheckedDomain(_ type: ObjectName) -> Bool { checkedDomains.holds(type) }

    func isProvenNotNull(_ column: String, of table: ObjectName) -> Bool {
        checks.contains { $0.isValid && $0.table.matches(table) && $0.notNull.contains(column) }
    }

    func work(_ column: String, of table: ObjectName, as type: SyntaxTree) -> RowWork { .mayRewrite }

    func table(of index: ObjectName) -> ObjectName? {
        indexes.last { $0.name.matches(index) }?.table
    }

    func target(of constraint: String, on table: ObjectName) -> ObjectName? {
        foreignKeys.last { $0.name == constraint && $0.table.matches(table) }?.target
    }

    func targets(of table: ObjectName, column: String?) -> [ObjectName] {
        let keys = foreignKeys.filter { $0.table.matches(table) }
        return keys.filter { column.map($0.columns.contains) ?? true }.map(\.target)
    }

    func isChecked(_ table: ObjectName) -> Bool {
        checks.contains { $0.isValid && $0.table.matches(table) }
    }

    func isFresh(_ relation: ObjectName) -> Bool { fresh.holds(relation) }
}

/// Functions of PostgreSQL and its usual extensions that answer differently each time.
private let volatileFunctions: Set = [
    "clock_timestamp", "timeofday", "random", "random_normal", "setseed", "gen_random_uuid", "uuidv4",
    "uuidv7",
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_random_bytes", "gen_salt", "nextval",
    "setval",
    "currval", "lastval", "pg_sleep", "txid_current", "pg_current_xact_id",
]

/// Those that defaults often call and that answer the same for every row of a statement. Of any other, lint
/// says "may".
private let steadyFunctions: Set = [
    "now", "transaction_timestamp", "statement_timestamp", "current_setting", "current_schema", "date_trunc",
    "date_part", "extract", "make_interval", "make_date", "make_timestamptz", "to_timestamp", "to_char",
    "to_date",
    "timezone", "lower", "upper", "concat", "concat_ws", "format", "md5", "sha256", "length", "abs", "round",
    "floor",
    "ceil", "to_tsvector", "to_jsonb", "to_json", "jsonb_build_object", "jsonb_build_array",
    "json_build_object",
    "json_build_array", "array_fill", "int4range", "int8range", "tstzrange", "tsrange", "daterange",
    "numrange", "repeat",
    "convert_to", "decode", "encode", "pg_backend_pid", "inet_client_addr", "session_user",
    "txid_current_if_assigned",
]
