/// Reads a project with PostgreSQL's own grammar and says what is dangerous in it. Needs no server.
public struct Linter {
    /// One file with what was read of it.
    private struct Reading {
        let source: Source
        let text: String
        let isMigration: Bool
        var statements: [(statement: Statement, tree: SyntaxTree?, error: SyntaxError?)]
    }

    private let readings: [Reading]
    private let preamble: [SyntaxTree]
    private let whole: Scene.Whole

    /// Reads every file of a project; `extra` are paths of other files, looked at as if they were
    /// migrations still to come.
    public init(_ project: Project, extra: [String] = []) throws {
        var readings: [Reading] = []
        for migration in project.migrations {
            readings.append(try Linter.read(migration.source, root: project.root + "/", isMigration: true))
        }
        for path in extra {
            readings.append(try Linter.read(try Source(root: "", path: path), root: "", isMigration: true))
        }
        for file in project.preamble + project.objects + project.cron {
            readings.append(try Linter.read(file.source, root: project.root + "/", isMigration: false))
        }
        self.readings = readings
        preamble = project.preamble.flatMap { file in
            file.source.statements.flatMap { (try? SyntaxTree.parse($0.text)) ?? [] }
        }
        whole = Linter.survey(readings)
    }

    private static func read(_ source: Source, root: String, isMigration: Bool) throws -> Reading {
        let text = String(decoding: try readFile(root + source.path), as: UTF8.self)
        var reading = Reading(source: source, text: text, isMigration: isMigration, statements: [])
        for statement in source.statements {
            do throws(SyntaxError) {
                reading.statements.append((statement, try SyntaxTree.parse(statement.text).first, nil))
            } catch {
                reading.statements.append((statement, nil, error))
            }
        }
        return reading
    }

    /// What is dangerous, in the order of the files. `paths` leaves out all other files, or folders.
    public func findings(in paths: [String] = []) -> [Finding] {
        var history = History()
        var findings: [Finding] = []
        for reading in readings {
            let found = judge(reading, &history)
            let isWanted =
                paths.isEmpty
                || paths.contains { path in
                    reading.source.path == path || reading.source.path.hasPrefix(path + "/")
                }
            if isWanted { findings += found }
        }
        return findings
    }

    private func judge(_ reading: Reading, _ history: inout History) -> [Finding] {
        let path = reading.source.path
        let file = Linter.describe(reading)
        let allowances = Allowance.all(in: reading.text)
        var used: Set<Allowance> = []
        var findings: [Finding] = []

        func report(_ rule: LintRule, _ line: Int, _ sentence: String, _ range: ClosedRange<Int>) {
            let mine = allowances.filter { $0.codes.contains(rule.code) && $0.covers(line, of: range) }
            used.formUnion(mine)
            if mine.isEmpty { findings.append(Finding(rule, path, line, sentence)) }
        }

        history.beginFile()
        if !reading.isMigration { for tree in preamble { history.note(tree) } }
        for (statement, tree, error) in reading.statements {
            let last = statement.line + statement.text.utf8.count { $0 == UInt8(ascii: "\n") }
            let range = statement.line...last
            if let error {
                report(lintRule("L601"), statement.line(at: error.position), error.message, range)
            }
            guard let tree else { continue }
            var body: Body?
            do throws(SyntaxError) { body = try Body(statement, tree) } catch {
                report(lintRule("L604"), statement.line, error.message, range)
            }
            let scene = Scene(
                whole: whole, file: file, statement: statement, tree: tree, body: body, history: history)
            for rule in LintRule.all {
                for remark in rule.check(scene) {
                    report(rule, remark.line ?? statement.line, remark.sentence, range)
                }
            }
            for part in scene.parts { history.note(part.tree) }
        }
        return (findings + Linter.complaints(allowances, used, path)).sorted {
            ($0.line, $0.code) < ($1.line, $1.code)
        }
    }

    /// What is wrong with the allowances themselves.
    private static func complaints(_ allowances: [Allowance], _ used: Set<Allowance>, _ path: String)
        -> [Finding]
    {
        allowances.flatMap { allowance -> [Finding] in
            let codes = allowance.codes.joined(separator: ", ")
            if allowance.reason.isEmpty {
                return [
                    Finding(
                        lintRule("L602"), path, allowance.line, "\(codes) is allowed, and nobody says why")
                ]
            }
            if let code = allowance.codes.first(where: { code in !LintRule.all.contains { $0.code == code } })
            {
                return [Finding(lintRule("L603"), path, allowance.line, "there is no rule \(code)")]
            }
            guard !used.contains(allowance) else { return [] }
            return [Finding(lintRule("L603"), path, allowance.line, "\(codes) is not found here")]
        }
    }

    private static func describe(_ reading: Reading) -> Scene.File {
        var file = Scene.File(
            path: reading.source.path, isMigration: reading.isMigration,
            isTransactional: reading.source.header.isTransactional)
        for tree in reading.statements.compactMap(\.tree) {
            if let comment = tree.commented { file.comments.append(comment) }
            file.creates += created(tree).map(\.name)
            guard tree.kind == "GrantStmt", !tree.is_grant.isTrue,
                tree.grantees.nodes.contains(where: { $0.roletype.text == "ROLESPEC_PUBLIC" })
            else { continue }
            for object in tree.objects.nodes {
                if tree.targtype.text == "ACL_TARGET_ALL_IN_SCHEMA" {
                    file.silenced.append(ObjectName(object.text, ""))
                } else if let name = ObjectName(object.objname.words) {
                    file.silenced.append(name)
                }
            }
        }
        return file
    }

    /// What a rule may want to know of other files.
    private static func survey(_ readings: [Reading]) -> Scene.Whole {
        var whole = Scene.Whole()
        var bodies: [(name: ObjectName, words: Set<String>)] = []
        for reading in readings {
            for (statement, tree, _) in reading.statements {
                let words = Scanner.words(in: statement.text)
                if !reading.isMigration {
                    whole.places.append(
                        Scene.Place(file: reading.source.path, line: statement.line, words: words))
                }
                guard let tree else { continue }
                if tree.kind == "CreateFunctionStmt", let name = ObjectName(tree.funcname.words) {
                    bodies.append((name, words))
                }
                if tree.kind == "AlterTableStmt", let table = ObjectName(tree.relation),
                    tree.cmds.nodes.contains(where: { $0.subtype.text == "AT_EnableRowSecurity" })
                {
                    whole.secured.append(table)
                }
            }
        }
        // Whoever calls one that notifies, notifies.
        var words: Set = ["pg_notify", "notify"]
        while true {
            let found = bodies.filter { body in
                !body.words.isDisjoint(with: words) && !whole.notifiers.contains(body.name)
            }.map(\.name)
            guard !found.isEmpty else { return whole }
            whole.notifiers += found
            words.formUnion(found.map(\.name))
        }
    }
}

private func lintRule(_ code: String) -> LintRule { lintRules.first { $0.code == code } ?? lintRules[0] }

extension Finding {
    fileprivate init(_ rule: LintRule, _ file: String, _ line: Int, _ sentence: String) {
        self.init(
            file: file, line: line, code: rule.code, name: rule.name, sentence: sentence, reason: rule.reason,
            fix: rule.fix)
    }
}
