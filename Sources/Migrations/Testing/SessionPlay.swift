import Glibc
import Postgres

/// Plays a file of several sessions in one database: sends one statement, lets every session come to rest,
/// compares, goes on.
///
/// A session is at rest when it has answered, or waits for a lock that only a session at rest can give up.
/// So what happens is settled by the file alone, not by time: nothing sleeps, and nothing is repeated.
final class SessionPlay {
    private final class Voice {
        let name: String
        let connection: Connection
        var isBusy = false
        /// What the last statement has come to; nil while it runs.
        var answer: Answer?
        /// Whether an error in `answer` was expected, or has been told.
        var isJudged = true
        /// Whose locks it waits for, at rest.
        var blockers: [String] = []
        var heard: [Notification] = []
        var line = 1

        init(_ name: String, _ connection: Connection) {
            self.name = name
            self.connection = connection
        }
    }

    private enum Answer {
        case rows([[String?]])
        case command
        case failed(PostgresError)
    }

    /// How often a statement that takes its time is asked about.
    static let tick = Duration.milliseconds(2)

    private let beats: [SessionScript.Beat]
    private let options: TestRunner.Options
    private let voices: [Voice]
    private let observer: Connection
    private(set) var collector = TAPCollector()
    private var index = 0
    private var isSettling = false
    private var began = ContinuousClock.now
    private var lastAsked = ContinuousClock.now
    /// Values that were given a name.
    private var named: [String: String] = [:]
    private var hasFailed = false

    init(
        _ script: SessionScript, _ target: Target, _ options: TestRunner.Options,
        _ prepare: (Connection) throws -> Void
    ) throws {
        beats = script.beats
        self.options = options
        observer = try target.connect(as: "concierge test, looking on")
        voices = try script.sessions.map { name in
            let connection = try target.connect(as: "concierge test, session \(name)")
            try prepare(connection)
            // Of a deadlock, the session that looks first is ended: a file says which by setting it lower.
            try connection.execute(script: "set deadlock_timeout = '10s'; select * from no_plan()")
            return Voice(name, connection)
        }
    }

    /// The sockets of the sessions that have not answered.
    var sockets: [Int32] { voices.filter(\.isBusy).compactMap(\.connection.socket) }

    /// Every session, for whoever wants a last word with it.
    var connections: [Connection] { voices.map(\.connection) }

    /// Goes as far as it can; true at the end of the file, or at its first error.
    func advance() throws -> Bool {
        try listen()
        while !hasFailed {
            if isSettling {
                guard try isAtRest() else { return false }
                isSettling = false
                try judge(beats[index])
                index += 1
            } else {
                guard index < beats.count else {
                    end()
                    return true
                }
                try speak(beats[index])
                try listen()
            }
        }
        return true
    }

    /// Stops what is under way, because it takes too long.
    func interrupt(_ message: String) {
        fail(line: index < beats.count ? beats[index].line : 1, message)
        for voice in voices where voice.isBusy { try? voice.connection.cancel() }
    }

    func close() {
        for voice in voices { voice.connection.close() }
        observer.close()
    }

    // MARK: One beat

    private func speak(_ beat: SessionScript.Beat) throws {
        isSettling = true
        began = .now
        lastAsked = .now
        guard let statement = beat.statement, let voice = voice(beat.session) else { return }
        guard !voice.isBusy else {
            return fail(
                line: beat.line, "\(voice.name) still waits in its statement of line \(voice.line)")
        }
        tellUnexpected(voice)
        guard !hasFailed else { return }
        voice.answer = nil
        voice.isBusy = true
        voice.isJudged = false
        voice.line = statement.line
        try voice.connection.send(script: statement.text)
    }

    /// Reads what has come for every session.
    private func listen() throws {
        for voice in voices {
            try voice.connection.consumeInput()
            while voice.isBusy, !voice.connection.isBusy {
                do {
                    guard let rows = try voice.connection.nextResult() else {
                        voice.isBusy = false
                        voice.blockers = []
                        if voice.answer == nil { voice.answer = .command }
                        break
                    }
                    if rows.hasColumns {
                        let values = rows.map { row in rows.columns.indices.map { row[$0] } }
                        voice.answer = .rows(values)
                        if rows.columns.count == 1 {
                            for case let value? in values.map(\.[0]) {
                                collector.take(value, line: voice.line)
                            }
                        }
                    }
                } catch let error as PostgresError {
                    voice.answer = .failed(error)
                    guard voice.connection.isOpen else {
                        voice.isBusy = false
                        break
                    }
                }
            }
            voice.heard += voice.connection.notifications()
        }
    }

