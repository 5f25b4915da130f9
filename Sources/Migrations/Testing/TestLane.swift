import Postgres

/// Runs test files one after another, each in a database of its own, and never waits: its owner polls the
/// sockets of many lanes and calls `advance` on the one that is ready.
final class TestLane {
    enum Phase {
        case idle
        case creating
        case connecting(Connection.ConnectProgress)
        case running(statement: Int)
        case playing(SessionPlay)
        case finished
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
    var lastFile: TestFile? { file }
    private(set) var database = ""
    private var session: Connection?
    private var collector = TAPCollector()
    private var began = ContinuousClock.now
    private var statementBegan = ContinuousClock.now
    private var assertionsBefore = 0
    private var coverage = Coverage()
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

    /// None when the connection is lost, of which the lane learns when it goes on.
    var waits: [Wait] {
        switch phase {
        case .idle, .finished:
            []
        case .creating:
            admin.socket.map { [Wait(socket: $0, toWrite: false)] } ?? []
        case .connecting(let progress):
            session?.socket.map { socket in
                if case .waitingToRead = progress {
                    [Wait(socket: socket, toWrite: false)]
                } else {
                    [Wait(socket: socket, toWrite: true)]
                }
            } ?? []
        case .running:
            session?.socket.map { [Wait(socket: $0, toWrite: false)] } ?? []
        case .playing(let play):
            play.sockets.map { Wait(socket: $0, toWrite: false) }
        }
    }

    /// How long to wait at most before it goes on, even if no socket is ready.
    var patience: Duration? { if case .playing = phase { SessionPlay.tick } else { nil } }

    /// Takes the steps that are possible now; returns the report when the file is done. Its database is then
    /// the caller's to drop.
    func advance() throws -> TestReport? {
        switch phase {
        case .idle:
            return nil
        case .creating:
            guard try isDone(admin) else { return nil }
            if let script = file?.script {
                play(script)
                break
            }
            session = try Connection.start(
                target.conninfo, database: database, applicationName: "concierge test")
            phase = .connecting(.waitingToWrite)
        case .connecting:
            guard let session else { return nil }
            let progress = try session.continueConnecting()
            phase = .connecting(progress)
            if case .connected = progress { prepare(session) }
        case .running(let statement):
            read(statement)
        case .playing(let play):
            goOn(play)
        case .finished:
            break
        }
        return finish()
    }

    /// Stops a file that takes too long; the statement under way then fails.
    func interrupt() {
        isLate = true
        if case .playing(let play) = phase { play.interrupt("stopped after \(options.timeout)") }
        try? session?.cancel()
    }

    // MARK: One file

    private func prepare(_ session: Connection) {
        do {
            try options.prepare(session, for: file)
        } catch {
            fail(line: file?.data.first?.line ?? 1, "\(error)")
        }
        start(0)
    }

    /// Opens the sessions of a file that has several, and begins.
    private func play(_ script: SessionScript) {
        do {
            let play = try SessionPlay(script, target.inDatabase(database), options) {
                try options.prepare($0, for: file)
            }
            phase = .playing(play)
            goOn(play)
        } catch {
            fail(line: 1, "\(error)")
            end()
        }
    }

    private func goOn(_ play: SessionPlay) {
        do {
            guard try play.advance() else { return }
        } catch {
            fail(line: 1, "\(error)")
        }
        let problems = collector.problems
        collector = play.collector
        for problem in problems { collector.add(problem) }
        measure(play.connections)
        play.close()
        end()
    }

    /// Sends a statement, or ends the file after the last one or the first error.
    private func start(_ index: Int) {
        guard let file, let session, !hasFailed, index < file.source.statements.count else { return end() }
        phase = .running(statement: index)
        statementBegan = .now
        assertionsBefore = collector.assertions.count
        do {
            try session.send(script: file.source.statements[index].text)
        } catch {
            fail(line: file.source.statements[index].line, "\(error)")
            end()
        }
    }

    private func read(_ index: Int) {
        guard let file, let session else { return }
        let statement = file.source.statements[index]
        do {
            _ = try session.flush()
            try session.consumeInput()
        } catch {
            fail(statement, error)
            return end()
        }
        while !session.isBusy {
            do {
                guard let rows = try session.nextResult() else {
                    collector.share(statementBegan.duration(to: .now), from: assertionsBefore)
                    return start(index + 1)
                }
                guard rows.hasColumns, rows.columns.count == 1 else { continue }
                for row in rows {
                    if let value = row[0] { collector.take(value, line: statement.line) }
                }
            } catch {
                fail(statement, error)
            }
        }
    }

    private func fail(_ statement: Statement, _ error: any Error) {
        // A lost connection complains several times; the first time says why.
        guard !hasFailed else { return }
        let late = isLate ? "stopped after \(options.timeout)\n" : ""
        let line = statement.line(at: (error as? PostgresError)?.position)
        fail(line: line, "\(late)\(error)\nSTATEMENT: \(statement.headline)")
    }

    private func fail(line: Int, _ message: String) {
        hasFailed = true
        collector.add(TestProblem(line: line, message: message))
    }

    /// What the file under way has run.
    func takeCoverage() -> Coverage {
        defer { coverage = Coverage() }
        return coverage
    }

    /// Looks what the sessions of a file have run, if that is wanted.
    private func measure(_ sessions: [Connection]) {
        guard options.measuresCoverage, let file else { return }
        do {
            try coverage.add(file.name, sessions)
        } catch {
            fail(line: 1, "what ran cannot be measured: \(error)")
        }
    }

    private func end() {
        if let session { measure([session]) }
        session?.close()
        session = nil
        phase = .finished
    }

    /// The report, once the file has come to its end.
    private func finish() -> TestReport? {
        guard case .finished = phase, let file else { return nil }
        phase = .idle
        if file.script == nil { collector.finish(lastLine: file.source.statements.last?.line ?? 1) }
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
