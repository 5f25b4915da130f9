import Postgres

// The daemon's side of the contract with the `queue` schema: every statement it sends, and how it reads rows.

extension Request {
    /// The statement and what is bound to it.
    func statement(
        worker: String, kinds: [String], quoted: (String) throws -> String
    ) rethrows -> (sql: String, parameters: [Parameter?]) {
        switch self {
        case .assumeRole:
            ("set role concierge_worker", [])
        case .limitStatements(let limit):
            // The server also stops a statement whose daemon is gone, instead of finishing it for nobody.
            ("""
            select set_config('statement_timeout', $1, false),
                   set_config('client_connection_check_interval', '2s', false)
            """, [Parameter("\(limit.milliseconds)ms")])
        case .channels:
            ("select channel from queue.channels()", [])
        case .listen(let channel):
            ("listen \(try quoted(channel))", [])
        case .look:
            ("select refresh_calls, jobs_due, next_due_in from queue.look($1::text[])", [Parameter(kinds)])
        case .claim(let limit):
            ("select job_id, token, kind, payload from queue.claim($1::text, $2::text[], $3::int)",
                [Parameter(worker), Parameter(kinds), Parameter(limit)])
        case .extend(let job):
            ("select queue.extend($1, $2)", [Parameter(job.id), Parameter(job.token)])
        case .heartbeat:
            ("select channel from queue.channels() except select pg_listening_channels()", [])
        case .refresh(let call):
            (call, [])
        case .unlock:
            ("select pg_advisory_unlock_all()", [])
        case .end(let job, .finished(let result)):
            ("select queue.finish($1, $2, $3::jsonb)",
                [Parameter(job.id), Parameter(job.token), Parameter(result)])
        case .end(let job, .failed(let error)):
            ("select queue.fail($1, $2, $3::text)",
                [Parameter(job.id), Parameter(job.token), Parameter(error)])
        }
    }

    func answer(from rows: Rows) throws -> Answer {
        switch self {
        case .channels, .heartbeat:
            .channels(try rows.map { try $0.value("channel") })
        case .look:
            .found(try Found(rows))
        case .claim:
            .claimed(try rows.map { row in
                Job(
                    id: try row.value("job_id"), token: try row.value("token"), kind: try row.value("kind"),
                    payload: try row.value("payload"))
            })
        case .extend, .end:
            .accepted(rows.scalar != "f")
        case .assumeRole, .limitStatements, .listen, .refresh, .unlock:
            .done
        }
    }
}

extension Found {
    /// No row means nothing to do.
    init(_ rows: Rows) throws {
        self.init()
        guard let row = rows.first else { return }
        refreshCalls = try row.optional("refresh_calls") ?? []
        jobsDue = try row.optional("jobs_due") ?? 0
        if let seconds = try row.optional("next_due_in", as: Double.self), seconds.isFinite {
            nextDueIn = .seconds(min(max(seconds, 0), 86_400))
        }
    }
}

extension Duration {
    /// Whole milliseconds, cut off.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
