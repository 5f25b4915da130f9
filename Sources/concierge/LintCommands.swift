import Migrations
import Postgres

/// What is said about migrations before they run.
let lintCommands = [
    Command(
        words: ["migrate", "lint"], operands: "[PATH ...]",
        summary:
            "Says what is dangerous in migrations/ and sql/; needs no server.",
        options: [jsonOption], run: migrateLint)
]

@Sendable private func migrateLint(_ invocation: Invocation) throws -> Int32 {
    let project = try Project(root: projectRoot())
    let (paths, extra) = try lintPaths(invocation.operands, project)
    let findings = try Linter(project, extra: extra).findings(in: paths)
    if invocation.has("json") {
        Terminal.say("[" + findings.map(json).joined(separator: ",\n ") + "]")
    } else {
        for finding in findings { Terminal.say("\(finding)") }
        let files = Set(findings.map(\.file)).count
        Terminal.say(
            findings.isEmpty
                ? "nothing dangerous by \(LintRule.all.count) rules"
                : "\(findings.count) found in \(files) file\(files == 1 ? "" : "s")")
    }
    return findings.isEmpty ? 0 : 1
}

/// The operands as the project names its files, and those that are none of its files.
private func lintPaths(_ operands: [String], _ project: Project) throws -> (paths: [String], extra: [String])
{
    let known =
        project.migrations.map(\.source.path)
        + (project.preamble + project.objects + project.cron).map(\.source.path)
    var paths: [String] = []
    var extra: [String] = []
    for operand in operands {
        let full = absolutePath(operand)
        let path = full.hasPrefix(project.root + "/") ? String(full.dropFirst(project.root.count + 1)) : full
        if full == project.root {
            paths += ["migrations", "sql"]
        } else if known.contains(where: { $0 == path || $0.hasPrefix(path + "/") }) {
            paths.append(path)
        } else if fileKind(full) == .file {
            paths.append(full)
            extra.append(full)
        } else {
            throw Failure(
                "there is no SQL file \(operand)", hint: "Name a file, or a folder below migrations/ or sql/."
            )
        }
    }
    return (paths, extra)
}

private func json(_ finding: Finding) -> String {
    jsonObject([
        ("file", jsonString(finding.file)), ("line", "\(finding.line)"), ("code", jsonString(finding.code)),
        ("name", jsonString(finding.name)), ("sentence", jsonString(finding.sentence)),
        ("reason", jsonString(finding.reason)), ("fix", jsonString(finding.fix)),
    ])
}

@Sendable func migratePlan(_ invocation: Invocation) throws -> Int32 {
    guard invocation.has("json") else {
        try showPlan(invocation)
        return 0
    }
    let (_, report) = try plan(invocation)
    Terminal.say("[" + report.files.flatMap(json).joined(separator: ",\n ") + "]")
    return 0
}

/// What the next migrate would run, for people.
func showPlan(_ invocation: Invocation) throws {
    let (plan, report) = try plan(invocation)
    for file in report.files {
        Terminal.say(file.path)
        for line in lines(file) { Terminal.say(line) }
    }
    for path in plan.orphans {
        Terminal.say("sql/\(path) left the manifest; what it made is dropped, unless another file makes it")
    }
    Terminal.say("\(plan.migrations.count) migrations, \(plan.objects.count + plan.cron.count) files of sql/")
}

private func plan(_ invocation: Invocation) throws -> (Plan, PlanReport) {
    let project = try Project(root: projectRoot())
    let target = try target(invocation)
    let plan = try Runner(project, target).plan()
    return (plan, PlanReport(plan, project, try target.connect(as: "concierge migrate plan")))
}

/// A file's statements and, in a column of their own, the locks they take.
func lines(_ file: PlanReport.File) -> [String] {
    let widest = 56
    let rows = file.steps.map { step in
        (statement: "  \(step.line): \(step.headline)", locks: locks(step.effects))
    }
    let fitting = rows.filter { !$0.locks.isEmpty }.map(\.statement.count).filter { $0 <= widest }
    let column = (fitting.max() ?? 4) + 2
    return rows.flatMap { row -> [String] in
        let indent = String(repeating: " ", count: column)
        guard let first = row.locks.first else { return [row.statement] }
        let rest = row.locks.dropFirst().map { indent + $0 }
        guard row.statement.count + 2 <= column else { return [row.statement, indent + first] + rest }
        return [row.statement.padded(to: column) + first] + rest
    }
}

/// `ACCESS EXCLUSIVE on item, rewrites it (12000 rows, 3.1 MB)`, one a relation; those only read in one
/// line. What the file itself has just made nobody waits for.
private func locks(_ effects: [RelationEffect]) -> [String] {
    let strong = effects.filter { $0.lock > .accessShare && !$0.isFresh }
    let read = effects.filter { $0.lock == .accessShare && !$0.isFresh }
    let lines = strong.map { effect in
        var line = "\(effect.lock.name) on \(effect.subject)"
        if let work = words(effect.work) { line += ", \(work) it" }
        if let size = effect.size {
            let rows = size.rows.map { "\($0) rows" } ?? "never analyzed"
            line += " (\(rows), \(megabytes(size.bytes)))"
        }
        return line
    }
    guard !read.isEmpty else { return lines }
    return lines + ["ACCESS SHARE on " + read.map(\.subject.description).joined(separator: ", ")]
}

private func words(_ work: RowWork) -> String? {
    switch work {
    case .none: nil
    case .scans: "scans"
    case .mayRewrite: "may rewrite"
    case .rewrites: "rewrites"
    case .empties: "empties"
    }
}

/// `16 kB`, `3.1 MB`, `12.0 GB`.
private func megabytes(_ bytes: Int) -> String {
    if bytes < 1_000_000 { return "\(bytes / 1000) kB" }
    let tenths = bytes / (bytes < 1_000_000_000 ? 100_000 : 100_000_000)
    return "\(tenths / 10).\(tenths % 10) \(bytes < 1_000_000_000 ? "MB" : "GB")"
}

private func json(_ file: PlanReport.File) -> [String] {
    file.steps.map { step in
        jsonObject([
            ("file", jsonString(file.path)), ("line", "\(step.line)"),
            ("statement", jsonString(step.headline)),
            ("locks", "[" + step.effects.map(json).joined(separator: ", ") + "]"),
        ])
    }
}

private func json(_ effect: RelationEffect) -> String {
    jsonObject([
        ("on", jsonString(effect.subject.description)), ("lock", jsonString(effect.lock.name)),
        ("work", words(effect.work).map(jsonString) ?? "null"), ("new", "\(effect.isFresh)"),
        ("rows", effect.size?.rows.map(String.init) ?? "null"),
        ("bytes", effect.size.map { "\($0.bytes)" } ?? "null"),
    ])
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
