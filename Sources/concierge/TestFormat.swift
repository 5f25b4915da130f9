import Migrations

/// How test results are shown.
enum TestFormat: String { case pretty, tap, junit }

/// One line a file; below it what failed and what was skipped.
func pretty(_ report: TestReport) -> [String] {
    let count = report.assertions.count
    let verdict = report.failed > 0 ? "FAILED" : report.skippedAll != nil ? "skipped" : "ok"
    var lines = [Terminal.row(report.name, "\(count) in \(report.duration.brief), \(verdict)")]
    if let reason = report.skippedAll { lines.append("  skipped: \(reason)") }
    for assertion in report.assertions {
        switch assertion.verdict {
        case .passed:
            break
        case .failed:
            lines.append("  \(place(report, assertion.line))not ok: \(assertion.sentence)")
            lines += assertion.diagnostics.map { "      \($0)" }
        case .skipped(let reason):
            lines.append(
                "  skipped: \(reason)\(assertion.sentence.isEmpty ? "" : " (\(assertion.sentence))")")
        case .todo(let reason):
            lines.append("  to do: \(assertion.sentence): \(reason)")
        }
    }
    for problem in report.problems {
        let parts = problem.message.split(separator: "\n")
        lines.append("  \(place(report, problem.line))\(parts.first ?? "")")
        lines += parts.dropFirst().map { "      \($0)" }
    }
    if let kept = report.kept { lines.append("  kept: \(kept)") }
    return lines
}

/// The assertions that took longest, with their places.
func slowestLines(_ reports: [TestReport], _ count: Int) -> [String] {
    let all = reports.flatMap { report in
        report.assertions.compactMap { each in each.duration.map { (report, each, $0) } }
    }
    let longest = all.sorted { $0.2 > $1.2 }.prefix(count)
    return longest.isEmpty
        ? []
        : ["slowest:"]
            + longest.map { report, assertion, duration in
                "  \(duration.brief)  \(place(report, assertion.line))\(assertion.sentence)"
            }
}

/// What did not run in full, lowest first, then the sum.
func coverageLines(_ coverage: Coverage) -> [String] {
    let measured = coverage.measured
    let whole = measured.count { $0.ran == $0.all }
    let (ran, all) = (measured.reduce(0) { $0 + $1.ran }, measured.reduce(0) { $0 + $1.all })
    let isWhole = whole == measured.count && coverage.unknown.isEmpty
    var result = isWhole ? [] : ["coverage, lowest first; lines are those of the body:"]
    for function in measured where function.ran < function.all {
        let missed = function.steps.filter { $0.count == 0 }.map { "\($0.line)" }
        let lines = missed.count == 1 ? "not line " : "not lines "
        let place = function.ran == 0 ? "not called" : lines + missed.joined(separator: ", ")
        result.append(
            Terminal.row(
                "  " + function.name,
                "\(function.ran) of \(function.all), \(percent(function.ran, function.all)), \(place)"))
    }
    if !coverage.unknown.isEmpty {
        result.append("  not measured, as the planner may put them into the queries that call them:")
        result += coverage.unknown.map { "    " + $0.name }
    }
    result.append(
        Terminal.row(
            "\(whole) of \(measured.count) functions in full",
            "\(ran) of \(all) statements, \(percent(ran, all))"))
    return result
}

/// `file:line: `, or nothing when the report is of no file.
private func place(_ report: TestReport, _ line: Int) -> String {
    report.path.hasSuffix(".sql") ? "\(report.path):\(line): " : ""
}

/// The Test Anything Protocol, numbered through.
func tap(_ report: TestReport, counter: inout Int) -> [String] {
    var lines: [String] = []
    for assertion in report.assertions {
        counter += 1
        let name = "\(counter) - \(report.name)\(assertion.sentence.isEmpty ? "" : ": " + assertion.sentence)"
        switch assertion.verdict {
        case .passed: lines.append("ok \(name)")
        case .failed: lines.append("not ok \(name)")
        case .skipped(let reason): lines.append("ok \(name) # SKIP \(reason)")
        case .todo(let reason): lines.append("not ok \(name) # TODO \(reason)")
        }
        if let duration = assertion.duration {
            lines += ["  ---", "  duration_ms: \(duration.exactMilliseconds)", "  ..."]
        }
        if assertion.verdict == .failed {
            lines.append("# \(place(report, assertion.line))")
            lines += assertion.diagnostics.map { "# \($0)" }
        }
    }
    for problem in report.problems {
        counter += 1
        let parts = problem.message.split(separator: "\n")
        lines.append("not ok \(counter) - \(report.name):\(problem.line): \(parts.first ?? "")")
        lines += parts.dropFirst().map { "# \($0)" }
    }
    if let kept = report.kept { lines.append("# kept: \(kept)") }
    if let reason = report.skippedAll {
        counter += 1
        lines.append("ok \(counter) - \(report.name) # SKIP \(reason)")
    }
    return lines
}

/// JUnit's XML, as build servers read it.
func junit(_ reports: [TestReport]) -> String {
    var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<testsuites>"]
    for report in reports {
        let seconds = Double(report.duration.milliseconds) / 1000
        let tests = report.assertions.count + report.problems.count
        lines.append(
            "  <testsuite name=\(attribute(report.name)) tests=\"\(tests)\" failures=\"\(report.failed)\" "
                + "skipped=\"\(report.skipped)\" time=\"\(seconds)\">")
        for assertion in report.assertions {
            let time = assertion.duration.map { " time=\"\($0.exactSeconds)\"" } ?? ""
            let open =
                "    <testcase classname=\(attribute(report.name)) name=\(attribute(assertion.sentence))\(time)"
            switch assertion.verdict {
            case .passed:
                lines.append(open + "/>")
            case .failed:
                let text = ["\(report.path):\(assertion.line)"] + assertion.diagnostics
                let failure = "<failure message=\(attribute(assertion.sentence))>"
                lines.append(
                    open + ">" + failure + escaped(text.joined(separator: "\n")) + "</failure></testcase>")
            case .skipped(let reason), .todo(let reason):
                lines.append(open + "><skipped message=\(attribute(reason))/></testcase>")
            }
        }
        for problem in report.problems {
            let name = attribute("line \(problem.line)")
            lines.append(
                "    <testcase classname=\(attribute(report.name)) name=\(name)>"
                    + "<failure message=\(name)>\(escaped(problem.message))</failure></testcase>")
        }
        if let kept = report.kept { lines.append("    <system-out>\(escaped(kept))</system-out>") }
        lines.append("  </testsuite>")
    }
    return (lines + ["</testsuites>"]).joined(separator: "\n")
}

private func attribute(_ text: String) -> String { "\"\(escaped(text))\"" }

/// A text as XML writes it; control characters, which XML cannot hold, become spaces.
private func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": result += " "
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
