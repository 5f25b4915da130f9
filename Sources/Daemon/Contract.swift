import Postgres

// The daemon's side of the contract with the `queue` schema: every statement it sends, and how it reads rows.

extension Request {
    /// The statement and what is bound to it.
    func statement(
        worker: String, kinds: [String], lease: Duration, inHand: [String] = [],
        quoted: (String) throws -> String
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
            ("""
            select refresh_calls, has_jobs, next_due_in, to_stop from queue.look($1::text, $2::text[])
            """, [Parameter(worker), Parameter(kinds)])
        case .claim(let limit):
            ("""
            select job_id, token, kind, payload, trace_id
            from queue.claim($1::text, $2::text[], $3::int, $4::interval)
            """, [Parameter(worker), Parameter(kinds), Parameter(limit), Parameter(interval(lease))])
        case .extend:
            ("select queue.extend($1::text, $2::interval, $3::bigint[]) as stop",
                [Parameter(worker), Parameter(interval(lease)), Parameter(inHand)])
        case .figures:
            ("select name, help, labels, value from queue.figures()", [])
        case .release:
            ("select queue.release($1::text)", [Parameter(worker)])
        case .heartbeat:
            ("select channel from queue.channels() except select pg_listening_channels()", [])
        case .refresh(let call):
            (call, [])
        case .unlock:
            ("select pg_advisory_unlock_all()", [])
        case .finish(let results):
            ("select queue.finish_many($1::bigint[], $2::bigint[], $3::jsonb[]) as accepted",
                [
                    Parameter(results.map(\.job.id)), Parameter(results.map(\.job.token)),
                    Parameter(results.map(\.result)),
                ])
        case .fail(let job, let failure):
            ("""
            select array_remove(array[case when queue.fail($1, $2, $3::text, $4::text, $5::interval,
                reason => $6::text, final => $7::boolean) then $1 end], null)::bigint[] as accepted
            """,
                [
                    Parameter(job.id), Parameter(job.token), Parameter(failure.error),
                    Parameter(failure.fault.rawValue), failure.retryAfter.map { Parameter(interval($0)) },
                    .optional(failure.reason), Parameter(failure.isFinal),
                ])
        case .emit(let pieces):
            ("select queue.emit($1::bigint[], $2::bigint[], $3::text[], $4::int[]) as stop",
                [
                    Parameter(pieces.map(\.job.id)), Parameter(pieces.map(\.job.token)),
                    Parameter(pieces.map(\.text)), Parameter(pieces.map { "\($0.number)" }),
                ])
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
                    payload: try row.value("payload"), traceID: try row.optional("trace_id") ?? "")
            })
        case .figures:
            .figures(try rows.map { row in
                DatabaseSample(
                    name: try row.value("name"), help: try row.optional("help"),
                    labels: try labels(row.optional("labels") ?? []), value: try row.value("value"))
            })
        case .extend:
            .extended(stop: try rows.first?.optional("stop"))
        case .emit:
            .emitted(stop: try rows.first?.optional("stop") ?? [])
        case .finish, .fail:
            .accepted(try rows.first?.optional("accepted") ?? [])
        case .assumeRole, .limitStatements, .listen, .refresh, .unlock, .release:
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
        hasJobs = try row.optional("has_jobs") ?? false
        toStop = try row.optional("to_stop") ?? []
        if let seconds = try row.optional("next_due_in", as: Double.self), seconds.isFinite {
            nextDueIn = .seconds(min(max(seconds, 0), 86_400))
        }
    }
}

/// `kind=fetch` and the like.
private func labels(_ words: [String]) -> [String: String] {
    Dictionary(
        words.compactMap { word in
            word.firstIndex(of: "=").map { (String(word[..<$0]), String(word[word.index(after: $0)...])) }
        }, uniquingKeysWith: { first, _ in first })
}

/// A duration as the server reads an interval.
private func interval(_ duration: Duration) -> String { "\(duration.milliseconds) milliseconds" }

extension Duration {
    /// Whole milliseconds, cut off.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
