-- What to see, best first. The timeframe chooses the sessions that are on or those of the next hour; a question adds a ninth
-- signal on top, so that "anything about hiring?" brings hiring up without hiding what else fits.
create or replace function event.recommend_sessions(
    event_id uuid, contractor_id uuid, max_items int default 12, timeframe text default 'next', question text default null
)
    returns table (
        session_id uuid, session_title text, session_start timestamptz, session_end timestamptz, room text, room_zone text,
        track text, speakers text[], url text, score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_features contractor.feature_set := contractor.features_of(contractor.require(contractor_id));
    v_question extensions.vector      := model.embed_offline(question);
begin
    return query
        select (r.s).session_id, (r.s).session_title, (r.s).session_start, (r.s).session_end, (r.s).room, (r.s).room_zone,
            (r.s).track, (r.s).speakers, (r.s).url, r.score,
            event.explain_signals(event.match_signals(v_features, event.tags_of(r.s)))
                || case when r.likeness is null then '[]'::jsonb
                        else jsonb_build_array(jsonb_build_object('signal', 'question', 'value', round(r.likeness::numeric, 3))) end
        from (
            select c.s, q.likeness,
                case when q.likeness is null then m.score else (m.score + q.likeness) / 2 end as score
            from (
                select n as s from event.sessions_next(recommend_sessions.event_id) as n where timeframe = 'next'
                union all
                select n from event.sessions_now(recommend_sessions.event_id) as n where timeframe = 'now'
            ) as c
            cross join lateral (select event.match_score(v_features, event.tags_of(c.s)) as score) as m
            cross join lateral (
                select greatest(1 - (v_question operator(extensions.<=>) (c.s).embedding), 0) as likeness
                where v_question is not null
                union all
                select null where v_question is null) as q
            -- Ties are broken the same way every time: sooner first, then by title.
            order by score desc, (c.s).session_start, (c.s).session_title, (c.s).session_id
            limit max_items
        ) as r
        order by r.score desc, (r.s).session_start, (r.s).session_title, (r.s).session_id;
end
$$;

comment on function event.recommend_sessions(uuid, uuid, int, text, text) is
    'Sessions that fit a contractor, best first, with score in [0,1] and why: array of {signal, value, weight, adds}.
timeframe: "next" (start within 60 minutes) or "now". Errors: 22004 null, QC201 unknown event, QC202 unknown contractor.';

grant execute on function event.recommend_sessions(uuid, uuid, int, text, text) to concierge_app;
