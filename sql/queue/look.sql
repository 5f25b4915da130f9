-- All a daemon asks in one round trip, so that idling costs one small query a second.
create or replace function queue.look(worker text, kinds text[])
    returns table (refresh_calls text[], has_jobs boolean, next_due_in double precision, to_stop bigint[])
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_now     timestamptz := clock_timestamp();
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
        next_due_in := least(next_due_in, case when v_due_in < 0 then 0 else v_due_in end);
    end loop;

    select min(n.at) into v_next
    from (
        select r.run_at as at
        from queue.floor as f
        cross join unnest(kinds) as k (kind)
        cross join generate_series(0, 3) as p (priority)
        cross join lateral (
            select j.run_at from queue.job as j
            where j.state = 'ready' and j.kind = k.kind and j.priority = p.priority
                and j.run_at >= queue.floor_of(f.floors, k.kind, p.priority)
            order by j.run_at limit 1
        ) as r
        union all
        (select g.opens_at from queue.closed_gate as g order by g.opens_at limit 1)
        union all
        (select w.leased_until from queue.worker as w
         where w.worker <> look.worker order by w.leased_until limit 1)
    ) as n;
    has_jobs := coalesce(v_next <= v_now, false);
    -- An infinite time cannot be subtracted from: "for ever" is never next.
    if v_next < 'infinity' then
        next_due_in := least(next_due_in, greatest(extract(epoch from v_next - v_now), 0));
    end if;
    to_stop := array(
        select j.job_id from queue.job as j where j.worker = look.worker and j.cancel_requested);
    return next;
end
$$;

comment on function queue.look(text, text[]) is
    'What there is to do: statements that refresh; whether a claim may bring jobs of these kinds; in how many
seconds the next thing is due (0 now, null nothing planned); jobs this worker is to stop.';

grant execute on function queue.look(text, text[]) to concierge_worker, concierge_admin;

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
