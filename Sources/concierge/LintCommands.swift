import Migrations
import Postgres

/// What is said about migrations before they run.
let lintCommands = [
    Command(
        words: ["migrate", "lint"], operands: "[PATH ...]",
        summary: "Says what is dangerous in migrations and sql/, by PostgreSQL's own grammar; needs no server.",
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
private func lintPaths(_ operands: [String], _ project: Project) throws -> (paths: [String], extra: [String]) {
    let known = project.migrations.map(\.source.path)
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
                "there is no SQL file \(operand)", hint: "Name a file, or a folder below migrations/ or sql/.")
        }
    }
    return (paths, extra)
}

private func json(_ finding: Finding) -> String {
    "{\"file\": \(jsonString(finding.file)), \"line\": \(finding.line), \"code\": \(jsonString(finding.code)), "
        + "\"name\": \(jsonString(finding.name)), \"sentence\": \(jsonString(finding.sentence)), "
        + "\"reason\": \(jsonString(finding.reason)), \"fix\": \(jsonString(finding.fix))}"
}
