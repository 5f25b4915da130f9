import Testing

@testable import Migrations

@Suite struct TAPTests {
    private func collect(_ values: [String]) -> TAPCollector {
        var collector = TAPCollector()
        for (index, value) in values.enumerated() { collector.take(value, line: index + 1) }
        collector.finish(lastLine: values.count)
        return collector
    }

    @Test("Sentences, verdicts and diagnostics are kept")
    func verdicts() {
        let tap = collect([
            "1..4", "ok 1 - is one \\# really",
            "not ok 2 - is two\n# Failed test 2: \"is two\"\n#         have: 1",
            "ok 3 # SKIP no data here", "not ok 4 - later # TODO not yet\n# Failed (TODO) test",
            "something else", "# Looks like you failed 1 test of 4",
        ])
        #expect(
            tap.assertions.map(\.verdict) == [
                .passed, .failed, .skipped(reason: "no data here"), .todo(reason: "not yet"),
            ])
        #expect(tap.assertions.map(\.sentence) == ["is one # really", "is two", "", "later"])
        #expect(tap.assertions[1].diagnostics == [" Failed test 2: \"is two\"", "         have: 1"])
        #expect(tap.assertions[1].line == 3)
        #expect(tap.problems.isEmpty)
    }

    @Test(
        "A file whose plan does not hold has a problem",
        arguments: [
            ([], "no plan: neither plan(n) nor finish() printed one"),
            (["ok 1"], "no plan: neither plan(n) nor finish() printed one"),
            (["1..0"], "the file asserts nothing"),
            (["1..2", "ok 1 - a"], "2 assertions were planned, 1 ran"),
            (["1..1", "ok 1 - a", "ok 2 - b"], "1 assertions were planned, 2 ran"),
            (["1..1", "Bail out! No server."], "bailed out: No server."),
        ])
    func brokenPlans(_ values: [String], _ expected: String) {
        #expect(collect(values).problems.map(\.message) == [expected])
    }

    @Test("A whole file may be skipped, with its reason")
    func skippedFile() {
        let tap = collect(["1..0 # SKIP no schedule at hand"])
        #expect(tap.skippedAll == "no schedule at hand")
        #expect(tap.problems.isEmpty)
    }

    @Test("Data directives are read from comments")
    func dataDirectives() {
        let text = "-- data: a/b.json.gz into doc\r\n--data: x into y\n-- data: x y\nselect 1;"
        #expect(DataDirective.all(in: text) == [DataDirective(path: "a/b.json.gz", table: "doc", line: 1)])
    }
}
