create or replace function queue.set_schedule(
    name text, timing text, kind text default 'call', payload jsonb default '{}', continuation text default null,
    time_zone text default 'UTC', missed text default 'once', options jsonb default '{}',
    tenant_id uuid default null
)
    returns timestamptz
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_next timestamptz := queue.next_time(set_schedule.timing, clock_timestamp(), set_schedule.time_zone);
begin
    perform queue.require_function(set_schedule.continuation);
    insert into queue.schedule as s (name, timing, kind, payload, continuation, time_zone, missed, options,
        tenant_id, next_at)
    values (set_schedule.name, set_schedule.timing, set_schedule.kind, set_schedule.payload,
        set_schedule.continuation, set_schedule.time_zone, set_schedule.missed, set_schedule.options,
        set_schedule.tenant_id, v_next)
    on conflict (name) do update
        set timing = excluded.timing, kind = excluded.kind, payload = excluded.payload,
            continuation = excluded.continuation, time_zone = excluded.time_zone, missed = excluded.missed,
            options = excluded.options, tenant_id = excluded.tenant_id, enabled = true, last_error = null,
            -- Said again unchanged, it keeps its time.
            next_at = case when (s.timing, s.time_zone) = (excluded.timing, excluded.time_zone) and s.enabled
                then s.next_at else excluded.next_at end;
    perform queue.wake();
    return v_next;
end
$$;

comment on function queue.set_schedule(text, text, text, jsonb, text, text, text, jsonb, uuid) is
    'Has a job enqueued again and again, at the times queue.next_time finds for timing; returns the next one. A
time that comes while the last job is still live adds none. What was missed is run once, or skipped. options are
further arguments of queue.enqueue by their names. Errors: QC212 unknown continuation, 23514, those of
queue.next_time.';
-- Granted to nobody, as queue.enqueue.

create or replace function queue.pause_schedule(name text)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with paused as (
        update queue.schedule as s set enabled = false where s.name = pause_schedule.name returning s.name
    )
    select exists (select from paused);
end;

comment on function queue.pause_schedule(text) is
    'Enqueues nothing more until queue.resume_schedule; false when there is none of that name.';

grant execute on function queue.pause_schedule(text) to concierge_admin;

create or replace function queue.resume_schedule(name text)
    returns timestamptz
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    update queue.schedule as s
    set enabled = true, next_at = queue.next_time(s.timing, clock_timestamp(), s.time_zone)
    where s.name = resume_schedule.name
    returning s.next_at;
end;

comment on function queue.resume_schedule(text) is
    'Goes on with a schedule that was paused, from now; returns its next time, null when there is none.';

grant execute on function queue.resume_schedule(text) to concierge_admin;

create or replace function queue.drop_schedule(name text)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with gone as (delete from queue.schedule as s where s.name = drop_schedule.name returning s.name)
    select exists (select from gone);
end;

comment on function queue.drop_schedule(text) is 'Ends a schedule; a job of it that is live stays.';

grant execute on function queue.drop_schedule(text) to concierge_admin;

-- Time and job are written together: whoever does it, and whenever it is killed, a time has one job.
create or replace function queue.run_schedules()
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_now      timestamptz := clock_timestamp();
    v_schedule queue.schedule;
    v_job_id   bigint;
    v_error    text;
    v_state    text;
    v_count    int := 0;
begin
    for v_schedule in
        select s.* from queue.schedule as s where s.enabled and s.next_at <= v_now
        order by s.next_at, s.name for update skip locked
    loop
        v_job_id := null;
        v_error := null;
        -- pg_cron alone looks once a minute: what it finds is not missed.
        if v_schedule.missed = 'once' or v_schedule.next_at > v_now - interval '2 minutes' then
            begin
                v_job_id := queue.enqueue_many(jsonb_build_array(v_schedule.options || jsonb_build_object(
                    'kind', v_schedule.kind, 'payload', v_schedule.payload,
                    'continuation', v_schedule.continuation, 'tenant_id', v_schedule.tenant_id,
                    'key', 'schedule:' || v_schedule.name)));
                v_count := v_count + 1;
            exception when others then
                -- One that cannot be enqueued must not stop the others.
                get stacked diagnostics v_state = returned_sqlstate, v_error = message_text;
                if queue.is_passing(v_state) then
                    raise;
                end if;
                v_error := format('%s: %s', v_state, v_error);
            end;
        end if;
        update queue.schedule as s
        set next_at = queue.next_time(s.timing, v_now, s.time_zone), last_error = v_error,
            last_at = case when v_job_id is null then s.last_at else s.next_at end,
            last_job_id = coalesce(v_job_id, s.last_job_id)
        where s.name = v_schedule.name;
    end loop;
    return v_count;
end
$$;

comment on function queue.run_schedules() is
    'Enqueues a job for every schedule whose time has come; returns how many.';
-- Granted to nobody: queue.upkeep calls it.
