import Migrations
import Postgres

/// `concierge demo`: a conference, a question, its cited answer, and an answer that changes at once.
let demoCommands = [
    Command(
        words: ["demo"],
        summary: "Loads a conference, starts the daemon, asks, moves a session and asks again."
    ) {
        invocation in
        try Demo(project: projectRoot(), target: target(invocation)).run()
        return 0
    }
]

/// The conference in `demo/`, as one of its attendees lives it.
private struct Demo {
    static let tenant = "demo"
    static let event = "hearth-beam-2027"
    static let workspace = "guide"
    static let attendee = PersonalSession(tenant: tenant, subject: "maria-alvarez")
    static let organizer = PersonalSession(tenant: tenant, subject: "organizer")
    /// Thursday of the conference, between two talks. An administrator's session may set its clock.
    static let moment = "2027-03-11 10:10:00-07"

    let target: Target
    let connection: Connection
    let schedule: String
    let exhibition: String
    /// What the fair gives its visitors to read.
    let documents: [(title: String, text: String)]

    init(project: String, target: Target) throws {
        guard let schedule = try readText(project + "/demo/conference.json"),
            let exhibition = try readText(project + "/demo/exhibition.json"),
            let guide = try readText(project + "/demo/docs/visitor-guide.md"),
            let rebates = try readText(project + "/demo/docs/rebates.md")
        else { throw Failure("there is no folder demo here", hint: "Run it in a checkout of the project.") }
        self.target = target
        self.schedule = schedule
        self.exhibition = exhibition
        documents = [("Visitor guide", guide), ("Rebates and permits", rebates)]
        connection = try target.connect(as: "concierge demo")
    }

    func run() throws {
        try step("a conference of two days") {
            try makePeople()
            let report = try load(schedule)
            try Demo.organizer.run(connection) {
                try connection.query(
                    "select event.import_exhibition(event.event_id($1), $2::jsonb)",
                    [Parameter(Demo.event), Parameter(exhibition)])
            }
            return "\(report["sessions"] ?? "0") sessions, \(report["speakers"] ?? "0") speakers"
        }
        try step("what visitors get to read") { try loadDocuments() }
        let daemon = try Child(daemonArguments())
        defer { daemon.stop() }
        try step("the daemon refreshes what is cached") { try waitForRefresh() }

        try ask("It is Thursday, 10:10. María Álvarez, who remodels houses, asks", "What is on now?")
        let before = try ask("She asks", "What should I see next?")
        try explain()
        try ask("She asks", "Which sponsors should I visit?")

        let found = try ask("She asks what no schedule says", "Where can I park my van?")
        found.footnotes.flatMap { $0.lines(emphasis: Style.plain) }.forEach { Terminal.say($0) }

        Terminal.say("\nWhat she wants kept is kept, and the rules stand in the database:\n")
        try step("a note, because it is information") { try captureNote() }
        try step("an action item on the evening before") { try createActionItem(at: "2027-03-10 20:00-07") }
        try step("the same action item during the event") { try createActionItem(at: Demo.moment) }
        try step("the same call once more") { try createActionItem(at: Demo.moment) }

        Terminal.say("")
        try step("the organizer moves the heat pump talk to 11:00") {
            "\(try load(moved())["changed"] ?? "0") session changed"
        }
        let after = try ask("The very next read knows. She asks again", "What should I see next?")
        guard before.text != after.text else { throw Failure("the answer did not change") }
        Terminal.say("")
        try step("the daemon refreshes what is cached") { try waitForRefresh() }

        Terminal.say("\nAsk something yourself:")
        Terminal.say(
            "  \(CommandLine.arguments[0]) ask \"Anything about hiring in the next hour?\" "
                + "--event \(Demo.event) --tenant \(Demo.tenant) "
                + "--as \(Demo.attendee.subject) --at 2027-03-11T10:10-07:00")
    }

    /// A question and its answer, as a person would read them, and the time it took.
    @discardableResult
    private func ask(_ scene: String, _ question: String) throws -> Answer {
        Terminal.say("\n\(scene): \(question)\n")
        let began = ContinuousClock.now
        let answer = try Conversation(
            connection, Demo.attendee, at: Demo.moment, event: Demo.event, workspace: Demo.workspace
        ).ask(question)
        let duration = began.duration(to: .now)
        Terminal.say(answer.text)
        Terminal.say(Terminal.row("answered", "\(answer.footnotes.count) citations, \(duration.brief)"))
        return answer
    }

    /// Why the first recommendation is the first.
    private func explain() throws {
        let rows = try Demo.attendee.run(connection, at: Demo.moment) {
            try connection.query(
                """
                select r.session_title, round(r.score::numeric, 2) as score,
                    string_agg(format('%s %s', w.key, w.value), ', '
                        order by w.value::numeric desc, w.key) as why
                from event.recommend_sessions(event.event_id($1), (contractor.own_ids())[1], 1) as r
                cross join lateral jsonb_each_text(r.why) as w
                group by r.session_title, r.score
                """, [Parameter(Demo.event)])
        }
        guard let row = rows.first else { throw Failure("there is nothing to explain") }
        Terminal.say("Why [S1]: \(row["score"] ?? "?") = \(row["why"] ?? "?")")
    }

