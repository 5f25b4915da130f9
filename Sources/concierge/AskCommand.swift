import Glibc
import Migrations
import Postgres

/// `concierge ask`: one question, its answer, and where each line of it comes from.
let askCommands = [
    Command(
        words: ["ask"], operands: "\"QUESTION\"",
        summary: "Asks as a person at an event; citations stand under the answer.",
        options: [
            OptionRule("event", "SLUG", "the event; not needed while there is one"),
            OptionRule("workspace", "SLUG", "documents to look into, too; alone, without an event"),
            OptionRule("agent", "NAME", "who answers; without one, nobody but the database"),
            OptionRule("as", "PERSON", "who asks; not needed while there is one"),
            OptionRule("tenant", "SLUG", "whose event it is; not needed while there is one tenant"),
            OptionRule("at", "TIME", "asks as if it were this time, such as 2027-03-11T10:10-07:00"),
            OptionRule("verbose", nil, "the steps the turn took, too, with their times"),
            jsonOption,
        ],
        run: askOnce)
]

@Sendable private func askOnce(_ invocation: Invocation) throws -> Int32 {
    guard invocation.operands.count == 1 else {
        throw UsageError(message: "one question, in quotes", command: invocation.command)
    }
    let connection = try target(invocation).connect(as: "concierge ask")
    let person = try PersonalSession.find(connection, tenant: invocation["tenant"], subject: invocation["as"])
    let answer = try Answer.ask(
        Question(
            text: invocation.operands[0], event: invocation["event"], workspace: invocation["workspace"],
            agent: invocation["agent"]),
        person, at: invocation["at"], connection)
    if invocation.has("json") { Terminal.say(answer.json) } else { answer.lines.forEach { Terminal.say($0) } }
    if invocation.has("verbose") { answer.steps.forEach { Terminal.say($0) } }
    return answer.failed ? 1 : 0
}

/// What is asked, and of whom.
struct Question {
    let text: String
    let event: String?
    let workspace: String?
    var agent: String?
}

/// A turn that has ended, as `chat.turn` tells it.
struct Answer {
    /// The function's result as it came.
    let json: String
    /// What a person reads: the answer, or why there is none, and a note where it is another's than was hoped for.
    let text: String
    /// For each thing it cites: name, kind, id, address; and of a document where it says so.
    let sources: [String]
    /// The states it went through, with milliseconds since it was asked.
    let steps: [String]
    /// Whether it ended without an answer.
    let failed: Bool

    /// The text, then what it cites.
    var lines: [String] { [text] + (sources.isEmpty ? [] : [""] + sources) }

    static func ask(
        _ question: Question, _ person: PersonalSession, at clock: String? = nil, _ connection: Connection
    ) throws -> Answer {
        let turn = try person.run(connection, at: clock) { try begin(question, connection) }
        var pause: UInt32 = 2_000
        while try !person.run(connection, at: clock, { try hasEnded(turn, connection) }) {
            usleep(pause)
            pause = min(pause * 2, 100_000)
        }
        return try person.run(connection, at: clock) { try Answer(turn, connection) }
    }

    /// A conversation of one turn; returns the turn.
    private static func begin(_ question: Question, _ connection: Connection) throws -> String {
        // Documents alone need no event.
        let event = question.workspace == nil ? try question.event ?? onlyEvent(connection) : question.event
        return try connection.query(
            """
            select chat.ask(chat.open($1, e.event_id,
                case when e.event_id is not null then (contractor.own_ids())[1] end, $2), $3, gen_random_uuid()::text)
            from (select event.event_id($4) as event_id where $4 is not null
                  union all select null::uuid as event_id where $4 is null) as e
            """,
            [
                .optional(question.agent), .optional(question.workspace), Parameter(question.text),
                .optional(event),
            ]
        ).scalar ?? ""
    }

    private static func hasEnded(_ turn: String, _ connection: Connection) throws -> Bool {
        try connection.query(
            "select chat.turn($1) ->> 'state' in ('done', 'refused', 'failed')", [Parameter(turn)]
        ).scalar == "t"
    }

    private init(_ turn: String, _ connection: Connection) throws {
        json = try connection.query("select chat.turn($1)", [Parameter(turn)]).scalar ?? "{}"
        let told = try connection.query(
            """
            select t ->> 'answer' as answer, t ->> 'error' as error, t ->> 'note' as note, t ->> 'state' as state
            from (select $1::jsonb as t) as t
            """, [Parameter(json)]
        ).first
        failed = told?["answer"] == nil
        text =
            (told?["answer"] ?? "\(told?["state"] ?? "failed"): \(told?["error"] ?? "no reason is known")")
            + (told?["note"].map { "\n(\($0))" } ?? "")
        let citations = try connection.query(
            #"""
            select c ->> 'id' as name, c ->> 'kind' as kind, c ->> 'of' as id, c ->> 'url' as url,
                case c ->> 'kind' when 'document' then format('%s: …%s»%s«%s…', c ->> 'title',
                    regexp_replace(c ->> 'before', '\s+', ' ', 'g'), regexp_replace(c ->> 'text', '\s+', ' ', 'g'),
                    regexp_replace(c ->> 'after', '\s+', ' ', 'g')) end as place
            from jsonb_array_elements($1::jsonb -> 'citations') c
            """#, [Parameter(json)])
        sources = citations.map { row in
            "  [\(row["name"] ?? "")] " + ["kind", "id", "url"].compactMap { row[$0] }.joined(separator: " ")
                + (row["place"].map { "\n      \($0)" } ?? "")
        }
        steps = try connection.query(
            """
            select format('  %s ms  %s%s', lpad(round(extract(epoch from e.at - t.asked_at) * 1000)::text, 6), e.state,
                ' ' || nullif(e.detail::text, '{}')) as line
            from chat.turn_events as e join chat.turns as t using (turn_id) where turn_id = $1 order by e.number
            """, [Parameter(turn)]
        ).map { $0["line"] ?? "" }
    }

    private static func onlyEvent(_ connection: Connection) throws -> String {
        let slugs = try connection.query("select slug from event.events order by slug limit 2")
        guard slugs.count == 1, let slug = slugs[0][0] else {
            throw Failure(
                slugs.isEmpty ? "there is no event" : "there is more than one event",
                hint: slugs.isEmpty ? "Load one: concierge load schedule FILE." : "Name it with --event SLUG."
            )
        }
        return slug
    }
}
