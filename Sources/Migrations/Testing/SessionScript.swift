/// A test file in which several sessions speak, one statement at a time, in the order they are written:
///
///     -- session: one
///     begin;
///     select job_id from queue.claim('one', '{deliver}');
///     --| 1
///
/// What a session answers is written below its statement. `--|` is a row, its values between bars: `null` is
/// SQL null, `*` any value, `$name` any value the first time and the same one after that. Other answers:
///
///     --> no rows           --> waits [for SESSION]            --> notified CHANNEL [PAYLOAD]
///     --> done              --> error SQLSTATE                 --> notified nothing
///     --> as in FILE        the rows are the lines of a file of the project
///
/// Answers right below a `-- session:` line are of the statement that session was left waiting in. The
/// comment above a statement is the sentence of its assertions.
struct SessionScript: Sendable {
    enum Expectation: Hashable, Sendable {
        case rows([[String]])
        case file(path: String)
        case waits(for: String?)
        case done
        case fails(sqlState: String)
        case notified(channel: String, payload: String?)
        case nothingNotified
    }

    /// A statement and what is expected of it; without one, of the statement the session is still in.
    struct Beat: Sendable {
        let session: String
        let line: Int
        let statement: Statement?
        /// The comment above it, or else its first line.
        let sentence: String
        var expectations: [(line: Int, what: Expectation)] = []
    }

    private(set) var beats: [Beat] = []
    /// In the order they first speak.
    var sessions: [String] {
        beats.reduce(into: []) { names, beat in
            if !names.contains(beat.session) { names.append(beat.session) }
        }
    }

    /// The session of what stands above the first `-- session:` line.
    static let firstSession = "main"

    /// Reads the lines between the statements; nil when no line of the file names a session.
    init?(_ text: String, _ statements: [Statement], file: String) throws(Refusal) {
        let lines = lines(of: text)
        var rest = statements[...]
        var session = SessionScript.firstSession
        var prose: [Substring] = []
        var hasSessions = false
        // Whether a `-- session:` line has come and no statement after it.
        var isResumed = false
        var problems: [Problem] = []

        var number = 1
        while number <= lines.count {
            if let statement = rest.first, statement.line == number {
                beats.append(
                    Beat(
                        session: session, line: number, statement: statement,
                        sentence: prose.isEmpty
                            ? "\(session): \(statement.headline)" : prose.joined(separator: " ")))
                prose = []
                isResumed = false
                number += statement.text.utf8.count { $0 == UInt8(ascii: "\n") }
                // Others on the same line are passed over below, one by one.
                rest.removeFirst()
                if rest.first?.line == number { continue }
                number += 1
                continue
            }
            let line = lines[number - 1].drop { $0 == " " || $0 == "\t" }
            switch Directive(line) {
            case .session(let name):
                hasSessions = true
                isResumed = true
                session = name
                prose = []
            case .prose(let words):
                if !words.isEmpty { prose.append(words) }
            case .row(let cells):
                resume(session, number, prose, &isResumed)
                addRow(cells, number)
            case .answer(let words):
                resume(session, number, prose, &isResumed)
                if let expectation = Expectation(words) {
                    add(expectation, number)
                } else {
                    problems.append(
                        Problem(
                            file: file, line: number, "\"\(words)\" is no answer of a session",
                            hint:
                                "There are: no rows, as in FILE, done, waits [for SESSION], error SQLSTATE, "
                                + "notified CHANNEL [PAYLOAD], notified nothing; rows begin with --|."))
                }
            case nil:
                if line.isEmpty { prose = [] }
            }
            number += 1
        }
        guard hasSessions else { return nil }
        guard problems.isEmpty else { throw Refusal(problems) }
    }

    /// Begins a beat for answers that follow a `-- session:` line, of the statement the session waits in.
    private mutating func resume(
        _ session: String, _ line: Int, _ prose: [Substring], _ isResumed: inout Bool
    ) {
        guard isResumed || beats.isEmpty else { return }
        let earlier = beats.last { $0.session == session }?.sentence
        let sentence = prose.isEmpty ? (earlier ?? session) : prose.joined(separator: " ")
        beats.append(Beat(session: session, line: line, statement: nil, sentence: sentence))
        isResumed = false
    }

    private mutating func addRow(_ cells: [String], _ line: Int) {
        let beat = beats.count - 1
        if case .rows(let rows) = beats[beat].expectations.last?.what, !rows.isEmpty {
            let first = beats[beat].expectations.removeLast().line
            beats[beat].expectations.append((first, .rows(rows + [cells])))
        } else {
            add(.rows([cells]), line)
        }
    }

    private mutating func add(_ expectation: Expectation, _ line: Int) {
        beats[beats.count - 1].expectations.append((line, expectation))
    }

    /// What a comment line says to the tester.
    private enum Directive {
        case session(String)
        case row([String])
        case answer(Substring)
        case prose(Substring)

        init?(_ line: Substring) {
            guard line.hasPrefix("--") else { return nil }
            if line.hasPrefix("--|") {
                let values = line.dropFirst(3).split(separator: "|", omittingEmptySubsequences: false)
                self = .row(values.map { $0.trimmingSpace })
            } else if line.hasPrefix("-->") {
                self = .answer(Substring(line.dropFirst(3).trimmingSpace))
            } else {
                let words = line.dropFirst(2).split(separator: " ")
                if words.count == 2, words[0] == "session:" {
                    self = .session(String(words[1]))
                } else if words.first == "data:" {
                    return nil
                } else {
                    self = .prose(Substring(line.dropFirst(2).trimmingSpace))
                }
            }
        }
    }
}

extension SessionScript.Expectation {
    /// Reads what follows `-->`; nil when it is none of them.
    fileprivate init?(_ text: Substring) {
        let words = text.split(separator: " ").map(String.init)
        switch (words.first, words.count) {
        case ("no", 2) where words[1] == "rows": self = .rows([])
        case ("as", 3) where words[1] == "in": self = .file(path: words[2])
        case ("done", 1): self = .done
        case ("waits", 1): self = .waits(for: nil)
        case ("waits", 3) where words[1] == "for": self = .waits(for: words[2])
        case ("error", 2) where words[1].utf8.count == 5: self = .fails(sqlState: words[1])
        case ("notified", 2) where words[1] == "nothing": self = .nothingNotified
        case ("notified", 2): self = .notified(channel: words[1], payload: nil)
        case ("notified", 3...):
            self = .notified(channel: words[1], payload: words[2...].joined(separator: " "))
        default: return nil
        }
    }

    /// What is expected, in words; follows the sentence when a beat has several.
    var inWords: String {
        switch self {
        case .rows(let rows): rows.isEmpty ? "no rows" : rows.count == 1 ? "one row" : "\(rows.count) rows"
        case .file(let path): "as in " + path
        case .waits(let name): "waits" + (name.map { " for " + $0 } ?? "")
        case .done: "done"
        case .fails(let code): "error " + code
        case .notified(let channel, let payload):
            (["notified", channel] + [payload].compactMap { $0 })
                .joined(separator: " ")
        case .nothingNotified: "notified nothing"
        }
    }
}

extension Substring {
    /// Without the white space at both ends.
    fileprivate var trimmingSpace: String {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
