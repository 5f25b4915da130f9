import Migrations
import Postgres

/// `concierge migrate …`: the database becomes what the files say.
let migrateCommands = [
    Command(
        words: ["migrate"], summary: "Applies pending migrations, then every changed file of sql/.",
        options: [yesOption, eventsOption], run: migrateUp),
    Command(
        words: ["migrate", "up"], summary: "The same as migrate.", options: [yesOption, eventsOption],
        run: migrateUp),
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
        words: ["migrate", "verify"],
        summary: "Runs the checks of applied migrations; changes nothing.",
        run: migrateVerify),
    Command(
        words: ["migrate", "revert"],
        summary: "Undoes the last migration by its revert script; refuses to lose data.",
        options: [
            OptionRule("to", "NUMBER", "undo all above this one; 0 is all"),
            OptionRule("lose-data", nil, "rows and values may go"), yesOption,
        ],
        run: migrateRevert),
    Command(
        words: ["migrate", "log"],
        summary: "Lists the last runs that changed something: who, when, from which commit.",
        run: migrateLog),
    Command(
        words: ["migrate", "baseline"],
        summary: "Notes migrations as applied, running none, in a database from elsewhere.",
        options: [OptionRule("to", "NUMBER", "the last migration whose objects are there"), yesOption],
        run: migrateBaseline),
    Command(
        words: ["migrate", "repair"],
        summary:
            "Shows migrations edited after they ran, asks, and notes them as they are.",
        options: [yesOption],
        run: migrateRepair),
    Command(
        words: ["migrate", "new"], operands: "NAME",
        summary: "Makes an empty migration with the next free number.",
        run: migrateNew),
]

private let yesOption = OptionRule("yes", nil, "do not ask")
private let eventsOption = OptionRule("json", nil, "print one JSON object a line, one for each event")
let jsonOption = OptionRule("json", nil, "print one JSON document instead of lines")

/// The runner of a command that writes, and the environment it was told to write to.
private func writer(
    _ invocation: Invocation, _ progress: @escaping (Runner.Progress) -> Void = report
) throws -> (runner: Runner, environment: Environment?) {
    let project = try Project(root: projectRoot())
    var runner = Runner(project, try target(invocation), progress: progress)
    runner.origin = { try origin(of: project.root) }
    return (runner, Environment(invocation, project.root))
}

@Sendable private func migrateUp(_ invocation: Invocation) throws -> Int32 {
    let began = ContinuousClock.now
    let asJSON = invocation.has("json")
    let (runner, environment) = try writer(invocation) { progress in
        if asJSON { Terminal.say(json(progress)) } else { report(progress) }
    }
    if let environment, environment.isGuarded, !(try runner.plan().isEmpty) {
        try showPlan(invocation)
        guard try environment.mayWrite(invocation, "Apply this") else {
            Terminal.say("nothing was changed")
            return 1
        }
    }
    let plan = try runner.apply()
    let what = plan.isEmpty ? "nothing to do" : "up to date"
    let took = began.duration(to: .now)
    Terminal.say(
        asJSON
            ? jsonObject([
                ("event", jsonString(plan.isEmpty ? "nothing_to_do" : "up_to_date")),
                ("milliseconds", "\(took.milliseconds)"),
            ]) : Terminal.row("database", "\(what), \(took.brief)"))
    return 0
}

private func report(_ progress: Runner.Progress) {
    switch progress {
    case .began(let name, let files):
        // In a pipe only whole lines are shown; on a terminal the step under way is named.
        if Terminal.isInteractive { Terminal.say("\(title(name, files)) …", terminator: "\r") }
    case .building(let name, let text):
        if Terminal.isInteractive { Terminal.say("\(name): \(text) …", terminator: "\r") }
    case .ran:
        break
    case .waiting(let holder):
        Terminal.say("waiting for \(holder)")
    case .finished(let name, let duration):
        Terminal.say(Terminal.row(name, "ok, \(duration.brief)"))
    case .skipped(let name, let reason):
        Terminal.say(Terminal.row(name, "skipped: \(reason)"))
    case .dropping(let object):
        Terminal.say("\(object) left sql/, and is dropped")
    case .recreating(let object):
        Terminal.say("\(object) is made again")
    case .rebuilt(let object):
        Terminal.say("\(object) was built anew")
    case .warning(let name, let warning):
        Terminal.say("\(name): \(warning)")
    case .blocked(let name, let holders):
        Terminal.say("\(name): waits for \(holders.map(\.description).joined(separator: ", "))")
    case .retrying(let name, let reason, let pause):
        Terminal.say("\(name): \(reason); all of it again in \(pause.brief)")
    }
}

/// The same as one JSON object.
private func json(_ progress: Runner.Progress) -> String {
    func event(_ name: String, _ rest: [(String, String)]) -> String {
        jsonObject([("event", jsonString(name))] + rest)
    }
    func step(_ name: String) -> (String, String) { ("step", jsonString(name)) }
    return switch progress {
    case .began(let name, let files): event("began", [step(name), ("files", "\(files)")])
    case .building(let name, let text): event("building", [step(name), ("progress", jsonString(text))])
    case .ran(let name, let statement):
        event(
            "ran", [step(name), ("line", "\(statement.line)"), ("statement", jsonString(statement.headline))])
    case .waiting(let holder): event("waiting", [("pid", "\(holder.pid)"), ("for", jsonString("\(holder)"))])
    case .finished(let name, let duration):
        event("finished", [step(name), ("milliseconds", "\(duration.milliseconds)")])
    case .skipped(let name, let reason): event("skipped", [step(name), ("reason", jsonString(reason))])
    case .dropping(let object): event("dropping", [("object", jsonString("\(object)"))])
    case .recreating(let object): event("recreating", [("object", jsonString("\(object)"))])
    case .rebuilt(let object): event("rebuilt", [("object", jsonString("\(object)"))])
    case .warning(let name, let warning):
        event("warning", [step(name), ("message", jsonString("\(warning)"))])
    case .blocked(let name, let holders):
        event("blocked", [step(name), ("pids", "[\(holders.map { "\($0.pid)" }.joined(separator: ", "))]")])
    case .retrying(let name, let reason, let pause):
        event(
            "retrying",
            [step(name), ("reason", jsonString(reason)), ("milliseconds", "\(pause.milliseconds)")])
    }
}

