-- All a daemon asks in one round trip, so that idling costs one small query a second.
create or replace function queue.look(kinds text[])
    returns table (refresh_calls text[], jobs_due int, next_due_in double precision)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_refresh queue.refresh;
    v_due_in  double precision;
    v_next    timestamptz;
begin
    refresh_calls := '{}';
    for v_refresh in select r.* from queue.refresh as r order by r.name loop
        -- Cast to regprocedure: the row names a function, it is not trusted as SQL.
        execute format('select %s()', v_refresh.due_function::regprocedure::regproc) into v_due_in;
        if v_due_in <= 0 then
            refresh_calls := refresh_calls || v_refresh.call;
        end if;
        next_due_in := least(next_due_in, v_due_in);
    end loop;

    -- An infinite time cannot be subtracted from: "for ever" is never next, "since ever" is now.
    select (count(*) filter (where d.at <= now()))::int,
        min(greatest(d.at, now())) filter (where d.at < 'infinity')
    into jobs_due, v_next
    from (
        (select j.run_at as at from queue.job as j
         where j.state = 'ready' and j.kind = any (kinds) order by j.run_at limit 100)
        union all
        (select j.leased_until from queue.job as j
         where j.state = 'running' and j.kind = any (kinds) order by j.leased_until limit 100)
    ) as d;
    next_due_in := least(next_due_in, extract(epoch from v_next - now()));
    if next_due_in < 0 then
        next_due_in := 0;
    end if;
    return next;
end
$$;

comment on function queue.look(text[]) is
    'What there is to do: statements that refresh, how many jobs of these kinds are due (at most 200 are
counted), and in how many seconds the next is (0 now, null nothing planned).';

grant execute on function queue.look(text[]) to concierge_worker, concierge_admin;

create or replace function queue.channels()
    returns table (channel text)
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select distinct r.channel from queue.refresh as r
    union
    select 'queue_job' as channel
    order by 1;
end;

comment on function queue.channels() is
    'Channels a daemon listens on. A notification says "look", never what.';

grant execute on function queue.channels() to concierge_worker, concierge_admin;
