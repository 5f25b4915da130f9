import Migrations
import Postgres

/// `concierge migrate …`: the database becomes what the files say.
let migrateCommands = [
    Command(
        words: ["migrate"], summary: "Applies pending migrations, then every changed file of sql/.",
        run: migrateUp),
    Command(words: ["migrate", "up"], summary: "The same as migrate.", run: migrateUp),
    Command(
        words: ["migrate", "status"], summary: "Lists what is applied, pending and changed; changes nothing.",
        options: [jsonOption], run: migrateStatus),
    Command(
        words: ["migrate", "plan"],
        summary: "Shows each statement that would run, and the locks it takes; changes nothing.",
        options: [jsonOption], run: migratePlan),
    Command(
        words: ["migrate", "drift"],
        summary: "Compares the database with a clean install of the files; changes nothing.",
        run: migrateDrift),
    Command(
        words: ["migrate", "baseline"],
        summary: "Notes migrations as applied, running none, in a database from elsewhere.",
        options: [OptionRule("to", "NUMBER", "the last migration whose objects are there")],
        run: migrateBaseline),
    Command(
        words: ["migrate", "repair"],
        summary:
            "Shows migrations edited after they ran, asks, and notes them as they are.",
        options: [OptionRule("yes", nil, "do not ask")],
        run: migrateRepair),
    Command(
        words: ["migrate", "new"], operands: "NAME",
        summary: "Makes an empty migration with the next free number.",
        run: migrateNew),
]

let jsonOption = OptionRule("json", nil, "print one JSON document instead of lines")

@Sendable private func migrateUp(_ invocation: Invocation) throws -> Int32 {
    let began = ContinuousClock.now
    let runner = Runner(try Project(root: projectRoot()), try target(invocation)) { report($0) }
    let plan = try runner.apply()
    let what = plan.isEmpty ? "nothing to do" : "up to date"
    Terminal.say(Terminal.row("database", "\(what), \(began.duration(to: .now).brief)"))
    return 0
}

private func report(_ progress: Runner.Progress) {
    switch progress {
    case .waiting(let holder):
        Terminal.say("waiting for \(holder)")
    case .began(let name, let files):
        // In a pipe only whole lines are shown; on a terminal the step under way is named.
        if Terminal.isInteractive { Terminal.say("\(title(name, files)) …", terminator: "\r") }
    case .finished(let name, let duration):
        Terminal.say(Terminal.row(name, "ok, \(duration.brief)"))
    case .skipped(let name, let reason):
        Terminal.say(Terminal.row(name, "skipped: \(reason)"))
    case .orphan(let path):
        Terminal.say("sql/\(path) left the manifest; what it made stays until a migration drops it")
    case .warning(let name, let warning):
        Terminal.say("\(name): \(warning)")
    case .ran:
        break
    case .blocked(let name, let holders):
        Terminal.say("\(name): waits for \(holders.map(\.description).joined(separator: ", "))")
    case .building(let name, let text):
        if Terminal.isInteractive { Terminal.say("\(name): \(text) …", terminator: "\r") }
    case .retrying(let name, let reason, let pause):
        Terminal.say("\(name): \(reason); all of it again in \(pause.brief)")
    }
}

private func title(_ name: String, _ files: Int) -> String { files == 1 ? name : "\(name) (\(files) files)" }

@Sendable private func migrateDrift(_ invocation: Invocation) throws -> Int32 {
    let differences = try Runner(Project(root: projectRoot()), target(invocation)).drift()
    for difference in differences { Terminal.say("\(difference)") }
    Terminal.say(
        differences.isEmpty ? "as a clean install" : "\(differences.count) differences from a clean install")
    return differences.isEmpty ? 0 : 1
}

@Sendable private func migrateBaseline(_ invocation: Invocation) throws -> Int32 {
    guard let number = try invocation.count("to") else {
        throw UsageError(message: "--to is missing", command: invocation.command)
    }
    let noted = try Runner(Project(root: projectRoot()), target(invocation)) { report($0) }.baseline(
        through: number)
    for migration in noted { Terminal.say(Terminal.row(migration.source.path, "noted, not run")) }
    Terminal.say("concierge migrate goes on from here; concierge migrate drift then says what was missing")
    return 0
}

@Sendable private func migrateRepair(_ invocation: Invocation) throws -> Int32 {
    let runner = Runner(try Project(root: projectRoot()), try target(invocation)) { report($0) }
    let edits = try runner.edits()
    guard !edits.isEmpty else {
        Terminal.say("nothing to repair: every applied migration is as it was")
        return 0
    }
    for edit in edits { Terminal.say("\(edit)") }
    guard try invocation.has("yes") || Terminal.confirm("Note them as they are now, running nothing?") else {
        Terminal.say("nothing was changed")
        return 1
    }
    try runner.accept(edits)
    Terminal.say(
        "\(edits.count) noted as they are now; concierge migrate drift says whether the database agrees")
    return 0
}

@Sendable private func migrateNew(_ invocation: Invocation) throws -> Int32 {
    guard invocation.operands.count == 1 else {
        throw UsageError(message: "what shall it be called?", command: invocation.command)
    }
    let path = try Project(root: projectRoot()).newMigration(named: invocation.operands[0])
    Terminal.say(path)
    return 0
}

@Sendable private func migrateStatus(_ invocation: Invocation) throws -> Int32 {
    let project = try Project(root: projectRoot())
    let runner = Runner(project, try target(invocation))
    let ledger = try runner.ledger()
    let plan = try Plan(project, ledger)
    let changed = Set((plan.objects + plan.cron).map(\.path))
    let rows: [(path: String, state: String)] =
        project.migrations.map { migration in
            let applied = ledger.migrations[migration.number]
            return (migration.source.path, applied.map { "applied \($0.appliedAt)" } ?? "pending")
        }
        + (project.objects + project.cron).map { file in
            (file.source.path, state(of: file, ledger, isPlanned: changed.contains(file.path)))
        }
        + plan.orphans.map { ("sql/" + $0, "left the manifest") }
    if invocation.has("json") {
        let entries = rows.map { "{\"path\": \(jsonString($0.path)), \"state\": \(jsonString($0.state))}" }
        Terminal.say("[" + entries.joined(separator: ",\n ") + "]")
    } else {
        for row in rows { Terminal.say(Terminal.row(row.path, row.state)) }
        Terminal.say("\(plan.migrations.count) migrations pending, \(changed.count) files of sql/ to apply")
    }
    return 0
}

/// How a file of `sql/` stands to the database.
private func state(of file: ObjectFile, _ ledger: Ledger, isPlanned: Bool) -> String {
    guard let applied = ledger.objects[file.path] else { return "pending" }
    guard file.source.isNoted(as: applied) else { return "changed" }
    return isPlanned ? "stands on a changed file" : "current"
}

/// A text as JSON writes it, quotes included.
func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case _ where scalar.value < 0x20:
            let hex = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