/// Members of an object, whose values are JSON already, in their order.
func jsonObject(_ members: [(String, String)]) -> String {
    "{" + members.map { "\(jsonString($0)): \($1)" }.joined(separator: ", ") + "}"
}

private func title(_ name: String, _ files: Int) -> String { files == 1 ? name : "\(name) (\(files) files)" }

@Sendable private func migrateDrift(_ invocation: Invocation) throws -> Int32 {
    let differences = try Runner(Project(root: projectRoot()), target(invocation)).drift()
    for difference in differences { Terminal.say("\(difference)") }
    Terminal.say(
        differences.isEmpty ? "as a clean install" : "\(differences.count) differences from a clean install")
    return differences.isEmpty ? 0 : 1
}

@Sendable private func migrateVerify(_ invocation: Invocation) throws -> Int32 {
    var count = 0
    let failures = try Runner(Project(root: projectRoot()), target(invocation)).verify {
        migration, problems in
        count += 1
        Terminal.say(Terminal.row(migration.source.path, problems.isEmpty ? "holds" : "does not hold"))
        for problem in problems { Terminal.say("\(problem)") }
    }
    Terminal.say(
        count == 0
            ? "no applied migration has checks" : "\(count) checked, \(failures.count) checks do not hold")
    return failures.isEmpty ? 0 : 1
}

@Sendable private func migrateRevert(_ invocation: Invocation) throws -> Int32 {
    let (runner, environment) = try writer(invocation)
    let number = try invocation["to"].map { text in
        guard let number = Int(text), number >= 0 else {
            throw UsageError(message: "--to takes a number, not \"\(text)\"", command: invocation.command)
        }
        return number
    }
    let migrations = try runner.reverts(downTo: number)
    guard !migrations.isEmpty else {
        Terminal.say("nothing to revert")
        return 0
    }
    for migration in migrations {
        Terminal.say(migration.revert?.path ?? "")
        for statement in migration.revert?.statements ?? [] {
            Terminal.say("  \(statement.line): \(statement.headline)")
        }
    }
    guard try environment?.mayWrite(invocation, "Run this") ?? true,
        try environment?.isGuarded == true || invocation.has("yes") || Terminal.confirm("Run this?")
    else {
        Terminal.say("nothing was changed")
        return 1
    }
    try runner.revert(migrations, losingData: invocation.has("lose-data"))
    Terminal.say("\(migrations.count) undone; what sql/ had on it comes back with the next concierge migrate")
    return 0
}

@Sendable private func migrateLog(_ invocation: Invocation) throws -> Int32 {
    let runs = try Runner(Project(root: projectRoot()), target(invocation)).runs()
    for run in runs {
        let numbers = run.migrations.map(String.init).joined(separator: ", ")
        let what = [
            run.migrations.isEmpty ? nil : "migrations \(numbers)",
            run.files == 0 ? nil : "\(run.files) files of sql/",
        ].compactMap(\.self).joined(separator: ", ")
        let how =
            run.error.map { "failed: \($0.prefix { !$0.isNewline })" }
            ?? run.seconds.map { "ok, \(Duration.seconds($0).brief)" } ?? "under way, or killed"
        let commit = run.origin.commit.map { "\($0.prefix(10))\(run.origin.isDirty ? " and changes" : "")" }
        Terminal.say("\(run.beganAt)  \(run.command)  \(what)")
        Terminal.say("    \(how); \(run.role), \(run.origin.user), \(commit ?? "no commit")")
    }
    if runs.isEmpty { Terminal.say("nothing was ever run here") }
    return 0
}

@Sendable private func migrateBaseline(_ invocation: Invocation) throws -> Int32 {
    guard let number = try invocation.count("to") else {
        throw UsageError(message: "--to is missing", command: invocation.command)
    }
    let (runner, environment) = try writer(invocation)
    guard try environment?.mayWrite(invocation, "Note the migrations up to \(number) as applied") ?? true
    else {
        Terminal.say("nothing was changed")
        return 1
    }
    let noted = try runner.baseline(through: number)
    for migration in noted { Terminal.say(Terminal.row(migration.source.path, "noted, not run")) }
    Terminal.say("concierge migrate goes on from here; concierge migrate drift then says what was missing")
    return 0
}

@Sendable private func migrateRepair(_ invocation: Invocation) throws -> Int32 {
    let (runner, environment) = try writer(invocation)
    let edits = try runner.edits()
    guard !edits.isEmpty else {
        Terminal.say("nothing to repair: every applied migration is as it was")
        return 0
    }
    for edit in edits { Terminal.say("\(edit)") }
    let question = "Note them as they are now, running nothing"
    guard try environment?.mayWrite(invocation, question) ?? true,
        try environment?.isGuarded == true || invocation.has("yes") || Terminal.confirm(question + "?")
    else {
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
