import Migrations
import Postgres

/// `concierge search`: the best passages of a workspace, and how they were found.
let searchCommands = [
    Command(
        words: ["search"], operands: "\"QUERY\"",
        summary: "Finds the best passages of a workspace, of those a person may find.",
        options: [
            OptionRule("workspace", "SLUG", "where to search; not needed while there is one"),
            OptionRule("as", "PERSON", "who searches; not needed while there is one"),
            OptionRule("tenant", "SLUG", "whose workspace it is; not needed while there is one tenant"),
            OptionRule("filter", "JSON", "such as {\"kind\": \"page\"}"),
            OptionRule("limit", "N", "how many passages; 5"),
            OptionRule("explain", nil, "how they were found, as JSON"),
        ],
        run: searchOnce)
]

@Sendable private func searchOnce(_ invocation: Invocation) throws -> Int32 {
    guard invocation.operands.count == 1 else {
        throw UsageError(message: "one query, in quotes", command: invocation.command)
    }
    let limit = try invocation.count("limit") ?? 5
    let connection = try target(invocation).connect(as: "concierge search")
    let person = try PersonalSession.find(connection, tenant: invocation["tenant"], subject: invocation["as"])
    let began = ContinuousClock.now
    try person.run(connection) {
        let workspace = try invocation["workspace"] ?? onlyWorkspace(connection)
        let arguments = [
            Parameter(workspace), Parameter(invocation.operands[0]), Parameter(invocation["filter"] ?? "{}"),
            Parameter(limit),
        ]
        guard !invocation.has("explain") else {
            let report = try connection.query(
                """
                select jsonb_pretty(knowledge.explain_search($1, $2, filters => $3, max_results => $4))
                """, arguments)
            Terminal.say(report.scalar ?? "")
            return
        }
        let rows = try connection.query(
            """
            select row_number() over () as n, coalesce(nullif(title, ''), document_key, kind) as title, heading,
                coalesce(answer, content) as content, url, round(score::numeric, 3) as score, path
            from knowledge.search($1, $2, filters => $3, max_results => $4)
            """, arguments)
        for row in rows {
            let place = [row["title"], row["heading"], row["url"]].compactMap { $0 }.filter { !$0.isEmpty }
            Terminal.say(Terminal.row("[\(row["n"] ?? "")] \(place.joined(separator: " > "))", row["score"] ?? ""))
            Terminal.say("    " + (row["content"] ?? "").split(whereSeparator: \.isNewline).joined(separator: "\n    "))
        }
        Terminal.say(
            Terminal.row("found", "\(rows.count), \(began.duration(to: .now).brief)")
                + (rows.first?["path"].map { "\n  \($0)" } ?? ""))
    }
    return 0
}

/// The workspace a person can only mean.
func onlyWorkspace(_ connection: Connection) throws -> String {
    let slugs = try connection.query("select slug from knowledge.workspaces order by slug limit 2")
    guard slugs.count == 1, let slug = slugs[0][0] else {
        throw Failure(
            slugs.isEmpty ? "there is no workspace" : "there is more than one workspace",
            hint: slugs.isEmpty
                ? "Load one: concierge load docs DIR --workspace SLUG." : "Name it with --workspace SLUG.")
    }
    return slug
}
