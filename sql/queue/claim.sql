-- Everything about a worker's jobs hangs on one lease, so that a hundred jobs in hand cost one row to keep.
create or replace function queue.hold_lease(worker text, lease interval)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_until timestamptz := clock_timestamp() + lease;
begin
    -- Not at every claim: versions of this row stay as long as an old snapshot may see them.
    update queue.worker as w set leased_until = v_until
    where w.worker = hold_lease.worker and w.leased_until < v_until - lease / 2;
    if found then
        return;
    end if;
    -- Held all the same: a claim that outlasts the lease must not find its worker, and so its jobs, forgotten.
    perform from queue.worker as w where w.worker = hold_lease.worker for share;
    if not found then
        insert into queue.worker as w (worker, leased_until) values (hold_lease.worker, v_until)
        on conflict on constraint worker_pkey do update set leased_until = excluded.leased_until;
    end if;
end
$$;

comment on function queue.hold_lease(text, interval) is 'Gives a worker a lease, or a longer one.';
-- Granted to nobody: queue.claim calls it.

-- Nobody will end it. An attempt was counted at the claim, so a job that kills its worker runs out of them; those
-- it takes along must not. So a job that is lost once more comes back at a time of its own, each time farther from
-- those it was lost with.
create or replace function queue.lose(j queue.job)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_now   timestamptz := clock_timestamp();
    v_apart interval := least(v_now - coalesce(j.claimed_at, v_now), interval '5 seconds')
        * (least(j.attempts, 5) - 1) * random();
begin
    if j.cancel_requested then
        perform queue.end_cancelled(j);
    elsif j.attempts >= j.max_attempts then
        perform queue.bury(j, 'lost', 'the worker was lost on the last attempt');
    else
        update queue.job as r
        set state = 'ready', worker = null,
            run_at = v_now + v_apart
        where r.job_id = j.job_id;
        perform queue.leave_gates(j);
        perform queue.wake();
    end if;
end
$$;

comment on function queue.lose(queue.job) is 'Frees a job whose worker does not have it any more.';
-- Granted to nobody.

create or replace function queue.extend(
    worker text, lease interval default '30 seconds', in_hand bigint[] default null
)
    returns bigint[]
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_job queue.job;
begin
    update queue.worker as w set leased_until = clock_timestamp() + lease where w.worker = extend.worker;
    if not found then
        return null;
    end if;
    for v_job in
        select j.* from queue.job as j
        where j.worker = extend.worker and j.state = 'running' and j.job_id <> all (extend.in_hand)
        order by j.job_id for update skip locked
    loop
        perform queue.lose(v_job);
    end loop;
    return array(
        select j.job_id from queue.job as j
        where j.worker = extend.worker and j.state = 'running' and j.cancel_requested);
end
$$;

comment on function queue.extend(text, interval, bigint[]) is
    'Makes a worker''s lease end that much from now; returns the jobs it is to stop. Of all it has claimed, what is
not in_hand is freed: the answer to a claim may be lost on its way. Null when the lease had ended and its jobs
were given to others: nothing it has in hand is its own any more.';

grant execute on function queue.extend(text, interval, bigint[]) to concierge_worker;

-- A worker that leaves gives back what it has: nobody's fault, and no attempt.
create or replace function queue.release(worker text)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_job   queue.job;
    v_count int := 0;
begin
    delete from queue.worker as w where w.worker = release.worker;
    for v_job in
        update queue.job as j
        set state = 'ready', run_at = clock_timestamp(), attempts = j.attempts - 1, worker = null
        where j.worker = release.worker and j.state = 'running'
        returning j.*
    loop
        if v_job.cancel_requested then
            perform queue.end_cancelled(v_job);
        else
            perform queue.leave_gates(v_job);
        end if;
        v_count := v_count + 1;
    end loop;
    if v_count > 0 then
        perform queue.wake();
    end if;
    return v_count;
end
$$;

comment on function queue.release(text) is
    'Gives back all that a worker has claimed and not ended, and its lease; returns how many jobs.';

grant execute on function queue.release(text) to concierge_worker;

create or replace function queue.recover()
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_worker text;
    v_job    queue.job;
    v_count  int := 0;
