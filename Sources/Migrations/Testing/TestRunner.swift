import Glibc
import Postgres

/// Runs `Tests/sql` against a server. Prints nothing: it tells its caller about each file as it ends.
public struct TestRunner {
    public struct Options {
        /// How many files at once.
        public var jobs = 2
        /// How long one file may take.
        public var timeout = Duration.seconds(300)
        /// The setting `test.project`.
        public var projectFolder: String
        /// The setting `test.data`: where data beside the project lies, if anywhere.
        public var dataFolder: String?
        /// Reads a file of a data directive, unpacked; nil when it is not at hand.
        public var readData: (_ path: String) throws -> String? = { _ in nil }
        /// Whether files named by `--> as in FILE` are written anew rather than compared.
        public var renewsFiles = false
        /// Whether the database of a failing file is kept.
        public var keepsFailed = false
        /// Whether to count what runs; it costs a few per cent.
        public var measuresCoverage = false

        public init(projectFolder: String) { self.projectFolder = projectFolder }

        /// Readies a session of a test: settings and data. These few statements are waited for.
        func prepare(_ session: Connection, for file: TestFile?) throws {
            try session.execute(script: "set synchronous_commit = off")
            for (name, value) in [("test.data", dataFolder ?? ""), ("test.project", projectFolder)] {
                try session.query(
                    "select pg_catalog.set_config($1, $2, false)", [Parameter(name), Parameter(value)])
            }
            for directive in file?.data ?? [] {
                let table = try session.escapeIdentifier(directive.table)
                try session.execute(
                    script: "create temporary table \(table) (body text); grant select on \(table) to public")
                if let body = try readData(directive.path) {
                    try session.query("insert into \(table) values ($1)", [Parameter(body)])
                }
            }
            if measuresCoverage { try Coverage.begin(session) }
        }
    }

    public let project: Project
    public let target: Target
    public var options: Options

    public init(_ project: Project, _ target: Target, _ options: Options) {
        self.project = project
        self.target = target
        self.options = options
    }

    /// What the report on the functions themselves is called.
    public static let functionCheck = "plpgsql_check"

    /// The test files of a project, as paths relative to `Tests/sql`; the `_setup` folder holds none.
    public static func files(of root: String) throws -> [String] {
        try filesBelow(root + "/Tests/sql", suffix: ".sql").filter { !$0.hasPrefix("_setup/") }
    }

    /// Runs the files, then checks every PL/pgSQL function if asked to; each report is handed over as it is
    /// made.
    @discardableResult
    public func run(
        _ names: [String], checkFunctions: Bool, report: (TestReport) -> Void
    ) throws -> Coverage {
        var coverage = Coverage()
        let admin = try target.inDatabase("postgres").connect(as: "concierge test")
        let template = TestTemplate(project: project, target: target, admin: admin)
        let templateName = try template.prepare()

        var waiting: [TestFile] = []
        for name in names {
            do {
                waiting.append(try TestFile(root: project.root, name: name))
            } catch let refusal as Refusal {
                var collector = TAPCollector()
                for problem in refusal.problems {
                    collector.add(TestProblem(line: problem.line ?? 1, message: problem.message))
                }
                report(TestReport(name: name, path: "Tests/sql/" + name, duration: .zero, collector))
            }
        }
        let lanes = try (0..<min(options.jobs, max(waiting.count, 1))).map { _ in
            try TestLane(target, template: templateName, options)
        }
        let sweeper = TestSweeper(try target.inDatabase("postgres").connect(as: "concierge test"))
        let kept = KeptDatabase(target: target, template: templateName, options: options, admin: admin)
        if options.keepsFailed { try kept.dropEarlier() }
        waiting.reverse()
        var number = 0
        while true {
            for lane in lanes where lane.isIdle {
                guard let file = waiting.popLast() else { break }
                number += 1
                try lane.begin(file, database: template.throwAwayName(number))
            }
            let busy = lanes.filter { !$0.isIdle }
            if busy.isEmpty { break }
            for lane in try ready(busy, sweeper) {
                guard var done = try lane.advance() else { continue }
                coverage.add(lane.takeCoverage())
                sweeper.take(lane.database)
                if options.keepsFailed, let file = lane.lastFile, let line = done.firstFailure {
                    do {
                        done.kept = try kept.keep(file, failedAt: line)
                    } catch {
                        done.kept = "not kept: \(error)"
                    }
                }
                report(done)
            }
            try sweeper.advance()
        }
        try sweeper.finish()
        if checkFunctions || options.measuresCoverage {
            let name = template.throwAwayName(number + 1)
            try admin.execute(script: "create database \(name) template \(templateName)")
            defer { _ = try? admin.execute(script: "drop database \(name) with (force)") }
            if checkFunctions { report(try FunctionCheck.run(target.inDatabase(name))) }
            if options.measuresCoverage {
                try coverage.finish(target.inDatabase(name).connect(as: "concierge test"))
            }
        }
        return coverage
    }

    /// Waits until at least one lane can go on (poll(2)), and stops those that take too long.
    private func ready(_ lanes: [TestLane], _ sweeper: TestSweeper) throws -> [TestLane] {
        let waits = lanes.map(\.waits)
        var descriptors = waits.joined().map { wait in
            pollfd(fd: wait.socket, events: Int16(wait.toWrite ? POLLOUT : POLLIN), revents: 0)
        }
        descriptors.append(pollfd(fd: sweeper.socket ?? -1, events: Int16(POLLIN), revents: 0))
        let patience = lanes.compactMap { $0.waits.isEmpty ? .zero : $0.patience }.min() ?? .seconds(1)
        let count = poll(&descriptors, nfds_t(descriptors.count), Int32(patience / .milliseconds(1)))
        guard count >= 0 || errno == EINTR else { throw FileError(path: "poll", code: errno) }
        for lane in lanes {
            if let deadline = lane.deadline, deadline < .now { lane.interrupt() }
        }
        let readable = Set(descriptors.filter { $0.revents != 0 }.map(\.fd))
        return zip(lanes, waits).filter { lane, waits in
            lane.patience != nil || waits.isEmpty || waits.contains { readable.contains($0.socket) }
        }.map(\.0)
    }
}
