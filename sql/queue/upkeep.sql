create or replace function queue.upkeep_due_in()
    returns double precision
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select greatest(0, extract(epoch from least(
        (select u.done_at + interval '1 minute' from queue.upkeep_state as u),
        (select min(s.next_at) from queue.schedule as s where s.enabled)) - clock_timestamp()))::double precision;
end;

comment on function queue.upkeep_due_in() is 'Seconds until a schedule is due, or the minute is over.';

grant execute on function queue.upkeep_due_in() to concierge_worker, concierge_admin;

-- What was put off until a time that has passed is not begun any more.
create or replace function queue.bury_the_late()
    returns int
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_job   queue.job;
    v_count int := 0;
begin
    for v_job in
        select j.* from queue.job as j
        where j.deadline <= clock_timestamp() and j.state <> 'running'
        order by j.deadline limit 1000 for update skip locked
    loop
        perform queue.bury(v_job, 'deadline', coalesce(v_job.last_error, 'its time had passed'));
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;

comment on function queue.bury_the_late() is 'Gives up the jobs whose deadline has passed; returns how many.';
-- Granted to nobody.

-- The floors are exact but for a clock that is put back by less than anyone looked: a job below them is found
-- here, within a minute.
create or replace function queue.check_floor()
    returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    update queue.floor as f set floors = '{}', candidate = null
    where exists (
        select from queue.kinds() as k (kind) cross join generate_series(0, 3) as p (priority)
        join queue.job as j on j.state = 'ready' and j.kind = k.kind and j.priority = p.priority
            and j.run_at < queue.floor_of(f.floors, k.kind, p.priority));
    return found;
end
$$;

comment on function queue.check_floor() is 'Forgets the floors if a job is below them; says whether one was.';
-- Granted to nobody.

create or replace function queue.upkeep()
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform queue.run_schedules();
    -- One does it; the others find it done.
    perform from queue.upkeep_state as u where u.done_at <= clock_timestamp() - interval '1 minute'
    for update skip locked;
    if not found then
        return;
    end if;
    perform queue.ensure_history_day(), queue.ensure_history_day((now() at time zone 'UTC')::date + 1);
    perform queue.drop_old_history();
    perform queue.purge(clock_timestamp() - s.dead_letters_for) from queue.setting as s;
    perform queue.recover();
    perform queue.bury_the_late();
    perform queue.check_floor();
    perform queue.drop_emissions();
    update queue.upkeep_state as u set done_at = clock_timestamp();
end
$$;

comment on function queue.upkeep() is
    'Enqueues what is scheduled; once a minute frees the jobs of lost workers, gives up what is past its
deadline, and drops old history. Driven by the daemon, and by pg_cron where there is none.';

grant execute on function queue.upkeep() to concierge_worker, concierge_admin;

-- The daemon learns of it here.
insert into queue.refresh as r (name, channel, due_function, call)
values ('queue_upkeep', 'queue_job', 'queue.upkeep_due_in()', 'select queue.upkeep()')
on conflict (name) do update
    set channel = excluded.channel, due_function = excluded.due_function, call = excluded.call;
