public import Postgres

/// What each statement of a plan will do to the tables that are there.
public struct PlanReport: Sendable {
    public struct Step: Sendable {
        public let line: Int
        public let headline: String
        /// The strongest lock first.
        public let effects: [RelationEffect]
    }
    public struct File: Sendable {
        public let path: String
        public let steps: [Step]
    }

    /// In the order they would run.
    public let files: [File]

    /// Reads the files of the project in order, and asks the database about those that are planned.
    public init(_ plan: Plan, _ project: Project, _ connection: Connection) {
        let planned = plan.migrations.map(\.source) + plan.objects.map(\.source) + plan.cron.map(\.source)
        let paths = Set(planned.map(\.path))
        let preamble = project.preamble.map(\.source)
        var server = ServerSurroundings(connection: connection, history: History())
        var files: [File] = []
        for source in project.migrations.map(\.source) + (project.objects + project.cron).map(\.source) {
            server.history.beginFile()
            if !source.path.hasPrefix("migrations/") {
                for statement in preamble.flatMap(\.statements) { server.note(parts(of: statement)) }
            }
            var steps: [Step] = []
            for statement in source.statements {
                let parts = parts(of: statement)
                if paths.contains(source.path) { steps.append(server.step(statement, parts)) }
                server.note(parts)
            }
            if paths.contains(source.path) { files.append(File(path: source.path, steps: steps)) }
        }
        self.files = files
    }
}

/// A statement, and those its `do` block runs; nothing where the server will complain anyway.
private func parts(of statement: Statement) -> [SyntaxTree] {
    guard let tree = try? SyntaxTree.parse(statement.text).first else { return [] }
    guard tree.kind == "DoStmt", let body = try? Body(statement, tree) else { return [tree] }
    return [tree] + body.statements.map(\.tree)
}

extension ServerSurroundings {
    fileprivate mutating func note(_ parts: [SyntaxTree]) { for part in parts { history.note(part) } }

    fileprivate func step(_ statement: Statement, _ parts: [SyntaxTree]) -> PlanReport.Step {
        let found = effects(of: parts, self).map { effect in
            var effect = effect
            if let name = effect.relation, !effect.isFresh { effect.size = size(of: name) }
            return effect
        }
        return PlanReport.Step(line: statement.line, headline: statement.headline, effects: found)
    }
}
