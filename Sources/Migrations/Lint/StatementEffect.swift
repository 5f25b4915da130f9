/// The lock modes of PostgreSQL (section 13.3), the weakest first.
public enum LockMode: Int, Comparable, Sendable, CaseIterable {
    case accessShare = 1
    case rowShare, rowExclusive, shareUpdateExclusive, share, shareRowExclusive, exclusive, accessExclusive

    /// As in the manual and in LOCK TABLE: `SHARE UPDATE EXCLUSIVE`.
    public var name: String {
        switch self {
        case .accessShare: "ACCESS SHARE"
        case .rowShare: "ROW SHARE"
        case .rowExclusive: "ROW EXCLUSIVE"
        case .shareUpdateExclusive: "SHARE UPDATE EXCLUSIVE"
        case .share: "SHARE"
        case .shareRowExclusive: "SHARE ROW EXCLUSIVE"
        case .exclusive: "EXCLUSIVE"
        case .accessExclusive: "ACCESS EXCLUSIVE"
        }
    }

    /// Who waits while it is held.
    public var blocks: String {
        switch self {
        case .accessExclusive: "readers and writers wait"
        case .share, .shareRowExclusive, .exclusive: "writers wait"
        default: "nobody who reads or writes rows waits"
        }
    }

    public static func < (left: LockMode, right: LockMode) -> Bool { left.rawValue < right.rawValue }
}

/// What a statement does with a relation's rows while it holds its lock, the lightest first.
public enum RowWork: Int, Comparable, Sendable {
    case none
    /// Reads every row.
    case scans
    /// Writes every row anew, unless something the statement does not say spares it.
    case mayRewrite
    case rewrites
    /// Throws them away.
    case empties

    public static func < (left: RowWork, right: RowWork) -> Bool { left.rawValue < right.rawValue }
}

/// What a statement does to one relation.
public struct RelationEffect: Hashable, Sendable {
    public enum Subject: Hashable, Sendable, CustomStringConvertible {
        case relation(ObjectName)
        /// The table an index belongs to, which the statement does not name.
        case tableOf(index: ObjectName)
        /// Whatever tables have columns of a domain.
        case usersOf(domain: ObjectName)
        /// All of a schema or database.
        case all(String)

        public var description: String {
            switch self {
            case .relation(let name): name.description
            case .tableOf(let index): "the table of \(index)"
            case .usersOf(let domain): "every table with a column of \(domain)"
            case .all(let what): what
            }
        }
    }

    public var subject: Subject
    public var lock: LockMode
    public var work: RowWork
    /// Made earlier in the same file, so that nobody else can want it yet.
    public var isFresh = false
    /// What the database says of the relation; nil without one, or when it is not there yet.
    public var size: RelationSize?

    var relation: ObjectName? { if case .relation(let name) = subject { name } else { nil } }
}

/// How large a relation is, its indexes included: as the server estimates.
public struct RelationSize: Hashable, Sendable {
    public let rows: Int?
    public let bytes: Int
}

/// What a statement depends on and does not say. The files know some of it, the server all.
protocol Surroundings {
    /// Whether a function may answer differently for each row; nil when it is not known.
    func isVolatile(_ function: ObjectName) -> Bool?
    /// Whether a type is a domain that checks something.
    func isCheckedDomain(_ type: ObjectName) -> Bool
    /// Whether a validated check proves already that a column has no nulls.
    func isProvenNotNull(_ column: String, of table: ObjectName) -> Bool
    /// What happens to the rows when a column gets a type.
    func work(_ column: String, of table: ObjectName, as type: SyntaxTree) -> RowWork
    func table(of index: ObjectName) -> ObjectName?
    /// The table a foreign key refers to; nil when it is none or not known.
    func target(of constraint: String, on table: ObjectName) -> ObjectName?
    /// The tables the foreign keys of a column, or of a whole table, refer to.
    func targets(of table: ObjectName, column: String?) -> [ObjectName]
    /// Whether a validated check speaks for the bounds of a partition to be.
    func isChecked(_ table: ObjectName) -> Bool
    /// Whether the file made it, a few lines before.
    func isFresh(_ relation: ObjectName) -> Bool
}

/// Which relations some statements of one transaction lock, how, and what they do with their rows
/// (PostgreSQL 15: section 13.3, the reference pages, and `AlterTableGetLockLevel`). Relations it only
/// reads included; catalogues not.
func effects(of statements: [SyntaxTree], _ around: any Surroundings) -> [RelationEffect] {
    var collector = EffectCollector(around)
    for statement in statements { collector.add(statement) }
    return collector.effects.sorted { ($1.lock, $1.work) < ($0.lock, $0.work) }
}