    /// Whether every session has answered or waits for one that has.
    private func isAtRest() throws -> Bool {
        let busy = voices.filter(\.isBusy)
        guard !busy.isEmpty else { return true }
        guard lastAsked.duration(to: .now) >= SessionPlay.tick else { return false }
        lastAsked = .now

        let names = Dictionary(uniqueKeysWithValues: voices.map { ($0.connection.backendPID, $0.name) })
        var waitsFor: [String: [String]] = [:]
        let rows = try observer.query(
            """
            select w.pid, b.pid as blocker
            from pg_catalog.unnest($1::int[]) as w (pid),
                pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)
                    || pg_catalog.pg_safe_snapshot_blocking_pids(w.pid)) as b (pid)
            """, [Parameter(busy.map { "\($0.connection.backendPID)" })])
        for row in rows {
            if let waiting = names[try row.value("pid")], let blocker = names[try row.value("blocker")] {
                waitsFor[waiting, default: []].append(blocker)
            }
        }
        // Those that wait, be it through others, for a session that has answered. Of those that wait for
        // each other alone the server will soon choose one to fail.
        var resting = Set(voices.filter { !$0.isBusy }.map(\.name))
        var isGrowing = true
        while isGrowing {
            let more = busy.filter { voice in
                !resting.contains(voice.name)
                    && waitsFor[voice.name]?.contains { resting.contains($0) } == true
            }
            resting.formUnion(more.map(\.name))
            isGrowing = !more.isEmpty
        }
        for voice in busy { voice.blockers = waitsFor[voice.name] ?? [] }
        return busy.allSatisfy { resting.contains($0.name) }
    }

    // MARK: Comparing

    private func judge(_ beat: SessionScript.Beat) throws {
        guard let voice = voice(beat.session) else { return }
        let duration = began.duration(to: .now)
        if beat.expectations.isEmpty {
            if voice.isBusy {
                fail(
                    line: beat.line,
                    """
                    \(voice.name) waits for \(voice.blockers.joined(separator: ", "))
                    HINT: Where that is right, write --> waits below it.
                    """)
            }
            return tellUnexpected(voice)
        }
        for (line, expectation) in beat.expectations {
            let diagnostics = try compare(expectation, voice)
            let isOne = beat.expectations.count == 1
            collector.add(
                Assertion(
                    verdict: diagnostics.isEmpty ? .passed : .failed,
                    sentence: isOne ? beat.sentence : "\(beat.sentence): \(expectation.inWords)",
                    diagnostics: diagnostics, line: line,
                    duration: duration / beat.expectations.count))
        }
        // A wrong answer was told of above; an error besides ends the file, as in any other.
        if case .failed = voice.answer, !voice.isJudged { tellUnexpected(voice) }
    }

    /// What differs, in lines; empty when nothing does.
    private func compare(_ expectation: SessionScript.Expectation, _ voice: Voice) throws -> [String] {
        switch expectation {
        case .waits(let name):
            guard voice.isBusy else { return differ(describe(voice), expectation.inWords) }
            guard let name, !voice.blockers.contains(name) else { return [] }
            return differ(describe(voice), expectation.inWords)
        case .rows(let wanted):
            guard !voice.isBusy, case .rows(let found) = voice.answer else {
                return differ(describe(voice), show(wanted))
            }
            voice.isJudged = true
            return matches(found, wanted) ? [] : differ(show(found), show(wanted))
        case .file(let path):
            guard !voice.isBusy, case .rows(let rows) = voice.answer else {
                return differ(describe(voice), expectation.inWords)
            }
            voice.isJudged = true
            return try compare(rows.map { $0.map(SessionPlay.show).joined(separator: " | ") }, path)
        case .done:
            guard !voice.isBusy, let answer = voice.answer else { return differ(describe(voice), "done") }
            if case .failed = answer { return differ(describe(voice), "done") }
            voice.isJudged = true
            return []
        case .fails(let code):
            guard !voice.isBusy, case .failed(let error) = voice.answer, error.sqlState.rawValue == code
            else { return differ(describe(voice), "error \(code)") }
            voice.isJudged = true
            return []
        case .notified(let channel, let payload):
            try hear(voice)
            guard !voice.heard.isEmpty else { return differ("no notification", expectation.inWords) }
            let first = voice.heard.removeFirst()
            return first.channel == channel && (payload == nil || first.payload == payload)
                ? [] : differ("notified \(first.channel) \(first.payload)", expectation.inWords)
        case .nothingNotified:
            try hear(voice)
            defer { voice.heard = [] }
            return voice.heard.isEmpty
                ? []
                : differ(
                    voice.heard.map { "notified \($0.channel) \($0.payload)" }.joined(separator: "\n"),
                    expectation.inWords)
        }
    }

