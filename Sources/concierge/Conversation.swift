import Glibc
import Migrations
import Postgres

/// Questions of one person, one after the other, the way an app service asks them: `chat.open`, `chat.ask`,
/// `chat.draft` while a model speaks, `chat.turn` when it has ended.
struct Conversation {
    private let connection: Connection
    private let person: PersonalSession
    /// Asked as if it were this time.
    private let clock: String?
    private let id: String

    /// Begins a conversation: about an event, which need not be named while there is one; about a workspace's
    /// documents; or both. Without an agent nobody answers but the database.
    init(
        _ connection: Connection, _ person: PersonalSession, at clock: String? = nil, event: String? = nil,
        workspace: String? = nil, agent: String? = nil
    ) throws {
        self.connection = connection
        self.person = person
        self.clock = clock
        id = try person.run(connection, at: clock) {
            // Documents alone need no event.
            let event = workspace == nil ? try event ?? onlyEvent(connection) : event
            return try connection.query(
                """
                select chat.open($1, e.event_id,
                    case when e.event_id is not null then (contractor.own_ids())[1] end, $2)
                from (select case when $3::text is not null then event.event_id($3) end as event_id) as e
                """, [.optional(agent), .optional(workspace), .optional(event)]
            ).scalar ?? ""
        }
    }

    /// Asks, waits for the answer and returns it; meanwhile `watch` is told how it stands, when it is given.
    ///
    /// Ctrl-C, where it is caught, cancels the turn; its answer then says so.
    func ask(_ question: String, watch: ((Progress) -> Void)? = nil) throws -> Answer {
        let turn = try run {
            try connection.query(
                "select chat.ask($1, $2, gen_random_uuid()::text)", [Parameter(id), Parameter(question)]
            ).scalar ?? ""
        }
        var pause = Duration.milliseconds(2)
        var isListening = false
        defer { if isListening { _ = try? connection.execute(script: "unlisten concierge_text") } }
        while true {
            let progress = try look(turn, withDraft: watch != nil)
            if progress.hasEnded { return try run { try Answer(turn, connection) } }
            watch?(progress)
            if watch != nil, !isListening {
                // What was said before is seen by the next look, and what comes after it is told.
                try connection.execute(script: "listen concierge_text")
                isListening = true
                continue
            }
            if Interruption.take() {
                try run { try connection.query("select chat.cancel($1)", [Parameter(turn)]) }
                continue
            }
            try waitForText(of: progress.job, pause)
            // A turn's end is told to nobody: that is seen by looking.
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    /// How a turn stands that has not ended.
    struct Progress {
        let state: String
        /// What a model has said so far, checked by nobody; nil while none speaks.
        let draft: String?
        /// What it waits for, by its number in the queue.
        let job: String?
        let hasEnded: Bool
    }

    private func look(_ turn: String, withDraft: Bool) throws -> Progress {
        let row = try run {
            try connection.query(
                """
                select t ->> 'state' as state, t ->> 'state' in ('done', 'refused', 'failed') as has_ended,
                    case when $2 then chat.draft($1) end as draft, o.job_id as job
                from chat.turn($1) as t left join chat.turns as o on o.turn_id = $1
                """, [Parameter(turn), Parameter(withDraft)]
            ).first
        }
        guard let row else { throw Failure("the turn is gone") }
        return Progress(
            state: try row.value("state"), draft: row["draft"], job: row["job"],
            hasEnded: try row.value("has_ended"))
    }

    /// Waits until that job has said more, for so long at most. What others say wakes nobody.
    private func waitForText(of job: String?, _ time: Duration) throws {
        let end = ContinuousClock.now + time
        while true {
            let jobs = connection.notifications().flatMap { $0.payload.split(separator: ",") }
            if let job, jobs.contains(job[...]) { return }
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero, let socket = connection.socket, Interruption.wait(socket, left) else {
                return
            }
            try connection.consumeInput()
        }
    }

    /// The latest turns, the first one first.
    func history() throws -> [Answer] {
        try run {
            let turns = try connection.query(
                "select t ->> 'turn_id' as id from chat.history($1) as t", [Parameter(id)])
            return try turns.map { try Answer($0.value("id"), connection) }
        }
    }

    /// Notes what the person thinks of an answer: 1 or -1, and why.
    func rate(_ answer: Answer, _ rating: Int, _ comment: String?) throws {
        try run {
            try connection.query(
                "select chat.rate($1, $2, $3)",
                [Parameter(answer.turn), Parameter(rating), .optional(comment)])
        }
    }

    /// What a turn of this conversation went through, and what it took.
    func report(on answer: Answer) throws -> TurnReport { try run { try TurnReport(answer, connection) } }

    /// Whether the server can still be reached, as far as is known.
    var isOpen: Bool { connection.isOpen }

    @discardableResult
    private func run<Result>(_ body: () throws -> Result) throws -> Result {
        try person.run(connection, at: clock, body)
    }
}

/// The event a person can only mean.
private func onlyEvent(_ connection: Connection) throws -> String {
    let slugs = try connection.query("select slug from event.events order by slug limit 2")
    guard slugs.count == 1, let slug = slugs[0][0] else {
        throw Failure(
            slugs.isEmpty ? "there is no event" : "there is more than one event",
            hint: slugs.isEmpty ? "Load one: concierge load schedule FILE." : "Name it with --event SLUG.")
    }
    return slug
}
