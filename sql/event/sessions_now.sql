-- What is on and what is next at an instant, said once: from the caches where "cached" says that they are
-- exact, else from the base tables. One statement without a pinned path, so that the planner inlines it and
-- runs only the half it is told to.
create or replace function event.sessions_at(event_id uuid, at timestamptz, cached boolean)
    returns setof event.cached_sessions
    language sql stable rows 60
begin atomic
    select c.*
    from event.cached_sessions as c
    where cached and c.event_id = sessions_at.event_id
        and case c.timeframe when 'now' then c.session_start <= at and c.session_end > at
                             else c.session_start > at and c.session_start <= at + interval '60 minutes' end
    union all
    select d.*, case when d.session_start <= at then 'now' else 'next' end
    from event.tenant_sessions as d
    where not cached and d.event_id = sessions_at.event_id
        and d.session_start <= at + interval '60 minutes' and d.session_end > at;
end;

comment on function event.sessions_at(uuid, timestamptz, boolean) is
    'Sessions on at an instant (timeframe "now": started, and not ended) and those that start within 60
minutes after it ("next"). cached: whether the caches may answer, as event.cache_is_exact says of this event
and instant in the same snapshot.';

-- Stable, so that the check and the rows come from one snapshot: a refresh or a write in
-- between changes neither.
create or replace function event.current_sessions(event_id uuid, timeframe text)
    returns setof event.cached_sessions
    language plpgsql stable rows 60
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_event  event.events := event.require(event_id);
    v_now    timestamptz  := access.clock();
    v_cached boolean      := event.cache_is_exact(v_event.event_id, v_now);
begin
    return query
        select s.*
        from event.sessions_at(v_event.event_id, v_now, v_cached) as s
        where s.timeframe = current_sessions.timeframe;
end
$$;

comment on function event.current_sessions(uuid, text) is
    'Sessions at access.clock() with timeframe "now" or "next". Exact even while the caches are behind.
Errors: 22004 null, QC201 unknown event.';

create or replace function event.sessions_now(event_id uuid)
    returns setof event.cached_sessions
    language sql stable rows 60
begin atomic
    select s.* from event.current_sessions(event_id, 'now') as s;
end;

comment on function event.sessions_now(uuid) is
    'Sessions that are on at access.clock(): started, and not ended. Exact even while the caches are behind.
Errors: 22004 null, QC201 unknown event.';

create or replace function event.sessions_next(event_id uuid)
    returns setof event.cached_sessions
    language sql stable rows 60
begin atomic
    select s.* from event.current_sessions(event_id, 'next') as s;
end;

comment on function event.sessions_next(uuid) is
    'Sessions that start within 60 minutes after access.clock(). Exact even while the caches are behind.
Errors: 22004 null, QC201 unknown event.';

grant execute on function event.sessions_at(uuid, timestamptz, boolean) to concierge_app;
grant execute on function event.current_sessions(uuid, text)            to concierge_app;
grant execute on function event.sessions_now(uuid)                      to concierge_app;
grant execute on function event.sessions_next(uuid)                     to concierge_app;
