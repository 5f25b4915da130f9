import Migrations
import Postgres

/// `concierge load …`: files become facts.
let loadCommands = [
    Command(
        words: ["load", "schedule"], operands: "FILE ...",
        summary: "Imports schedules (frab, pretalx, Pentabarf; also .gz); again means update.",
        options: [
            OptionRule("event", "SLUG", "the event's short name; overrules the file's, for one file only"),
            OptionRule("time-zone", "ZONE", "such as Europe/Berlin; overrules the file's"),
            OptionRule("tenant", "SLUG", "whose event it is; not needed while there is one tenant"),
            OptionRule("as", "PERSON", "the organizer who imports; not needed while there is one"),
        ],
        run: loadSchedule),
    Command(
        words: ["load", "docs"], operands: "DIR",
        summary: "Adds the files of a directory to a workspace; again means update.",
        options: [
            OptionRule("workspace", "SLUG", "where they go; made if there is none"),
            OptionRule("tenant", "SLUG", "whose workspace it is; not needed while there is one tenant"),
            OptionRule("as", "PERSON", "the organizer who adds; not needed while there is one"),
        ],
        run: loadDocuments),
]

@Sendable private func loadSchedule(_ invocation: Invocation) throws -> Int32 {
    guard !invocation.operands.isEmpty else {
        throw UsageError(message: "which file shall be loaded?", command: invocation.command)
    }
    guard invocation["event"] == nil || invocation.operands.count == 1 else {
        throw UsageError(
            message: "--event names the event of one file, not of several", command: invocation.command)
    }
    let connection = try target(invocation).connect(as: "concierge load")
    let organizer = try PersonalSession.find(
        connection, tenant: invocation["tenant"], subject: invocation["as"], role: "organizer")
    for file in invocation.operands {
        let began = ContinuousClock.now
        guard let document = try readText(file) else { throw Failure("there is no file \(file)") }
        do {
            let report = try organizer.run(connection) {
                try connection.query(
                    """
                    select r ->> 'event' as event, r ->> 'sessions' as sessions, r ->> 'added' as added,
                           r ->> 'changed' as changed, r ->> 'cancelled' as cancelled
                    from event.import_schedule($1, $2, $3) r
                    """,
                    [Parameter(document), .optional(invocation["event"]), .optional(invocation["time-zone"])])
            }
            guard let row = report.first else { continue }
            func count(_ name: String) -> String { "\(row[name] ?? "0") \(name)" }
            let counts = ["sessions", "added", "changed", "cancelled"].map(count).joined(separator: ", ")
            Terminal.say(Terminal.row(row["event"] ?? file, "\(counts), \(began.duration(to: .now).brief)"))
        } catch let error as PostgresError {
            throw Failure("\(file): \(error)")
        }
    }
    return 0
}

/// Text, Markdown, HTML, PDF, DOCX and ODT, each under its path; a file that cannot be read stops no other.
@Sendable private func loadDocuments(_ invocation: Invocation) throws -> Int32 {
    guard invocation.operands.count == 1, let folder = invocation.operands.first else {
        throw UsageError(message: "one directory", command: invocation.command)
    }
    let workspace = try invocation.required("workspace")
    guard fileKind(folder) == .folder else { throw Failure("there is no directory \(folder)") }
    // What begins with a dot is nobody's document.
    let paths = try filesBelow(folder, suffix: "").filter { !$0.split(separator: "/").contains { $0.hasPrefix(".") } }
    let connection = try target(invocation).connect(as: "concierge load")
    let organizer = try PersonalSession.find(
        connection, tenant: invocation["tenant"], subject: invocation["as"], role: "organizer")
    let began = ContinuousClock.now
    try organizer.run(connection) {
        try connection.query(
            """
            select knowledge.create_workspace($1, $1, '{"chunking": "markdown"}')
            where not exists (select from knowledge.workspaces w where w.slug = $1)
            """, [Parameter(workspace)])
    }
    var refused = 0
    for path in paths {
        let bytes = try readFile(folder + "/" + path)
        do {
            try organizer.run(connection) {
                try connection.query(
                    "select knowledge.add_file($1, $2, $3, $2)",
                    [Parameter(workspace), Parameter(path), Parameter(bytes: bytes)])
            }
        } catch let error as PostgresError where error.sqlState.rawValue.hasPrefix("QC2") {
            refused += 1
            Terminal.say(Terminal.row(path, "refused, \(error.sqlState.rawValue): \(error.message)"))
        }
    }
    let row = try organizer.run(connection) {
        try connection.query(
            """
            select count(*) filter (where status = 'processed') as processed,
                count(*) filter (where status in ('created', 'processing')) as waiting,
                count(*) filter (where status = 'error') as failed
            from knowledge.documents where workspace_id = (
                select workspace_id from knowledge.workspaces where slug = $1)
            """, [Parameter(workspace)]
        ).first
    }
    let counts = ["processed", "waiting", "failed"].map { "\(row?[$0] ?? "0") \($0)" }.joined(separator: ", ")
    Terminal.say(Terminal.row(workspace, "\(counts), \(began.duration(to: .now).brief)"))
    return refused == 0 ? 0 : 1
}
