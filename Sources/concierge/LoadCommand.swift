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
        run: loadSchedule)
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
