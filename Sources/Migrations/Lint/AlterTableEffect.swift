/// ALTER TABLE, subcommand by subcommand: the strongest lock of them all, and the most work.
extension EffectCollector {
    mutating func alterTable(_ statement: SyntaxTree) {
        guard let table = ObjectName(statement.relation) else { return }
        if statement.objtype.text == "OBJECT_INDEX" { return alterIndex(statement, table) }
        if statement.objtype.text == "OBJECT_TYPE" { return }
        for command in statement.cmds.nodes { alter(table, command) }
    }

    private mutating func alterIndex(_ statement: SyntaxTree, _ index: ObjectName) {
        for command in statement.cmds.nodes {
            switch command.subtype.text {
            case "AT_SetRelOptions", "AT_ResetRelOptions", "AT_SetStatistics":
                lock(.relation(index), .shareUpdateExclusive)
            case "AT_AttachPartition":
                lock(.relation(index), .shareUpdateExclusive)
                lock(command.def.name, .accessExclusive)
            default:
                lock(
                    .relation(index), .accessExclusive,
                    command.subtype.text == "AT_SetTableSpace" ? .rewrites : .none)
            }
        }
    }

    private mutating func alter(_ table: ObjectName, _ command: SyntaxTree) {
        let subject = RelationEffect.Subject.relation(table)
        switch command.subtype.text {
        case "AT_AddColumn": addColumn(command.def, to: table)
        case "AT_AddConstraint": addConstraint(command.def, to: table)
        case "AT_ValidateConstraint":
            lock(subject, .shareUpdateExclusive, .scans)
            if let other = around.target(of: command.name.text ?? "", on: table) {
                lock(.relation(other), .rowShare)
            }
        case "AT_SetNotNull":
            let isProven = around.isProvenNotNull(command.name.text ?? "", of: table)
            lock(subject, .accessExclusive, isProven ? .none : .scans)
        case "AT_AlterColumnType":
            let type = command.def.typeName
            let isComputed = command.def.raw_default.exists
            lock(
                subject, .accessExclusive,
                isComputed ? .rewrites : around.work(command.name.text ?? "", of: table, as: type))
        case "AT_DropColumn":
            lock(subject, .accessExclusive)
            for other in around.targets(of: table, column: command.name.text) {
                lock(.relation(other), .accessExclusive)
            }
        case "AT_DropConstraint":
            lock(subject, .accessExclusive)
            if let other = around.target(of: command.name.text ?? "", on: table) {
                lock(.relation(other), .accessExclusive)
            }
        case "AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions", "AT_ClusterOn", "AT_DropCluster":
            lock(subject, .shareUpdateExclusive)
        case "AT_SetRelOptions", "AT_ResetRelOptions":
            lock(subject, hasStrongOption(command) ? .accessExclusive : .shareUpdateExclusive)
        case let name?
        where name.hasPrefix("AT_EnableTrig") || name.hasPrefix("AT_DisableTrig")
            || ["AT_EnableAlwaysTrig", "AT_EnableReplicaTrig"].contains(name):
            lock(subject, .shareRowExclusive)
        case "AT_AttachPartition":
            lock(subject, .shareUpdateExclusive)
            if let partition = ObjectName(command.def.name) {
                lock(.relation(partition), .accessExclusive, around.isChecked(partition) ? .none : .scans)
            }
        case "AT_DetachPartition":
            let mode: LockMode = command.def.concurrent.isTrue ? .shareUpdateExclusive : .accessExclusive
            lock(subject, mode)
            lock(command.def.name, mode)
        case "AT_DetachPartitionFinalize":
            lock(subject, .shareUpdateExclusive)
            lock(command.def.name, .accessExclusive)
        case "AT_SetLogged", "AT_SetUnLogged", "AT_SetTableSpace", "AT_SetAccessMethod":
            lock(subject, .accessExclusive, .rewrites)
        case "AT_AddInherit":
            lock(subject, .accessExclusive)
            lock(command.def, .shareUpdateExclusive)
        case "AT_DropInherit":
            lock(subject, .accessExclusive)
            lock(command.def, .accessShare)
        default:
            lock(subject, .accessExclusive)
        }
    }

    private mutating func addColumn(_ column: SyntaxTree, to table: ObjectName) {
        lock(.relation(table), .accessExclusive, columnWork(column))
        for constraint in column.constraints.nodes where constraint.contype.text == "CONSTR_FOREIGN" {
            lock(constraint.pktable, .shareRowExclusive)
        }
    }

    /// What a new column costs: nothing when all rows get the same value, which the server then keeps once.
    func columnWork(_ column: SyntaxTree) -> RowWork {
        var work = RowWork.none
        let type = column.typeName.names.words
        if ["serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"].contains(type.last) {
            return .rewrites
        }
        // The value of a checked domain is looked at row by row.
        if let name = ObjectName(type), around.isCheckedDomain(name) { work = .rewrites }
        for constraint in column.constraints.nodes {
            switch constraint.contype.text {
            case "CONSTR_IDENTITY", "CONSTR_GENERATED": work = .rewrites
            case "CONSTR_DEFAULT":
                switch isVolatile(constraint.raw_expr) {
                case true?: work = .rewrites
                case nil: work = max(work, .mayRewrite)
                case false?: break
                }
            case "CONSTR_CHECK", "CONSTR_UNIQUE", "CONSTR_PRIMARY": work = max(work, .scans)
            case "CONSTR_FOREIGN" where column.hasDefault: work = max(work, .scans)
            case "CONSTR_NOTNULL" where !column.hasDefault: work = max(work, .scans)
            default: break
            }
        }
        return work
    }

    /// Whether an expression calls a volatile function; nil when one is not known.
    private func isVolatile(_ expression: SyntaxTree) -> Bool? {
        var answer: Bool? = false
        for call in expression.all("FuncCall") {
            guard let name = ObjectName(call.funcname.words) else { continue }
            switch around.isVolatile(name) {
            case true?: return true
            case nil: answer = nil
            case false?: break
            }
        }
        return answer
    }

    private mutating func addConstraint(_ constraint: SyntaxTree, to table: ObjectName) {
        let work: RowWork = constraint.skip_validation.isTrue ? .none : .scans
        switch constraint.contype.text {
        case "CONSTR_FOREIGN":
            lock(.relation(table), .shareRowExclusive, work)
            lock(constraint.pktable, .shareRowExclusive)
        case "CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_EXCLUSION":
            lock(.relation(table), .accessExclusive, constraint.indexname.exists ? .none : .scans)
        default:
            lock(.relation(table), .accessExclusive, work)
        }
    }

    /// Options of how a relation is read; all others are about storage and vacuum.
    private func hasStrongOption(_ command: SyntaxTree) -> Bool {
        let strong = ["security_barrier", "security_invoker", "check_option", "user_catalog_table"]
        return command.def.nodes.contains { strong.contains($0.defname.text ?? "") }
    }
}

extension SyntaxTree {
    /// Whether a column definition gives the rows that are there a value.
    var hasDefault: Bool {
        self.constraints.nodes.contains {
            ["CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"].contains($0.contype.text)
        } || ["serial", "bigserial", "smallserial"].contains(self.typeName.names.words.last)
    }
}
