-- What to see, best first. The timeframe chooses the sessions that are on or those of the next hour; a
-- question adds a ninth signal on top, so that "anything about hiring?" brings hiring up without hiding
-- what else fits.
create or replace function event.rank_sessions(
    event_id uuid, features contractor.feature_set, max_items int, timeframes text[],
    question extensions.vector
)
    returns table (
        timeframe text, place bigint, session_id uuid, session_title text,
        session_start timestamptz, session_end timestamptz,
        room text, room_zone text, track text, speakers text[], url text, score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_now    timestamptz := access.clock();
    v_cached boolean     := event.cache_is_exact(event_id, v_now);
begin
    return query
        with signal as (
            select s.timeframe, s.session_id, s.session_title, s.session_start, s.session_end, s.room,
                s.room_zone, s.track, s.speakers, s.url,
                greatest(1 - (question operator(extensions.<=>) s.embedding), 0) as likeness,
                event.match_signals(features, event.tags_of(s)) as value
            from event.sessions_at(rank_sessions.event_id, v_now, v_cached) as s
            where s.timeframe = any (timeframes)
            offset 0  -- so that signals are computed once, not for the score and again for its explanation
        ), scored as (
            -- A question counts as much as all that is known of the contractor: what comes nearest to it
            -- counts in full, unless that is not near at all.
            select g.*, q.asked, case when question is null then event.weigh_signals(g.value)
                                      else (event.weigh_signals(g.value) + q.asked) / 2 end as score
            from (
                select h.*, max(h.likeness) over (partition by h.timeframe) as nearest from signal as h
            ) as g
            cross join lateral (select coalesce(g.likeness / greatest(g.nearest, 0.2), 0) as asked) as q
        ), ranked as (
            -- Ties are broken the same way every time: sooner first, then by title.
            select c.*, row_number() over (partition by c.timeframe
                order by c.score desc, c.session_start, c.session_title, c.session_id) as place
            from scored as c
        )
        select r.timeframe, r.place, r.session_id, r.session_title, r.session_start, r.session_end, r.room,
            r.room_zone, r.track, r.speakers, r.url, r.score,
            case when question is null then event.explain_score(r.value)
                 else event.explain_score(r.value, 0.5)
                     || jsonb_build_object('question', round(r.asked * 500) / 1000) end
        from ranked as r
        where r.place <= max_items
        order by r.timeframe, r.place;
end
$$;

comment on function event.rank_sessions(uuid, contractor.feature_set, int, text[], extensions.vector) is
    'Sessions that fit these features, best first, at most max_items a timeframe: the part of
recommend_sessions after its look-ups.';

drop function if exists event.rank_sessions(uuid, contractor.feature_set, int, text, extensions.vector);

create or replace function event.recommend_sessions(
    event_id uuid, contractor_id uuid, max_items int default 12,
    timeframe text default 'next', question text default null
)
    returns table (
        session_id uuid, session_title text, session_start timestamptz, session_end timestamptz,
        room text, room_zone text, track text, speakers text[], url text, score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if timeframe is null or timeframe not in ('now', 'next') then
        perform access.refuse('QC211', format('"%s" is no timeframe', coalesce(timeframe, 'null')),
            'Use now or next.');
    end if;
    return query
        select r.session_id, r.session_title, r.session_start, r.session_end, r.room, r.room_zone, r.track,
            r.speakers, r.url, r.score, r.why
        from event.rank_sessions((event.require(recommend_sessions.event_id)).event_id,
            contractor.contractor_features(contractor_id),
            max_items, array[timeframe], model.embed_offline(question)) as r;
end
$$;

comment on function event.recommend_sessions(uuid, uuid, int, text, text) is
    'Sessions that fit a contractor, best first, with score in [0,1] and why: {signal: how much it adds}.
timeframe: "next" (start within 60 minutes) or "now". Errors: 22004 null, QC201 unknown event, QC202 unknown
contractor, QC405 someone else''s, QC211 unknown timeframe.';

grant execute on function event.rank_sessions(uuid, contractor.feature_set, int, text[], extensions.vector)
    to concierge_app;
grant execute on function event.recommend_sessions(uuid, uuid, int, text, text) to concierge_app;