    /// What a file of the project has that was not answered (-) and the other way round (+); none after it was
    /// written anew.
    private func compare(_ found: [String], _ path: String) throws -> [String] {
        let file = options.projectFolder + "/" + path
        if options.renewsFiles {
            try replaceFile(file, found.map { $0 + "\n" }.joined())
            return []
        }
        let renew = "HINT: concierge test --renew writes \(path) as it is now."
        guard fileKind(file) == .file else { return ["there is no file \(path)", renew] }
        let text = String(decoding: try readFile(file), as: UTF8.self)
        let changes = found.difference(from: text.split(whereSeparator: \.isNewline).map(String.init))
        return changes.isEmpty
            ? []
            : changes.map { change in
                switch change {
                case .remove(_, let line, _): "- " + line
                case .insert(_, let line, _): "+ " + line
                }
            } + [renew]
    }

    /// A round trip: a server process hands over what was notified before it before it answers.
    private func hear(_ voice: Voice) throws {
        guard !voice.isBusy, voice.connection.transactionStatus == .idle else { return }
        try voice.connection.execute(script: "")
        voice.heard += voice.connection.notifications()
    }

    private func matches(_ found: [[String?]], _ wanted: [[String]]) -> Bool {
        found.count == wanted.count
            && zip(found, wanted).allSatisfy { row, pattern in
                row.count == pattern.count && zip(row, pattern).allSatisfy { matches($0, $1) }
            }
    }

    private func matches(_ value: String?, _ pattern: String) -> Bool {
        if pattern == "*" { return true }
        if pattern.hasPrefix("$"), pattern.dropFirst().allSatisfy({ $0.isLetter || $0 == "_" }) {
            guard let value else { return false }
            if let known = named[pattern] { return known == value }
            named[pattern] = value
            return true
        }
        return pattern == SessionPlay.show(value)
    }

    private func show(_ rows: [[String]]) -> String {
        rows.isEmpty
            ? "no rows"
            : rows.map { row in
                row.map { cell in named[cell].map { "\(cell) (\($0))" } ?? cell }.joined(separator: " | ")
            }.joined(separator: "\n")
    }

    private func show(_ rows: [[String?]]) -> String {
        rows.isEmpty
            ? "no rows"
            : rows.map { $0.map(SessionPlay.show).joined(separator: " | ") }.joined(separator: "\n")
    }

    private static func show(_ value: String?) -> String {
        guard let value else { return "null" }
        return value.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private func describe(_ voice: Voice) -> String {
        if voice.isBusy { return "waits for " + voice.blockers.joined(separator: ", ") }
        return switch voice.answer {
        case .failed(let error): "\(error)"
        case .rows(let rows): show(rows)
        case .command, nil: "done"
        }
    }

    private func differ(_ have: String, _ want: String) -> [String] {
        [("have", have), ("want", want)].flatMap { label, text in
            text.split(separator: "\n").enumerated().map { $0 == 0 ? "\(label): \($1)" : "      \($1)" }
        }
    }

    // MARK: Ending

    /// An error nobody expected ends the file.
    private func tellUnexpected(_ voice: Voice) {
        guard !voice.isBusy, !voice.isJudged, case .failed(let error) = voice.answer else { return }
        voice.isJudged = true
        fail(line: voice.line, "\(voice.name): \(error)")
    }

    private func end() {
        for voice in voices {
            if voice.isBusy {
                fail(
                    line: voice.line,
                    "\(voice.name) still waits for \(voice.blockers.joined(separator: ", ")) at the end")
            }
            tellUnexpected(voice)
        }
        if collector.assertions.isEmpty, !hasFailed {
            fail(line: beats.first?.line ?? 1, "the file asserts nothing")
        }
    }

    private func fail(line: Int, _ message: String) {
        guard !hasFailed else { return }
        hasFailed = true
        collector.add(TestProblem(line: line, message: message))
    }

    private func voice(_ name: String) -> Voice? { voices.first { $0.name == name } }
}

/// Writes a file, over what was there (open(2), write(2)).
private func replaceFile(_ path: String, _ text: String) throws(FileError) {
    unlink(path)
    try writeNewFile(path, text)
}