    private func captureNote() throws -> String {
        try Demo.attendee.run(connection, at: Demo.moment) {
            try connection.query(
                """
                select contractor.capture_event_note((contractor.own_ids())[1], event.event_id($1),
                    'Borealine stands by its ratings down to minus 25', 'demo: note') ->> 'body'
                """, [Parameter(Demo.event)]
            ).scalar.map { _ in "kept" } ?? "lost"
        }
    }

    /// What came of it: the item's state, or the refusal's code and sentence.
    private func createActionItem(at clock: String) throws -> String {
        do {
            return try Demo.attendee.run(connection, at: clock) {
                let state = try connection.query(
                    """
                    select contractor.create_action_item((contractor.own_ids())[1], event.event_id($1),
                        'Ask Borealine for a quote', 'demo: quote') ->> 'status'
                    """, [Parameter(Demo.event)]
                ).scalar
                let count = try connection.query(
                    """
                    select count(*) from contractor.contractor_action_items
                    where title = 'Ask Borealine for a quote'
                    """
                ).scalar
                return "\(state ?? "?"), \(count ?? "?") in all"
            }
        } catch let refusal as PostgresError where refusal.sqlState.rawValue.hasPrefix("QC4") {
            return "refused, \(refusal.sqlState.rawValue)"
        }
    }

    private func loadDocuments() throws -> String {
        try Demo.organizer.run(connection) {
            try connection.query(
                "select knowledge.create_workspace($1, 'Visitor guide', $2)",
                [Parameter(Demo.workspace), Parameter(#"{"chunking": "markdown"}"#)])
            for document in documents {
                try connection.query(
                    "select knowledge.add_text($1, $2, $3, $2)",
                    [Parameter(Demo.workspace), Parameter(document.title), Parameter(document.text)])
            }
            let chunks = try connection.query("select count(*) from knowledge.chunks").scalar ?? "0"
            return "\(documents.count) documents, \(chunks) passages"
        }
    }

    /// One line: what happens, how it went, how long it took.
    private func step(_ title: String, _ body: () throws -> String) throws {
        let began = ContinuousClock.now
        let result = try body()
        Terminal.say(Terminal.row(title, "\(result), \(began.duration(to: .now).brief)"))
    }

    private func makePeople() throws {
        try connection.transaction {
            // The same story every time: what an earlier demo left goes with its tenant.
            try connection.query("delete from access.tenants where slug = $1", [Parameter(Demo.tenant)])
            try connection.query("select access.create_tenant($1, 'Hearth & Beam')", [Parameter(Demo.tenant)])
            try connection.query(
                "select access.create_token_key('demo', tenant => $1)", [Parameter(Demo.tenant)])
            try connection.query(
                "select access.create_person($1, $2, 'The organizer', '{organizer}')",
                [Parameter(Demo.tenant), Parameter(Demo.organizer.subject)])
            try connection.query(
                """
                select access.create_person($1, c ->> 'key', c ->> 'name')
                from jsonb_array_elements($2::jsonb -> 'contractors') c
                """, [Parameter(Demo.tenant), Parameter(exhibition)])
        }
    }

    /// Imports a schedule as the organizer; the row holds the counts.
    private func load(_ document: String) throws -> Row {
        let rows = try Demo.organizer.run(connection) {
            try connection.query(
                """
                select r ->> 'sessions' as sessions, r ->> 'speakers' as speakers, r ->> 'changed' as changed
                from event.import_schedule($1) r
                """, [Parameter(document)])
        }
        guard let row = rows.first else { throw Failure("the schedule was not read") }
        return row
    }

    /// The schedule with one talk a quarter of an hour later.
    private func moved() throws -> String {
        let changed = try connection.query(
            #"""
            select regexp_replace($1,
                '("date": "2027-03-11T)10:45(:00-07:00",\s+"start": ")10:45'
                '(",\s+"duration": "[0-9:]+",\s+"room": "[^"]+",\s+"slug": "heat-pump-retrofits)',
                '\111:00\211:00\3')
            """#, [Parameter(schedule)]
        ).scalar
        return changed ?? schedule
    }

    /// Waits until no write is newer than the cache, ten seconds at most.
    private func waitForRefresh() throws -> String {
        for _ in 0..<1000 {
            let isDone = try connection.query(
                """
                select exists (select from event.refresh_state) and not exists (select from event.dirty_marks)
                """
            )
            if isDone.scalar == "t" { return "done" }
            pause(milliseconds: 10)
        }
        throw Failure(
            "the daemon did not refresh within ten seconds", hint: "Run `concierge daemon` and read its log.")
    }

    private func daemonArguments() -> [String] {
        let database = target.conninfo.isEmpty ? [] : ["--database", target.conninfo]
        return ["/proc/self/exe", "daemon"] + database
    }
}
