-- What to see, best first. The timeframe chooses the sessions that are on or those of the next hour; a question adds a ninth
-- signal on top, so that "anything about hiring?" brings hiring up without hiding what else fits.
create or replace function event.rank_sessions(
    event_id uuid, features contractor.feature_set, max_items int, timeframe text, question extensions.vector
)
    returns table (
        session_id uuid, session_title text, session_start timestamptz, session_end timestamptz, room text, room_zone text,
        track text, speakers text[], url text, score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
begin
    return query
        select (r.s).session_id, (r.s).session_title, (r.s).session_start, (r.s).session_end, (r.s).room, (r.s).room_zone,
            (r.s).track, (r.s).speakers, (r.s).url, r.score,
            case when r.likeness is null then w.why
                 else w.why || jsonb_build_object('question', round((r.likeness / 2)::numeric, 3)) end
        from (
            select c.s, q.likeness,
                -- A question counts as much as all that is known of the contractor.
                case when q.likeness is null then m.score else (m.score + q.likeness) / 2 end as score
            from (
                select n as s from event.sessions_next(rank_sessions.event_id) as n where timeframe = 'next'
                union all
                select n from event.sessions_now(rank_sessions.event_id) as n where timeframe = 'now'
            ) as c
            cross join lateral (select event.match_score(features, event.tags_of(c.s)) as score) as m
            cross join lateral (
                select greatest(1 - (question operator(extensions.<=>) (c.s).embedding), 0) as likeness
                where question is not null
                union all
                select null where question is null) as q
            -- Ties are broken the same way every time: sooner first, then by title.
            order by score desc, (c.s).session_start, (c.s).session_title, (c.s).session_id
            limit max_items
        ) as r
        cross join lateral event.explain_signals(event.match_signals(features, event.tags_of(r.s)),
            case when r.likeness is null then 1 else 0.5 end) as w
        order by r.score desc, (r.s).session_start, (r.s).session_title, (r.s).session_id;
end
$$;

comment on function event.rank_sessions(uuid, contractor.feature_set, int, text, extensions.vector) is
    'Sessions that fit these features, best first: the part of recommend_sessions after its look-ups. Errors: QC201 unknown event.';

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
begin
    if timeframe is null or timeframe not in ('now', 'next') then
        perform access.refuse('QC211', format('"%s" is no timeframe', coalesce(timeframe, 'null')), 'Use now or next.');
    end if;
    return query
        select r.* from event.rank_sessions(recommend_sessions.event_id, contractor.contractor_features(contractor_id), max_items,
            timeframe, model.embed_offline(question)) as r;
end
$$;

comment on function event.recommend_sessions(uuid, uuid, int, text, text) is
    'Sessions that fit a contractor, best first, with score in [0,1] and why: {signal: how much it adds}. timeframe: "next"
(start within 60 minutes) or "now". Errors: 22004 null, QC201 unknown event, QC202 unknown contractor, QC405 someone else''s, QC211 unknown timeframe.';

grant execute on function event.rank_sessions(uuid, contractor.feature_set, int, text, extensions.vector) to concierge_app;
grant execute on function event.recommend_sessions(uuid, uuid, int, text, text)                           to concierge_app;
