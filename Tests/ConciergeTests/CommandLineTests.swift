import Testing

@testable import Migrations
@testable import concierge

@Suite struct CommandLineTests {
    @Test(
        "Wrong use is said in a sentence",
        arguments: [
            ([], "what shall be done?", []),
            (["fly"], "there is no command \"fly\"", []),
            (["dev"], "dev needs another word", ["dev"]),
            (["dev", "sideways"], "there is no command \"dev sideways\"", ["dev"]),
            (["migrate", "plan", "--nope"], "there is no option --nope", ["migrate", "plan"]),
            (["migrate", "plan", "-x"], "there is no option -x", ["migrate", "plan"]),
            (["migrate", "sideways"], "unexpected \"sideways\"", ["migrate"]),
            (["dev", "up", "now"], "unexpected \"now\"", ["dev", "up"]),
            (["test", "--jobs"], "--jobs needs a value: N", ["test"]),
            (["migrate", "status", "--json=yes"], "--json takes no value", ["migrate", "status"]),
        ] as [([String], String, [String])])
    func wrongUse(_ arguments: [String], _ message: String, _ command: [String]) {
        #expect(throws: UsageError(message: message, command: command)) {
            try parse(arguments, CommandLineTool.commands)
        }
    }

    @Test("Words, options and operands are told apart")
    func parsing() throws {
        let (command, invocation) = try parse(
            ["test", "a", "--jobs", "3", "--format=tap", "--database", "host=/x", "--", "--b"],
            CommandLineTool.commands)
        #expect(command.name == "test")
        #expect(invocation.operands == ["a", "--b"])
        #expect(try invocation.count("jobs") == 3)
        #expect(invocation["format"] == "tap")
        #expect(invocation["database"] == "host=/x")
    }

    @Test("A number that is none is wrong use")
    func badNumber() throws {
        let (_, invocation) = try parse(["test", "--jobs", "0"], CommandLineTool.commands)
        #expect(throws: UsageError(message: "--jobs takes a number above zero, not \"0\"", command: ["test"]))
        {
            try invocation.count("jobs")
        }
    }

    @Test("The longest command wins")
    func longestCommandWins() throws {
        #expect(try parse(["migrate"], CommandLineTool.commands).0.name == "migrate")
        #expect(try parse(["migrate", "plan"], CommandLineTool.commands).0.name == "migrate plan")
    }

    @Test("Each command's help is its usage, its sentence and its options")
    func commandHelp() {
        #expect(
            CommandLineTool.helpText(["migrate", "status", "--help"]) == """
                concierge migrate status

                Lists what is applied, pending and changed; changes nothing.

                  --json          print one JSON document instead of lines
                  --database URI  as libpq understands it; else PGHOST, PGSERVICE, …; else the dev cluster
                  --env NAME      a service of libpq's pg_service.conf: dev, test, prod, …
                  --help          show this help
                """)
        #expect(CommandLineTool.helpText(["help", "test"])?.hasPrefix("concierge test [PATH ...]\n") == true)
        #expect(CommandLineTool.helpText(["help", "dev"])?.contains("concierge dev psql") == true)
        #expect(CommandLineTool.helpText(["test", "--", "--help"]) == nil)
    }

    @Test("The overview names every command, within the width of a page")
    func overviewText() {
        let text = overview(CommandLineTool.commands)
        for command in CommandLineTool.commands { #expect(text.contains("  \(command.name)")) }
        let all = text + CommandLineTool.commands.map(help).joined()
        #expect(all.split(separator: "\n").filter { $0.count > 110 } == [])
        for command in CommandLineTool.commands { #expect(command.summary.hasSuffix(".")) }
    }

    @Test("Versions are compared by number")
    func versions() {
        #expect(isVersion("0.8.1", before: "0.8.2"))
        #expect(isVersion("0.8", before: "0.8.2"))
        #expect(!isVersion("0.8.2", before: "0.8.2"))
        #expect(!isVersion("0.10.0", before: "0.8.2"))
    }

    @Test("Durations are brief")
    func durations() {
        #expect(Duration.milliseconds(8).brief == "8 ms")
        #expect(Duration.milliseconds(1340).brief == "1.3 s")
        #expect(Duration.seconds(125).brief == "2 min 5 s")
    }

    @Test("A plan's locks stand in a column, those of a long statement below it")
    func planLines() throws {
        let item = RelationEffect(
            subject: .relation(ObjectName(nil, "item")), lock: .accessExclusive, work: .rewrites,
            size: RelationSize(rows: 12, bytes: 3_140_000))
        var crate = item
        crate.subject = .relation(ObjectName("a", "crate"))
        crate.isFresh = true
        let long = "alter table item " + String(repeating: "x", count: 60)
        let steps = [
            PlanReport.Step(line: 1, headline: "select 1", effects: []),
            PlanReport.Step(line: 2, headline: "alter table item", effects: [crate, item]),
            PlanReport.Step(line: 30, headline: long, effects: [item]),
        ]
        #expect(
            lines(PlanReport.File(path: "a", steps: steps)) == [
                "  1: select 1",
                "  2: alter table item  ACCESS EXCLUSIVE on item, rewrites it (12 rows, 3.1 MB)",
                "  30: " + long,
                "                       ACCESS EXCLUSIVE on item, rewrites it (12 rows, 3.1 MB)",
            ])
    }

    @Test("Text is quoted for JSON")
    func jsonText() {
        #expect(jsonString("a\"b\\c\n\u{1}ä") == #""a\"b\\c\n\u0001ä""#)
    }
}
