-- Exact reads. Stable, so that the check and the rows come from one snapshot: a refresh or a write in between changes neither.
create or replace function event.sessions_now(event_id uuid)
    returns setof event.session_details
    language plpgsql stable rows 60
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_event event.events := event.require(event_id);
    v_now   timestamptz  := access.clock();
begin
    if event.cache_is_exact(v_event.event_id, v_now) then
        return query
            select c.* from event.cached_sessions_now as c
            where c.event_id = v_event.event_id and c.session_start <= v_now and c.session_end > v_now;
    else
        return query
            select d.* from event.session_details as d
            where d.event_id = v_event.event_id and d.session_start <= v_now and d.session_end > v_now;
    end if;
end
$$;

comment on function event.sessions_now(uuid) is
    'Sessions that are on at access.clock(): started, and not ended. Exact even while the caches are behind.
Errors: 22004 null, QC201 unknown event.';

grant execute on function event.sessions_now(uuid) to concierge_app;

create or replace function event.sessions_next(event_id uuid)
    returns setof event.session_details
    language plpgsql stable rows 60
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_event event.events := event.require(event_id);
    v_now   timestamptz  := access.clock();
begin
    if event.cache_is_exact(v_event.event_id, v_now) then
        return query
            select c.* from event.cached_sessions_next_60 as c
            where c.event_id = v_event.event_id
                and c.session_start > v_now and c.session_start <= v_now + interval '60 minutes';
    else
        return query
            select d.* from event.session_details as d
            where d.event_id = v_event.event_id
                and d.session_start > v_now and d.session_start <= v_now + interval '60 minutes';
    end if;
end
$$;

comment on function event.sessions_next(uuid) is
    'Sessions that start within 60 minutes after access.clock(). Exact even while the caches are behind.
Errors: 22004 null, QC201 unknown event.';

grant execute on function event.sessions_next(uuid) to concierge_app;