struct EffectCollector {
    let around: any Surroundings
    private(set) var effects: [RelationEffect] = []

    init(_ around: any Surroundings) { self.around = around }

    /// Notes a lock, or strengthens the one noted for the same relation.
    mutating func lock(_ subject: RelationEffect.Subject, _ mode: LockMode, _ work: RowWork = .none) {
        if let index = effects.firstIndex(where: { isSame($0.subject, subject) }) {
            effects[index].lock = max(effects[index].lock, mode)
            effects[index].work = max(effects[index].work, work)
            return
        }
        var effect = RelationEffect(subject: subject, lock: mode, work: work)
        if let name = effect.relation { effect.isFresh = around.isFresh(name) }
        effects.append(effect)
    }

    mutating func lock(_ range: SyntaxTree, _ mode: LockMode, _ work: RowWork = .none) {
        if let name = ObjectName(range) { lock(.relation(name), mode, work) }
    }

    private func isSame(_ left: RelationEffect.Subject, _ right: RelationEffect.Subject) -> Bool {
        if case .relation(let one) = left, case .relation(let other) = right { return one.matches(other) }
        return left == right
    }

    /// The table of an index, by name where it is known.
    mutating func lockTable(of index: ObjectName, _ mode: LockMode, _ work: RowWork = .none) {
        lock(around.table(of: index).map { .relation($0) } ?? .tableOf(index: index), mode, work)
    }

    mutating func add(_ statement: SyntaxTree) {
        switch statement.kind {
        case "AlterTableStmt": alterTable(statement)
        case "IndexStmt":
            let work: RowWork = statement.relation.inh.isTrue ? .scans : .none
            lock(statement.relation, statement.concurrent.isTrue ? .shareUpdateExclusive : .share, work)
        case "DropStmt": drop(statement)
        case "ReindexStmt": reindex(statement)
        case "RenameStmt": rename(statement)
        case "AlterObjectSchemaStmt", "AlterOwnerStmt": lock(statement.relation, .accessExclusive)
        case "CreateStmt": createTable(statement)
        case "CreateTrigStmt":
            lock(statement.relation, .shareRowExclusive)
            lock(statement.constrrel, .accessShare)
        case "CreatePolicyStmt", "AlterPolicyStmt":
            lock(statement.table, .accessExclusive)
            reads(statement)
        case "RuleStmt": lock(statement.relation, .accessExclusive)
        case "ViewStmt":
            if statement.replace.isTrue { lock(statement.view, .accessExclusive) }
            reads(statement.query)
        case "CreateTableAsStmt": reads(statement.query)
        case "TruncateStmt":
            for table in statement.relations.nodes { lock(table, .accessExclusive, .empties) }
        case "RefreshMatViewStmt":
            let isGentle = statement.concurrent.isTrue
            lock(statement.relation, isGentle ? .exclusive : .accessExclusive, isGentle ? .scans : .rewrites)
        case "ClusterStmt":
            if statement.relation.exists {
                lock(statement.relation, .accessExclusive, .rewrites)
            } else {
                lock(.all("every clustered table"), .accessExclusive, .rewrites)
            }
        case "VacuumStmt": vacuum(statement)
        case "LockStmt":
            let mode = LockMode(rawValue: statement.mode.number ?? 8) ?? .accessExclusive
            for table in statement.relations.nodes { lock(table, mode) }
        case "CommentStmt": comment(statement)
        case "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "SelectStmt", "CopyStmt": reads(statement)
        case "AlterSeqStmt": lock(statement.sequence, .shareRowExclusive)
        case "CreateSeqStmt": break
        case "CreateStatsStmt":
            for table in statement.relations.nodes { lock(table, .shareUpdateExclusive) }
        case "CreatePublicationStmt", "AlterPublicationStmt":
            for object in statement.pubobjects.nodes {
                lock(object.pubtable.relation, .shareUpdateExclusive)
            }
        case "AlterDomainStmt": alterDomain(statement)
        case "ExplainStmt":
            if statement.options.nodes.contains(where: { $0.defname.text == "analyze" }) {
                add(statement.query)
            }
        default: break
        }
    }

