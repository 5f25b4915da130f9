@testable import Migrations

/// The settings at the top of a migration: within their limits, the same when they are written anew, and the
/// same in a file with carriage returns.
func check(_ input: Input) {
    let text = input.text
    let lines = editorLines(text)
    let header: Header
    do {
        header = try Header(text, file: "f")
    } catch {
        require(!error.problems.isEmpty, "a refusal has a problem")
        for problem in error.problems {
            require(lines.indices.contains((problem.line ?? 0) - 1), "there is a line \(problem)")
            require(lines[(problem.line ?? 0) - 1].holds("--"), "line \(problem.line ?? 0) is a comment")
            require(problem.hint != nil, "a problem says what would be right")
        }
        if let other = text.withCarriageReturns {
            let again = problems(other)
            require(again?.map(\.line) == error.problems.map(\.line), "carriage returns change no line")
        }
        return
    }
    require(0...1000 ~= header.retries, "retries")
    for timeout in [header.lockTimeout, header.statementTimeout].compactMap({ $0 }) {
        require(timeout.wholeMatch(of: /0|[0-9]{1,9}(us|ms|s|min|h|d)/) != nil, "\(timeout) is a time")
    }
    require((try? Header(render(header), file: "f")) == header, "it is read as it was written")
    require(
        (try? Header(text + "\nselect 1;\n-- retries: many\n", file: "f")) == header,
        "what comes after the first statement changes nothing")
    if let other = text.withCarriageReturns {
        require((try? Header(other, file: "f")) == header, "carriage returns change nothing")
    }
}

private func problems(_ text: String) -> [Problem]? {
    do {
        _ = try Header(text, file: "f")
        return nil
    } catch {
        return error.problems
    }
}

private func render(_ header: Header) -> String {
    var lines = ["-- A sentence: about it", "--retries:\(header.retries)"]
    lines.append("  -- transaction : \(header.isTransactional ? "one" : "none")")
    if let timeout = header.lockTimeout { lines.append("-- lock_timeout: \(timeout) ") }
    if let timeout = header.statementTimeout { lines.append("-- statement_timeout: \(timeout)") }
    return lines.joined(separator: "\n")
}
