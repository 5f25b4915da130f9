-- Which instants the caches hold, by the clock of the transaction that filled them. Without sequential scans,
-- because the table of marks looks empty when this is planned and is full of dead ones in a burst; without
-- JIT, which takes the planner's penalty for a costly query.
create or replace function event.cache_is_exact(event_id uuid, at timestamptz)
    returns boolean
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set enable_seqscan = off
    set jit = off
as $$
begin
    return exists (
            select from event.refresh_state as s
            where s.valid_from <= cache_is_exact.at and cache_is_exact.at < s.valid_until)
        and not exists (select from event.dirty_marks as d where d.event_id = cache_is_exact.event_id);
end
$$;

comment on function event.cache_is_exact(uuid, timestamptz) is
    'Whether the materialized views answer for this event at this instant exactly as the base tables would:
they cover the instant and no visible write came after the refresh.';

grant execute on function event.cache_is_exact(uuid, timestamptz) to concierge_app;

-- The part of a refresh that needs the owner. Deletes the marks its snapshot sees and refreshes on that same
-- snapshot: a write that commits meanwhile keeps its mark. Must run under the lock and in REPEATABLE READ;
-- event.refresh() sees to both.
create or replace function event.refresh_sessions()
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set jit = off  -- a third of the time otherwise, compiling what runs once
    -- Start and end of a session are not independent, as the planner thinks: it would read all that ever was.
    set enable_seqscan = off
as $$
begin
    if current_setting('transaction_isolation') <> 'repeatable read' then
        perform access.refuse('25001', 'a refresh needs one snapshot for marks and views',
            'Use: call event.refresh()');
    end if;

    delete from event.dirty_marks;
    refresh materialized view concurrently event.mv_sessions_now;
    refresh materialized view concurrently event.mv_sessions_next_60;

    insert into event.refresh_state as s (refreshed_at, valid_from, valid_until, duration)
    values (now(), now() - interval '5 minutes', now() + interval '20 minutes', clock_timestamp() - now())
    on conflict (only_row) do update
        set refreshed_at = excluded.refreshed_at, valid_from = excluded.valid_from,
            valid_until = excluded.valid_until, duration = excluded.duration;
end
$$;

comment on function event.refresh_sessions() is
    'Refreshes both materialized views and clears the marks they now cover. Use call event.refresh().';

grant execute on function event.refresh_sessions() to concierge_worker, concierge_admin;

create or replace function event.refresh_due_in()
    returns double precision
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce((
        select greatest(extract(epoch from s.refreshed_at + case
            -- In a burst the next write undoes a refresh before it is done, so it may take a twentieth of the
            -- time at most; while writes come now and then, a quarter.
            when exists (select from event.dirty_marks offset 100) then 20 * s.duration
            when exists (select from event.dirty_marks) then 4 * s.duration
            -- Renewed every five minutes, long before they run out.
            else interval '5 minutes' end - now()), 0)
        from event.refresh_state as s), 0)::double precision;
end;

comment on function event.refresh_due_in() is
    'Seconds until the session caches want a refresh: 0 at the first mark after a rest, or when none
was ever made.';

grant execute on function event.refresh_due_in() to concierge_worker, concierge_admin;

-- The session lock comes first and in a transaction of its own: taken inside the refreshing one, its snapshot
-- would be older than the lock, and two refreshes would collide on the unique index. Whoever finds the lock
-- taken leaves: the marks stay, and the next look finds them.
--
-- It shares the migrator's lock: while the database is migrated nobody refreshes, and a migrator waits for the
-- refresh under way, which would hold back an index that is built concurrently.
drop procedure if exists event.refresh();
create or replace procedure event.refresh(only_when_due boolean default false)
    language plpgsql
as $$
begin
    -- Refused here when the caller is in a transaction: later, the error would leave the session its locks.
    commit;
    if not pg_catalog.pg_try_advisory_lock(
        pg_catalog.hashtext('concierge'), pg_catalog.hashtext('event.refresh'))
    then
        return;
    end if;
    if (not only_when_due or event.refresh_due_in() operator(pg_catalog.<=) 0)
        and pg_catalog.pg_try_advisory_lock_shared(x'636f6e6369657267'::pg_catalog.int8)
    then
        commit;
        set transaction isolation level repeatable read;
        perform event.refresh_sessions();
        commit;
        perform pg_catalog.pg_advisory_unlock_shared(x'636f6e6369657267'::pg_catalog.int8);
    end if;
    perform pg_catalog.pg_advisory_unlock(
        pg_catalog.hashtext('concierge'), pg_catalog.hashtext('event.refresh'));
end
$$;

comment on procedure event.refresh(boolean) is
    'Refreshes the session caches, outside any transaction: call event.refresh(). Returns at once when another
refresh runs or the database is being migrated, and with only_when_due when there is nothing to refresh.';

grant execute on procedure event.refresh(boolean) to concierge_worker, concierge_admin;

-- The daemon learns of it here.
insert into queue.refresh as r (name, channel, due_function, call)
values ('event_sessions', 'event_refresh', 'event.refresh_due_in()',
    'call event.refresh(only_when_due => true)')
on conflict (name) do update
    set channel = excluded.channel, due_function = excluded.due_function, call = excluded.call;
