import Glibc
import Migrations

/// `concierge test`: pgTAP files in throw-away databases, then a look at every function.
let testCommands = [
    Command(
        words: ["test"], operands: "[PATH ...]",
        summary: "Runs the files of Tests/sql, or those below PATH, each in its own database.",
        options: [
            OptionRule("jobs", "N", "files at once; as many as there are processors unless given"),
            OptionRule("format", "FORMAT", "pretty (the default), tap or junit"),
            OptionRule("changed", "[=REF]", "only what a change since REF touches; REF: where main was left"),
            OptionRule("watch", nil, "again whenever a file changes, what it touches and what failed"),
            OptionRule("keep", nil, "keep the database of each failing file, as its first failure saw it"),
            OptionRule("renew", nil, "write the files that answers are compared with (--> as in FILE) anew"),
            OptionRule("slowest", "N", "the N assertions that took longest, after the rest"),
            OptionRule("coverage", "[=FILE.html]", "which functions and statements ran; as a page, too"),
        ],
        run: runTests)
]

@Sendable private func runTests(_ invocation: Invocation) throws -> Int32 {
    guard let format = TestFormat(rawValue: invocation["format"] ?? "pretty") else {
        throw UsageError(
            message: "there is no format \"\(invocation["format"] ?? "")\": pretty, tap or junit",
            command: invocation.command)
    }
    let isWatching = invocation.has("watch")
    guard !isWatching || format == .pretty && !invocation.has("coverage") else {
        throw UsageError(
            message: "--watch has no end: it goes with neither --coverage nor another --format",
            command: invocation.command)
    }
    let root = try projectRoot()
    var run = TestRun(
        root: root, target: try target(invocation), options: try options(invocation, root), format: format)
    run.slowest = try invocation.count("slowest")
    run.page = invocation["coverage"].flatMap { $0.isEmpty ? nil : $0 }

    var names = try select(invocation.operands, TestRunner.files(of: root))
    var checksFunctions = invocation.operands.isEmpty
    if let reference = invocation["changed"] {
        let changed = try ChangedFiles(root: root, since: reference)
        let chosen = try TestChoice(root: root).touched(by: changed.changes).filter {
            names.contains($0.name)
        }
        names = chosen.map(\.name)
        checksFunctions = checksFunctions && TestChoice.touchesFunctions(changed.changes)
        if format == .pretty {
            Terminal.say("\(changed.changes.count) files changed since \(changed.base)")
            reasons(chosen).forEach { Terminal.say($0) }
        }
    }
    if isWatching { try watch(run, names, checksFunctions: checksFunctions, invocation.operands) }
    return try run(names, checksFunctions: checksFunctions).isEmpty ? 0 : 1
}

private func options(_ invocation: Invocation, _ root: String) throws -> TestRunner.Options {
    var options = TestRunner.Options(projectFolder: root)
    options.jobs = try invocation.count("jobs") ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    options.renewsFiles = invocation.has("renew")
    options.keepsFailed = invocation.has("keep")
    options.measuresCoverage = invocation.has("coverage")
    let dataFolder = environment("CONCIERGE_TEST_DATA") ?? root + "/../shared/data"
    let hasData = fileKind(dataFolder) == .folder
    if hasData { options.dataFolder = dataFolder }
    // "./x" is a file of the project; anything else is data that may not be at hand.
    options.readData = { path in
        if path.hasPrefix("./") { return try readText(root + "/" + path) }
        return hasData ? try readText(dataFolder + "/" + path) : nil
    }
    return options
}

/// One run of some files, and how it is told.
private struct TestRun {
    let root: String
    let target: Target
    let options: TestRunner.Options
    let format: TestFormat
    var slowest: Int?
    /// Where the page of the coverage goes.
    var page: String?

    /// Runs the files and tells the results; returns the names of the files that failed.
    func callAsFunction(_ names: [String], checksFunctions: Bool) throws -> [String] {
        let runner = TestRunner(try Project(root: root), target, options)
        var reports: [TestReport] = []
        if format == .tap { Terminal.say("TAP version 13") }
        var count = 0
        let coverage = try runner.run(names, checkFunctions: checksFunctions) { report in
            reports.append(report)
            switch format {
            case .pretty: pretty(report).forEach { Terminal.say($0) }
            case .tap: tap(report, counter: &count).forEach { Terminal.say($0) }
            case .junit: break
            }
        }
        if format == .pretty, let slowest { slowestLines(reports, slowest).forEach { Terminal.say($0) } }
        if options.measuresCoverage {
            if format == .pretty { coverageLines(coverage).forEach { Terminal.say($0) } }
            let project = root.split(separator: "/").last.map(String.init) ?? root
            if let page { try writeFile(page, mode: 0o644, coverage.page(of: project)) }
        }
        let failed = reports.reduce(0) { $0 + $1.failed }
        let passed = reports.reduce(0) { $0 + $1.passed }
        let skipped = reports.reduce(0) { $0 + $1.skipped }
        switch format {
        case .pretty: Terminal.say("\(passed) passed, \(failed) failed, \(skipped) skipped")
        case .tap: Terminal.say("1..\(count)")
        case .junit: Terminal.say(junit(reports))
        }
        return reports.filter { $0.failed > 0 }.map(\.name)
    }
}

