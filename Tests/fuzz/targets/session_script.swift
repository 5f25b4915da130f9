@testable import Migrations

/// A file of several sessions: each of its statements is played once and in order, by a session it names, and
/// the lines it speaks of exist.
func check(_ input: Input) {
    let text = input.text
    let lines = editorLines(text)
    guard let statements = try? Scanner.statements(in: text) else { return }
    let script: SessionScript
    do {
        guard let read = try SessionScript(text, statements, file: "f") else { return }
        script = read
    } catch {
        for problem in error.problems {
            let line = (problem.line ?? 0) - 1
            require(lines.indices.contains(line) && lines[line].holds("-->"), "\(problem) is about an answer")
        }
        return
    }
    require(script.beats.compactMap(\.statement) == statements, "every statement is played, once and in order")
    for beat in script.beats {
        require(lines.indices.contains(beat.line - 1), "there is a line \(beat.line)")
        require(beat.statement == nil || beat.statement?.line == beat.line, "a statement is where it is")
        require(!beat.session.isEmpty && !beat.session.contains(" "), "\(beat.session.debugDescription) is a session")
        require(beat.session == "main" || text.holds("session: ") && text.holds(beat.session), "it is in the text")
        require(!beat.sentence.isEmpty, "an assertion has a sentence")
        for (line, what) in beat.expectations {
            require(lines.indices.contains(line - 1) && lines[line - 1].holds("--"), "an answer is a comment")
            require(line >= beat.line, "an answer comes after what it answers")
            if case .fails(let code) = what { require(code.utf8.count == 5, "\(code) is a SQLSTATE") }
        }
    }
    if let other = text.withCarriageReturns, let again = try? Scanner.statements(in: other),
        let second = try? SessionScript(other, again, file: "f")
    {
        require(second.beats.map(\.line) == script.beats.map(\.line), "carriage returns change no line")
        require(
            second.beats.map { $0.expectations.map(\.what) } == script.beats.map { $0.expectations.map(\.what) },
            "carriage returns change no answer")
    }
}
