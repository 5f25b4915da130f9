/// One line `ok` or `not ok` of a test, with what belongs to it.
public struct Assertion: Hashable, Sendable {
    public enum Verdict: Hashable, Sendable {
        case passed
        case failed
        case skipped(reason: String)
        /// Failed, and declared as not done yet.
        case todo(reason: String)
    }
    public let verdict: Verdict
    /// The test's sentence.
    public let sentence: String
    /// Have, want and the rest, one a line.
    public internal(set) var diagnostics: [String] = []
    /// The line of the statement that made it.
    public let line: Int
    /// How long its statement took; where that made several assertions, its share.
    public internal(set) var duration: Duration?
}

/// A failure that is no assertion: an SQL error, a broken plan.
public struct TestProblem: Hashable, Sendable {
    public let line: Int
    /// May have many lines.
    public let message: String
}

/// Collects the TAP lines of one file as pgTAP prints them, and says in the end what is wrong with them.
struct TAPCollector {
    private(set) var assertions: [Assertion] = []
    private(set) var problems: [TestProblem] = []
    private(set) var skippedAll: String?
    private var plan: (count: Int, line: Int)?

    /// Takes one value of a single text column; it may hold many lines. Everything that is not TAP is passed
    /// over.
    mutating func take(_ value: String, line: Int) {
        for text in value.split(separator: "\n") { takeLine(text, line) }
    }

    private mutating func takeLine(_ text: Substring, _ line: Int) {
        if let rest = text.dropping("not ok ") {
            addAssertion(rest, ok: false, line)
        } else if let rest = text.dropping("ok ") {
            addAssertion(rest, ok: true, line)
        } else if let rest = text.dropping("1..") {
            let digits = rest.prefix { $0.isNumber }
            guard let count = Int(digits) else { return }
            plan = (count, line)
            if count == 0, let found = findDirective(rest), found.kind == "skip" { skippedAll = found.reason }
        } else if let rest = text.dropping("Bail out!") {
            problems.append(TestProblem(line: line, message: "bailed out:\(rest)"))
        } else if text.hasPrefix("#"), let last = assertions.indices.last, assertions[last].verdict == .failed
        {
            let diagnostic = text.drop { $0 == "#" || $0 == " " }
            if !diagnostic.isEmpty, !diagnostic.hasPrefix("Looks like you") {
                assertions[last].diagnostics.append(String(text.dropFirst()))
            }
        }
    }

    private mutating func addAssertion(_ text: Substring, ok: Bool, _ line: Int) {
        let digits = text.prefix { $0.isNumber }
        guard !digits.isEmpty else { return }
        let rest = text.dropFirst(digits.count)
        let directive = findDirective(rest)
        let verdict: Assertion.Verdict =
            switch directive?.kind {
            case "skip": .skipped(reason: directive?.reason ?? "")
            case "todo": ok ? .passed : .todo(reason: directive?.reason ?? "")
            default: ok ? .passed : .failed
            }
        let sentence = (directive?.before ?? rest).drop { $0 == " " || $0 == "-" }
        assertions.append(
            Assertion(
                verdict: verdict, sentence: sentence.replacing("\\#", "#"), line: line))
    }

    mutating func add(_ assertion: Assertion) { assertions.append(assertion) }

    /// Gives the assertions from an index on their shares of the time their statement took.
    mutating func share(_ duration: Duration, from index: Int) {
        for each in assertions.indices.dropFirst(index) {
            assertions[each].duration = duration / (assertions.count - index)
        }
    }

    /// Adds what only the end shows. `lastLine` is the last statement's.
    mutating func finish(lastLine: Int) {
        guard problems.isEmpty, skippedAll == nil else { return }
        guard let plan else {
            problems.append(
                TestProblem(line: lastLine, message: "no plan: neither plan(n) nor finish() printed one"))
            return
        }
        if assertions.isEmpty {
            problems.append(TestProblem(line: plan.line, message: "the file asserts nothing"))
        } else if plan.count != assertions.count {
            problems.append(
                TestProblem(
                    line: plan.line, message: "\(plan.count) assertions were planned, \(assertions.count) ran"
                ))
        }
    }

    mutating func add(_ problem: TestProblem) { problems.append(problem) }
}

/// `text # SKIP reason`: the directive in lower case, its reason, and the text before it.
private func findDirective(_ text: Substring) -> (kind: String, reason: String, before: Substring)? {
    var from = text.startIndex
    while let mark = text[from...].firstIndex(of: "#") {
        let isEscaped = mark > text.startIndex && text[text.index(before: mark)] == "\\"
        let words = text[text.index(after: mark)...].drop { $0 == " " }
        let word = words.prefix { $0.isLetter }.lowercased()
        if !isEscaped, word == "skip" || word == "todo" {
            let reason = words.dropFirst(4).drop { !$0.isLetter && !$0.isNumber }
            var before = text[..<mark]
            while before.last == " " { before.removeLast() }
            return (word, String(reason), before)
        }
        from = text.index(after: mark)
    }
    return nil
}

extension Substring {
    /// What follows a prefix; nil when the text does not begin so.
    fileprivate func dropping(_ prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}

extension StringProtocol {
    /// Each occurrence of a text replaced.
    fileprivate func replacing(_ old: String, _ new: String) -> String {
        var result = ""
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(old) {
                result += new
                rest = rest.dropFirst(old.count)
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result
    }
}