    /// Every relation a query names: those it writes, those it locks rows of, those it only reads.
    private mutating func reads(_ query: SyntaxTree) {
        for kind in ["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"] {
            for write in query.all(kind) { lock(write.relation, .rowExclusive) }
        }
        if query.kind == "CopyStmt" {
            lock(query.relation, query.is_from.isTrue ? .rowExclusive : .accessShare)
        }
        let locksRows = !query.all("LockingClause").isEmpty
        let local = Set(query.all("CommonTableExpr").compactMap(\.ctename.text))
        for range in query.all("RangeVar") {
            guard let name = ObjectName(range), name.schema != nil || !local.contains(name.name) else {
                continue
            }
            lock(.relation(name), locksRows ? .rowShare : .accessShare)
        }
    }

    private mutating func createTable(_ statement: SyntaxTree) {
        let isPartition = statement.partbound.exists
        for parent in statement.inhRelations.nodes {
            lock(parent, isPartition ? .accessExclusive : .shareUpdateExclusive)
        }
        for like in statement.all("TableLikeClause") { lock(like.relation, .accessShare) }
        for key in statement.all("Constraint") where key.contype.text == "CONSTR_FOREIGN" {
            lock(key.pktable, .shareRowExclusive)
        }
    }

    private mutating func drop(_ statement: SyntaxTree) {
        let isGentle = statement.concurrent.isTrue
        for object in statement.objects.nodes {
            let words = object.words
            switch statement.removeType.text {
            case "OBJECT_INDEX":
                guard let index = ObjectName(words) else { continue }
                lockTable(of: index, isGentle ? .shareUpdateExclusive : .accessExclusive)
            case "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE":
                guard let name = ObjectName(words) else { continue }
                let isTable = statement.removeType.text == "OBJECT_TABLE"
                lock(.relation(name), .accessExclusive, isTable ? .empties : .none)
                guard isTable else { continue }
                for other in around.targets(of: name, column: nil) {
                    lock(.relation(other), .accessExclusive)
                }
            case "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE":
                guard let table = ObjectName(words.dropLast()) else { continue }
                lock(.relation(table), .accessExclusive)
            default: break
            }
        }
    }

    private mutating func reindex(_ statement: SyntaxTree) {
        let isGentle = statement.params.nodes.contains { $0.defname.text == "concurrently" }
        let mode = isGentle ? LockMode.shareUpdateExclusive : .share
        switch statement["kind"].text {
        case "REINDEX_OBJECT_INDEX":
            guard let index = ObjectName(statement.relation) else { return }
            lockTable(of: index, mode, .scans)
        case "REINDEX_OBJECT_TABLE": lock(statement.relation, mode, .scans)
        case "REINDEX_OBJECT_SCHEMA":
            lock(.all("every table of schema \(statement.name.text ?? "")"), mode, .scans)
        default: lock(.all("every table of the database"), mode, .scans)
        }
    }

    private mutating func rename(_ statement: SyntaxTree) {
        let mode: LockMode =
            statement.renameType.text == "OBJECT_INDEX" ? .shareUpdateExclusive : .accessExclusive
        lock(statement.relation, mode)
    }

    private mutating func vacuum(_ statement: SyntaxTree) {
        let isFull = statement.options.nodes.contains {
            $0.defname.text == "full" && $0.arg.text != "false" && $0.arg.text != "off"
        }
        let mode = isFull ? LockMode.accessExclusive : .shareUpdateExclusive
        // ANALYZE alone looks at a sample.
        let work: RowWork = isFull ? .rewrites : statement.is_vacuumcmd.isTrue ? .scans : .none
        for target in statement.rels.nodes { lock(target.relation, mode, work) }
        if statement.rels.nodes.isEmpty { lock(.all("every table of the database"), mode, work) }
    }

    private mutating func comment(_ statement: SyntaxTree) {
        let names = statement.object.words
        switch statement.objtype.text {
        case "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE", "OBJECT_INDEX":
            if let name = ObjectName(names) { lock(.relation(name), .shareUpdateExclusive) }
        case "OBJECT_COLUMN":
            if let name = ObjectName(names.dropLast()) { lock(.relation(name), .shareUpdateExclusive) }
        case "OBJECT_TABCONSTRAINT", "OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE":
            if let name = ObjectName(names.dropLast()) { lock(.relation(name), .accessShare) }
        default: break
        }
    }

    private mutating func alterDomain(_ statement: SyntaxTree) {
        guard let domain = ObjectName(statement.typeName.words) else { return }
        switch statement.subtype.text {
        case "C" where !statement.def.skip_validation.isTrue, "O", "V":
            lock(.usersOf(domain: domain), .share, .scans)
        default: break
        }
    }
}