begin
    for v_worker in
        select w.worker from queue.worker as w where w.leased_until < clock_timestamp() for update skip locked
    loop
        for v_job in
            select j.* from queue.job as j where j.worker = v_worker and j.state = 'running'
            order by j.job_id for update skip locked
        loop
            v_count := v_count + 1;
            perform queue.lose(v_job);
        end loop;
        -- One that is being ended at this moment keeps the row until the next time.
        delete from queue.worker as w
        where w.worker = v_worker
            and not exists (select from queue.job as j where j.worker = v_worker and j.state = 'running');
    end loop;
    return v_count;
end
$$;

comment on function queue.recover() is
    'Frees the jobs of workers whose lease has ended; returns how many. Every claim does it first.';

grant execute on function queue.recover() to concierge_admin;

-- The claim reads its index from the floor. Below it nothing is ready, now or ever: a row is written with
-- run_at read from the clock under the table's lock, so what is still to appear below the candidate is in the
-- hands of a transaction that held that lock then; when those are over, the candidate becomes the floor.
create or replace function queue.raise_floor()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_now     timestamptz := clock_timestamp();
    v_floor   queue.floor;
    v_writers text[];
begin
    select f.* into v_floor from queue.floor as f
    where v_now not between f.raised_at and f.raised_at + interval '5 seconds' for update skip locked;
    -- An older snapshot than now would not see what has become ready since.
    if not found or current_setting('transaction_isolation') <> 'read committed' then
        return;
    elsif v_floor.raised_at > v_now then
        update queue.floor as f set floors = '{}', raised_at = v_now, candidate = null;
        return;
    end if;

    v_writers := array(
        select l.virtualtransaction from pg_locks as l
        where l.relation = 'queue.job'::regclass
            and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
            and l.database = (select d.oid from pg_database as d where d.datname = current_database())
            and l.pid is distinct from pg_backend_pid());
    if v_floor.candidate is not null and not v_floor.waits_for && v_writers then
        update queue.floor as f
        set raised_at = v_now, candidate = v_now, waits_for = v_writers,
            floors = (
                select jsonb_object_agg(k.kind || '/' || p.priority, least(v_floor.candidate - interval '1 second', (
                    select min(j.run_at) from queue.job as j
                    where j.state = 'ready' and j.kind = k.kind and j.priority = p.priority
                        and j.run_at >= queue.floor_of(v_floor.floors, k.kind, p.priority))))
                from queue.kinds() as k (kind) cross join generate_series(0, 3) as p (priority));
    else
        update queue.floor as f
        set raised_at = v_now, candidate = coalesce(f.candidate, v_now),
            waits_for = case when f.candidate is null then v_writers else f.waits_for end;
    end if;
end
$$;

comment on function queue.raise_floor() is
    'Every few seconds, has claims skip what has been claimed since; an old snapshot keeps that in their index.';
-- Granted to nobody: queue.claim calls it.

-- Without a pinned search_path, so that it becomes part of the queries that ask: a call would cost each claim a
-- millisecond.
create or replace function queue.floor_of(floors jsonb, kind text, priority int)
    returns timestamptz
    language sql stable
begin atomic
    select coalesce((floors ->> (kind || '/' || priority))::timestamptz, '-infinity');
end;

comment on function queue.floor_of(jsonb, text, int) is 'Where a claim of this kind and priority begins.';
-- Granted to nobody.

create or replace function queue.kinds()
    returns setof text
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    values ('call'), ('deliver'), ('fetch'), ('convert'), ('embed'), ('generate'), ('rerank');
end;

comment on function queue.kinds() is 'The effects there are.';
-- Granted to nobody.

create or replace function queue.start(jobs bigint[], worker text)
    returns setof queue.job
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    update queue.job as j
    set state = 'running', attempts = j.attempts + 1, token = j.token + 1, worker = start.worker,
        claimed_at = clock_timestamp()
    where j.job_id = any (start.jobs)
    returning j.*;
end;

comment on function queue.start(bigint[], text) is 'Gives ready jobs to a worker, with the next token each.';
-- Granted to nobody: queue.claim calls it.

