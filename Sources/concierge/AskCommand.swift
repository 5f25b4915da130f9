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
            OptionRule("as", "PERSON", "who asks; not needed while there is one"),
            OptionRule("tenant", "SLUG", "whose event it is; not needed while there is one tenant"),
            OptionRule("at", "TIME", "asks as if it were this time, such as 2027-03-11T10:10-07:00"),
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
        invocation.operands[0], person, event: invocation["event"], workspace: invocation["workspace"],
        at: invocation["at"], connection)
    if invocation.has("json") { Terminal.say(answer.json) } else { answer.lines.forEach { Terminal.say($0) } }
    return 0
}

/// What `chat.ask`, or `knowledge.answer` where there are documents and no event, said.
struct Answer {
    /// The function's result as it came.
    let json: String
    /// What a person reads.
    let text: String
    /// For each thing it cites: number, kind, id, address; and of a document where it says so.
    let sources: [String]

    /// The text, then what it cites.
    var lines: [String] { [text] + (sources.isEmpty ? [] : [""] + sources) }

    static func ask(
        _ question: String, _ person: PersonalSession, event: String?, workspace: String? = nil,
        at clock: String? = nil, _ connection: Connection
    ) throws -> Answer {
        try person.run(connection, at: clock) {
            let reply: String?
            if let workspace, event == nil {
                reply = try connection.query(
                    "select knowledge.answer($1, $2)", [Parameter(workspace), Parameter(question)]
                ).scalar
            } else {
                reply = try connection.query(
                    "select chat.ask($1, event.event_id($2), (contractor.own_ids())[1], $3)",
                    [Parameter(question), Parameter(try event ?? onlyEvent(connection)), .optional(workspace)]
                ).scalar
            }
            return try Answer(reply ?? "{}", connection)
        }
    }

    private init(_ reply: String, _ connection: Connection) throws {
        json = reply
        text = try connection.query("select $1::jsonb ->> 'answer'", [Parameter(reply)]).scalar ?? ""
        let citations = try connection.query(
            #"""
            select c ->> 'n' as n, c ->> 'kind' as kind, c ->> 'id' as id, c ->> 'url' as url,
                case c ->> 'kind' when 'document' then format('%s: …%s»%s«%s…', c ->> 'title',
                    regexp_replace(c ->> 'before', '\s+', ' ', 'g'), regexp_replace(c ->> 'line', '\s+', ' ', 'g'),
                    regexp_replace(c ->> 'after', '\s+', ' ', 'g')) end as place
            from jsonb_array_elements($1::jsonb -> 'citations') c
            """#, [Parameter(reply)])
        sources = citations.map { row in
            "  [\(row["n"] ?? "")] " + ["kind", "id", "url"].compactMap { row[$0] }.joined(separator: " ")
                + (row["place"].map { "\n      \($0)" } ?? "")
        }
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
