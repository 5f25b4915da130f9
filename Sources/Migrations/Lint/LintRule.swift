/// One danger lint looks for: a code that stays, why it is one, and what to do instead.
public struct LintRule: Sendable {
    /// `M101`: M what a live system feels, D data that goes, T types, S stored logic, L lint itself.
    public let code: String
    public let name: String
    public let reason: String
    public let fix: String
    let check: @Sendable (Scene) -> [Remark]

    init(
        _ code: String, _ name: String, reason: String, fix: String,
        check: @escaping @Sendable (Scene) -> [Remark]
    ) {
        self.code = code
        self.name = name
        self.reason = reason
        self.fix = fix
        self.check = check
    }

    /// In the order of the codes.
    public static let all = lockRules + rewriteRules + dataRules + typeRules + storedLogicRules + lintRules
}

/// What a rule says about a statement: a sentence, and the line when it is not the statement's first.
struct Remark: ExpressibleByStringInterpolation {
    let sentence: String
    var line: Int?

    init(_ sentence: String, line: Int? = nil) {
        self.sentence = sentence
        self.line = line
    }

    init(stringLiteral sentence: String) { self.init(sentence) }
}

/// What is wrong, where, and what to do.
public struct Finding: Hashable, Sendable, CustomStringConvertible {
    public let file: String
    public let line: Int
    public let code: String
    public let name: String
    public let sentence: String
    public let reason: String
    public let fix: String

    public var description: String { "\(file):\(line): \(code) \(name): \(sentence)\n    fix: \(fix)" }
}

/// One statement in its place: what a rule may look at.
struct Scene {
    /// What the whole project says, of which a statement alone knows nothing.
    struct Whole {
        /// Tables with row-level security, anywhere in the project.
        var secured: [ObjectName] = []
        /// The statements of `sql/`, with the words in them.
        var places: [Place] = []
        /// Functions that send notifications.
        var notifiers: [ObjectName] = []
    }
    struct Place {
        let file: String
        let line: Int
        let words: Set<String>
    }
    /// What one file says.
    struct File {
        let path: String
        let isMigration: Bool
        let isTransactional: Bool
        /// What it comments on: `table`, `access.tenants`.
        var comments: [(kind: String, name: ObjectName)] = []
        /// What it makes, before or after it drops one of the same name.
        var creates: [ObjectName] = []
        /// Functions whose execute it takes from PUBLIC; an empty name stands for all of a schema.
        var silenced: [ObjectName] = []
    }

    let whole: Whole
    let file: File
    let statement: Statement
    let tree: SyntaxTree
    /// The statement's body in PL/pgSQL, when it has one that can be read.
    let body: Body?
    /// All that was said before it.
    let history: History

    /// The statement, and those its `do` block runs, with the lines they stand on.
    var parts: [(tree: SyntaxTree, line: Int)] {
        let inner = tree.kind == "DoStmt" ? body?.statements ?? [] : []
        return [(tree, statement.line)] + inner
    }

    /// Whether somebody else may be using a relation: it was not made a few lines before, nor is it
    /// temporary.
    func isLive(_ range: SyntaxTree) -> Bool {
        guard let name = ObjectName(range) else { return true }
        return isLive(name) && range.relpersistence.text != "t"
    }

    func isLive(_ name: ObjectName) -> Bool { !history.isFresh(name) }

    /// What a rule says about each part of a kind.
    func each(_ kind: String, _ judge: (SyntaxTree) -> String?) -> [Remark] {
        parts.filter { $0.tree.kind == kind }.compactMap { part in
            judge(part.tree).map { Remark($0, line: part.line) }
        }
    }

    /// What a rule says about each subcommand of ALTER TABLE on a table that is in use.
    func eachChange(_ subtypes: String..., judge: (SyntaxTree, ObjectName) -> String?) -> [Remark] {
        parts.filter { $0.tree.kind == "AlterTableStmt" && isLive($0.tree.relation) }.flatMap {
            part -> [Remark] in
            guard let table = ObjectName(part.tree.relation) else { return [] }
            return part.tree.cmds.nodes.filter { subtypes.contains($0.subtype.text ?? "") }
                .compactMap { judge($0, table) }.map { Remark($0, line: part.line) }
        }
    }

    /// Every new column, of new and of old tables.
    func eachColumn(_ judge: (SyntaxTree, ObjectName) -> String?) -> [Remark] {
        parts.flatMap { part -> [Remark] in
            guard let table = ObjectName(part.tree.relation) else { return [] }
            let columns: [SyntaxTree]
            switch part.tree.kind {
            case "CreateStmt": columns = part.tree.tableElts.nodes.filter { $0.kind == "ColumnDef" }
            case "AlterTableStmt":
                columns = part.tree.cmds.nodes.filter { $0.subtype.text == "AT_AddColumn" }.map(\.def)
            default: columns = []
            }
            return columns.compactMap { judge($0, table) }.map { Remark($0, line: part.line) }
        }
    }
}
