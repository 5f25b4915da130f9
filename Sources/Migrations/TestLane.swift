import Postgres

/// Runs test files one after another, each in a database of its own, and never waits: its owner polls the sockets of
/// many lanes and calls `advance` on the one that is ready.
final class TestLane {
    enum Phase {
        case idle
        case creating
        case connecting(Connection.ConnectProgress)
        case running(statement: Int)
        case dropping
    }

    /// What the lane waits for: a socket, and whether it is to be written or read.
    struct Wait { let socket: Int32, toWrite: Bool }

    let options: TestRunner.Options
    let target: Target
    let template: String
    private let admin: Connection
    private(set) var phase = Phase.idle

    // The file under way.
    private var file: TestFile?
    private var database = ""
    private var session: Connection?
    private var collector = TAPCollector()
    private var began = ContinuousClock.now
    private var hasFailed = false
    private var isLate = false

    init(_ target: Target, template: String, _ options: TestRunner.Options) throws {
        self.target = target
        self.template = template
        self.options = options
        admin = try target.inDatabase("postgres").connect(as: "concierge test")
    }

    var isIdle: Bool { if case .idle = phase { true } else { false } }

    /// When the file under way has taken too long.
    var deadline: ContinuousClock.Instant? { isIdle || isLate ? nil : began + options.timeout }

    /// Begins with a file in a new database of that name.
    func begin(_ file: TestFile, database: String) throws {
        self.file = file
        self.database = database
        collector = TAPCollector()
        began = .now
        hasFailed = false
        isLate = false
        try admin.send(script: "create database \(database) template \(template)")
        phase = .creating
    }

    var wait: Wait? {
        switch phase {
        case .idle:
            nil
        case .creating, .dropping:
            admin.socket.map { Wait(socket: $0, toWrite: false) }
        case .connecting(let progress):
            session?.socket.map { socket in
                if case .waitingToRead = progress { Wait(socket: socket, toWrite: false) }
                else { Wait(socket: socket, toWrite: true) }
            }
        case .running:
            session?.socket.map { Wait(socket: $0, toWrite: false) }
        }
    }

    /// Takes the steps that are possible now; returns the report when the file is done.
    func advance() throws -> TestReport? {
        switch phase {
        case .idle:
            return nil
        case .creating:
            guard try isDone(admin) else { return nil }
            session = try Connection.start(target.conninfo, database: database, applicationName: "concierge test")
            phase = .connecting(.waitingToWrite)
        case .connecting:
            guard let session else { return nil }
            let progress = try session.continueConnecting()
            phase = .connecting(progress)
            if case .connected = progress { prepare(session) }
        case .running(let statement):
            try read(statement)
        case .dropping:
            guard try isDone(admin) else { return nil }
            return finish()
        }
        return nil
    }

    /// Stops a file that takes too long; the statement under way then fails.
    func interrupt() {
        isLate = true
        try? session?.cancel()
    }

    // MARK: One file

    /// Settings and data; these few statements are waited for.
    private func prepare(_ session: Connection) {
        do {
            try session.execute(script: "set synchronous_commit = off")
            for (name, value) in [("test.data", options.dataFolder ?? ""), ("test.project", options.projectFolder)] {
                try session.query("select pg_catalog.set_config($1, $2, false)", [Parameter(name), Parameter(value)])
            }
            for directive in file?.data ?? [] {
                let table = try session.escapeIdentifier(directive.table)
                try session.execute(
                    script: "create temporary table \(table) (body text); grant select on \(table) to public")
                if let body = try options.readData(directive.path) {
                    try session.query("insert into \(table) values ($1)", [Parameter(body)])
                }
            }
        } catch {
            fail(line: file?.data.first?.line ?? 1, "\(error)")
        }
        start(0)
    }

    /// Sends a statement, or ends the file after the last one or the first error.
    private func start(_ index: Int) {
        guard let file, let session, !hasFailed, index < file.source.statements.count else { return drop() }
        phase = .running(statement: index)
        do {
            try session.send(script: file.source.statements[index].text)
        } catch {
            fail(line: file.source.statements[index].line, "\(error)")
            drop()
        }
    }

    private func read(_ index: Int) throws {
        guard let file, let session else { return }
        let statement = file.source.statements[index]
        do {
            _ = try session.flush()
            try session.consumeInput()
            while !session.isBusy {
                guard let rows = try session.nextResult() else { return start(index + 1) }
                guard rows.hasColumns, rows.columns.count == 1 else { continue }
                for row in rows {
                    if let value = row[0] { collector.take(value, line: statement.line) }
                }
            }
        } catch let error as PostgresError {
            let late = isLate ? "stopped after \(options.timeout)\n" : ""
            fail(line: statement.line(at: error.position), "\(late)\(error)\nSTATEMENT: \(statement.headline)")
            if !session.isOpen { drop() }
        }
    }

    private func fail(line: Int, _ message: String) {
        hasFailed = true
        collector.add(TestProblem(line: line, message: message))
    }

    private func drop() {
        session?.close()
        session = nil
        phase = .dropping
        do {
            try admin.send(script: "drop database \(database) with (force)")
        } catch {
            fail(line: 1, "\(error)")
        }
    }

    private func finish() -> TestReport? {
        phase = .idle
        guard let file else { return nil }
        collector.finish(lastLine: file.source.statements.last?.line ?? 1)
        return TestReport(
            name: file.name, path: file.source.path, duration: began.duration(to: .now), collector)
    }

    /// Reads what came; true when all that was sent is done.
    private func isDone(_ connection: Connection) throws -> Bool {
        try connection.consumeInput()
        while !connection.isBusy {
            if try connection.nextResult() == nil { return true }
        }
        return false
    }
}