-- Short, and never waits: SKIP LOCKED keeps workers out of each other's way. By priority; the kinds of one
-- priority in any order, so that none is always last.
create or replace function queue.claim(
    worker text, kinds text[], max_jobs int default 1, lease interval default '30 seconds'
)
    returns table (
        job_id bigint, token bigint, kind text, payload jsonb, attempt int, trace_id text, deadline timestamptz
    )
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_now     timestamptz;
    v_floors  jsonb;
    v_kind    text;
    v_priority int;
    v_job     queue.job;
    v_after   record;
    v_gate    text;
    v_plain   bigint[] := array[]::bigint[];
    v_gated   queue.job[] := array[]::queue.job[];
    v_held    bigint[] := array[]::bigint[];
    v_gates   text[]   := array[]::text[];
    v_left    int := max_jobs;
    v_found   boolean;
begin
    if kinds is null or worker is null or max_jobs is null then
        perform access.refuse('22004', 'a claim names a worker, kinds and a number of jobs', null);
    end if;
    perform queue.hold_lease(claim.worker, claim.lease);
    if exists (select from queue.worker as w where w.leased_until < clock_timestamp()) then
        perform queue.recover();
    end if;
    perform queue.open_gates();
    perform queue.raise_floor();
    -- Here, where it is committed at once, and not first by an end whose continuation may take long; if nobody
    -- else is at it, for a claim does not wait.
    if pg_try_advisory_xact_lock(hashtext('concierge'), hashtext('queue.history')) then
        perform queue.ensure_history_day();
    end if;
    select f.floors into v_floors from queue.floor as f;
    v_now := clock_timestamp();

    for v_kind, v_priority in
        select k.kind, p.priority from unnest(kinds) as k (kind) cross join generate_series(0, 3) as p (priority)
        order by p.priority, random()
    loop
        select queue.floor_of(v_floors, v_kind, v_priority) as run_at, 0::bigint as job_id into v_after;
        loop
            exit when v_left <= 0 or cardinality(v_held) >= 1000;
            v_found := false;
            for v_job in
                select j.* from queue.job as j
                where j.state = 'ready' and j.kind = v_kind and j.priority = v_priority
                    and (j.run_at, j.job_id) > (v_after.run_at, v_after.job_id) and j.run_at <= v_now
                order by j.run_at, j.job_id
                limit v_left
                for update skip locked
            loop
                v_found := true;
                select v_job.run_at, v_job.job_id into v_after;
                if v_job.deadline <= v_now then
                    perform queue.bury(v_job, 'deadline', coalesce(v_job.last_error, 'its time had passed'));
                    continue;
                elsif v_job.provider is null and v_job.concurrency_group is null and v_job.rate_group is null then
                    v_plain := v_plain || v_job.job_id;
                else
                    v_gate := queue.gate_of(v_job);
                    continue when v_gate <> '' and queue.turn_away(v_job, v_gate);
                    if v_gate <> '' then
                        v_held := v_held || v_job.job_id;
                        v_gates := v_gates || v_gate;
                    end if;
                    continue when v_gate is not null;
                    -- At once: the next of its group counts it.
                    v_gated := v_gated || array(select s from queue.start(array[v_job.job_id], claim.worker) as s);
                end if;
                v_left := v_left - 1;
            end loop;
            exit when not v_found;
        end loop;
        exit when v_left <= 0;
    end loop;
    if v_held <> '{}' then
        perform queue.hold(v_held, v_gates);
    end if;
    if v_plain = '{}' and v_gated = '{}' then
        return;
    end if;

    return query
    select j.job_id, j.token, j.kind, j.payload, j.attempts,
        replace(queue.trace_of(j.trace_id, j.job_id, j.created_at)::text, '-', ''), j.deadline
    from (select p.* from queue.start(v_plain, claim.worker) as p union all select g.* from unnest(v_gated) as g) as j;
end
$$;

comment on function queue.claim(text, text[], int, interval) is
    'Takes due jobs of these kinds for this worker, whose lease all of them hang on: job_id, fencing token, kind,
payload, which attempt it is, W3C trace id, deadline. Nobody else gets them before the lease ends.
Errors: 22004 a null argument.';

grant execute on function queue.claim(text, text[], int, interval) to concierge_worker;