/// Runs the files, then after every change what it touches and what failed before, until it is stopped.
private func watch(_ run: TestRun, _ names: [String], checksFunctions: Bool, _ paths: [String]) throws
    -> Never
{
    // Watched before the first run: what changes meanwhile is not lost.
    let watch = try FileWatch(root: run.root, ["migrations", "sql", "Tests/sql"])
    var texts = try sources(run.root)
    var failed: [String] = []
    var names = names
    var checksFunctions = checksFunctions
    while true {
        do {
            if !names.isEmpty || checksFunctions {
                failed = try run(names, checksFunctions: checksFunctions)
            }
        } catch {
            // A file that is half written, say. All is run when it is whole.
            Terminal.complain("concierge: \(error)")
            failed = names
        }
        Terminal.say("waiting for a change of migrations/, sql/ or Tests/sql/; Ctrl-C ends")
        let changed = try watch.next()
        let changes = changed.sorted().map { TestChoice.Change(path: $0, before: texts[$0]) }
        do {
            let all = try select(paths, TestRunner.files(of: run.root))
            let chosen = try TestChoice(root: run.root).touched(by: changes).filter { all.contains($0.name) }
            Terminal.say("\n\(changed.sorted().joined(separator: ", ")) changed")
            reasons(chosen).forEach { Terminal.say($0) }
            names = all.filter { name in failed.contains(name) || chosen.contains { $0.name == name } }
            checksFunctions =
                paths.isEmpty
                && (failed.contains(TestRunner.functionCheck) || TestChoice.touchesFunctions(changes))
            texts = try sources(run.root)
        } catch {
            Terminal.complain("concierge: \(error)")
            names = []
            checksFunctions = false
        }
    }
}

/// The texts of `sql/`, so that a change can be held against what was there before.
private func sources(_ root: String) throws -> [String: String] {
    Dictionary(
        uniqueKeysWithValues: try filesBelow(root + "/sql", suffix: ".sql").map {
            ("sql/" + $0, String(decoding: try readFile(root + "/sql/" + $0), as: UTF8.self))
        })
}

/// Which tests run for which changed file, one line each file.
private func reasons(_ chosen: [TestChoice.Chosen]) -> [String] {
    guard !chosen.isEmpty else { return ["  touches no test"] }
    return Set(chosen.map(\.reason)).sorted().map { reason in
        let names = chosen.filter { $0.reason == reason }.map(\.name)
        let list = names.count > 4 ? "\(names.count) test files" : names.joined(separator: ", ")
        return "  \(reason): \(list)"
    }
}

/// The files that lie at or below one of the paths; paths are relative to here or to `Tests/sql`.
private func select(_ paths: [String], _ names: [String]) throws -> [String] {
    guard !paths.isEmpty else { return names }
    var chosen: [String] = []
    for path in paths {
        var wanted = path[...]
        if let marker = path.range(ofText: "Tests/sql") { wanted = path[marker...].drop { $0 == "/" } }
        while wanted.last == "/" { wanted.removeLast() }
        let found = names.filter { $0 == wanted || wanted.isEmpty || $0.hasPrefix(wanted + "/") }
        guard !found.isEmpty else { throw Failure("there is no test file at or below \(path)") }
        chosen += found.filter { !chosen.contains($0) }
    }
    return chosen
}

extension String {
    /// The place just behind the first occurrence of a text.
    fileprivate func range(ofText text: String) -> Index? {
        indices.first { self[$0...].hasPrefix(text) }.map { index($0, offsetBy: text.count) }
    }
}

/// A text file, unpacked when its name ends in `.gz`; nil when there is none.
func readText(_ path: String) throws -> String? {
    guard fileKind(path) == .file else { return nil }
    guard path.hasSuffix(".gz") else { return String(decoding: try readFile(path), as: UTF8.self) }
    let result = try runChild(["gzip", "-dc", "--", path], mergeErrors: false)
    guard result.status == 0 else { throw Failure("\(path) cannot be unpacked") }
    return result.text
}
