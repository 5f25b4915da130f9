import Postgres

/// What `--verbose` tells of a turn: its steps, what it asked of models, and what both took.
struct TurnReport {
    let lines: [String]

    /// Reads it for the person who asked. What each call was is for organizers; what all cost together is for
    /// who asked.
    init(_ answer: Answer, _ connection: Connection) throws {
        let turn = [Parameter(answer.turn)]
        let steps = try connection.query(
            """
            select format('  %s ms  %s%s', lpad(round(extract(epoch from e.at - t.asked_at) * 1000)::text, 6),
                e.state, ' ' || nullif(e.detail::text, '{}')) as line
            from chat.turn_events as e join chat.turns as t using (turn_id)
            where turn_id = $1 order by e.number
            """, turn)
        let calls = try connection.query(
            """
            select format('  %s ms  %s asked for %s: %s tokens in, %s out, $%s%s',
                lpad(coalesce(total_ms::text, '?'), 6), model, purpose, input_tokens, output_tokens,
                trim_scale(cost), ', ' || coalesce(error, fault)) as line
            from model.calls where turn_id = $1 order by called_at, call_id
            """, turn)
        let sum = try connection.query(
            """
            select format('  %s ms  in all, answered by %s, $%s',
                lpad(coalesce(t ->> 'milliseconds', '?'), 6), coalesce(t ->> 'answered_by', 'nobody'),
                trim_scale((t ->> 'cost')::numeric)) as line
            from (select $1::jsonb as t) as t
            """, [Parameter(answer.json)])
        lines = [steps, calls, sum].flatMap { rows in rows.map { $0["line"] ?? "" } }
    }
}
