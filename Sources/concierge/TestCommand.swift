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
            OptionRule("keep", nil, "keep the database of each failing file, as its first failure saw it"),
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
    let root = try projectRoot()
    let names = try select(invocation.operands, TestRunner.files(of: root))
    var options = TestRunner.Options(projectFolder: root)
    options.jobs = try invocation.count("jobs") ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let dataFolder = environment("CONCIERGE_TEST_DATA") ?? root + "/../shared/data"
    let hasData = fileKind(dataFolder) == .folder
    if hasData { options.dataFolder = dataFolder }
    // "./x" is a file of the project; anything else is data that may not be at hand.
    options.readData = { path in
        if path.hasPrefix("./") { return try readText(root + "/" + path) }
        return hasData ? try readText(dataFolder + "/" + path) : nil
    }
    options.keepsFailed = invocation.has("keep")
    options.measuresCoverage = invocation.has("coverage")
    let slowest = try invocation.count("slowest")
    let runner = TestRunner(try Project(root: root), try target(invocation), options)
    var reports: [TestReport] = []
    if format == .tap { Terminal.say("TAP version 13") }
    var count = 0
    let coverage = try runner.run(names, checkFunctions: invocation.operands.isEmpty) { report in
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
        if let path = invocation["coverage"], !path.isEmpty {
            try writeFile(
                path, mode: 0o644, coverage.page(of: root.split(separator: "/").last.map(String.init) ?? root)
            )
        }
    }
    let failed = reports.reduce(0) { $0 + $1.failed }
    let passed = reports.reduce(0) { $0 + $1.passed }
    let skipped = reports.reduce(0) { $0 + $1.skipped }
    switch format {
    case .pretty: Terminal.say("\(passed) passed, \(failed) failed, \(skipped) skipped")
    case .tap: Terminal.say("1..\(count)")
    case .junit: Terminal.say(junit(reports))
    }
    return failed == 0 ? 0 : 1
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
