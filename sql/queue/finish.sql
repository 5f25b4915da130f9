-- Of the server or of a collision, not of the job: the same call may well pass in a moment.
create or replace function queue.is_passing(sqlstate text)
    returns boolean
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select left(sqlstate, 2) in ('40', '53', '57', '58') or sqlstate = '55P03';
end;

comment on function queue.is_passing(text) is
    'Whether an error says nothing about the job: deadlock, serialization, resources, shutdown, lock.';
-- Granted to nobody.

-- The result takes effect exactly once: the continuation runs in this transaction, and a stale token changes
-- nothing. The job is history before its continuation runs, so that this can read it, and enqueue the next one of its
-- key.
create or replace function queue.finish(job_id bigint, token bigint, result jsonb default '{}')
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job   queue.job;
    v_state text;
    v_error text;
begin
    perform queue.ensure_history_day();
    begin
        delete from queue.job as j
        where j.job_id = finish.job_id and j.token = finish.token and j.state = 'running'
        returning j.* into v_job;
        if not found then
            return false;
        end if;
        insert into queue.history (job_id, tenant_id, kind, payload, key, state, result, attempts, worker,
            trace_id, created_at, claimed_at, finished_at)
        values (v_job.job_id, v_job.tenant_id, v_job.kind, v_job.payload, v_job.key, 'done', finish.result,
            v_job.attempts, v_job.worker, queue.trace_of(v_job.trace_id, v_job.job_id, v_job.created_at),
            v_job.created_at, v_job.claimed_at, clock_timestamp());
        if v_job.continuation is not null then
            perform queue.run_function(v_job.continuation, v_job.job_id, finish.result);
        end if;
    exception when others then
        get stacked diagnostics v_state = returned_sqlstate, v_error = message_text;
        if queue.is_passing(v_state) then
            raise;
        end if;
    end;
    if v_state is not null then
        return queue.fail(finish.job_id, finish.token, format('%s raised %s: %s', v_job.continuation, v_state, v_error),
            sqlstate => v_state);
    end if;
    if v_job.provider is not null then
        perform queue.provider_answered(v_job.provider);
    end if;
    perform queue.leave_gates(v_job);
    return true;
end
$$;

comment on function queue.finish(bigint, bigint, jsonb) is
    'Ends a job with its result and runs its continuation, in one transaction; a continuation that raises is a
fault of the job, with its SQLSTATE. False when the token is stale.';

grant execute on function queue.finish(bigint, bigint, jsonb) to concierge_worker;

create or replace function queue.payload_of(job_id bigint)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select h.payload from queue.history as h
    where h.job_id = payload_of.job_id and h.finished_at >= now();
end;

comment on function queue.payload_of(bigint) is 'The payload of a job that this transaction has ended: for its continuation.';
-- Granted to nobody: continuations call it.

-- History tells what was done, and need not keep a file that has found its place.
create or replace function queue.forget(job_id bigint, keys text[])
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    update queue.history as h
    set payload = h.payload - forget.keys, result = h.result - forget.keys
    where h.job_id = forget.job_id and h.finished_at >= now();
end;

comment on function queue.forget(bigint, text[]) is
    'Takes keys out of what history keeps of a job that this transaction has ended: for its continuation.';
-- Granted to nobody: continuations call it.

-- Each job is found by its number. Were the state there to be seen, statistics of a moment when nothing ran would
-- have all that runs read instead, again for each job, with every entry that an old snapshot keeps. In SQL, which
-- is planned anew at each call: a plan made when the table was small is no good when it has grown. What generates may leave
-- text behind, which queue.leave_gates takes away.
create or replace function queue.finish_plain(jobs bigint[], tokens bigint[], results jsonb[])
    returns bigint[]
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    with ended as (
        delete from queue.job as j
        using rows from (unnest(jobs), unnest(tokens), unnest(results)) as e (job_id, token, result)
        where j.job_id = e.job_id and j.token = e.token and j.state || '' = 'running' and j.continuation is null
            and j.provider is null and j.concurrency_group is null and j.kind <> 'generate'
        returning j.*, e.result
    ), kept as (
        insert into queue.history (job_id, tenant_id, kind, payload, key, state, result, attempts, worker,
            trace_id, created_at, claimed_at, finished_at)
        select e.job_id, e.tenant_id, e.kind, e.payload, e.key, 'done', e.result, e.attempts, e.worker,
            queue.trace_of(e.trace_id, e.job_id, e.created_at), e.created_at, e.claimed_at, clock_timestamp()
        from ended as e
        returning job_id
    )
    select coalesce(array_agg(k.job_id), '{}') from kept as k;
end;

comment on function queue.finish_plain(bigint[], bigint[], jsonb[]) is
    'Ends those of the jobs that have neither continuation nor gate, in one statement; returns them.';
-- Granted to nobody.

-- Plain jobs end together; of the others each stands alone, so that one whose continuation raises does not undo
-- its neighbours.
create or replace function queue.finish_many(jobs bigint[], tokens bigint[], results jsonb[])
    returns bigint[]
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_done bigint[];
    v_end  record;
begin
    perform queue.ensure_history_day();
    v_done := queue.finish_plain(finish_many.jobs, finish_many.tokens, finish_many.results);
    if cardinality(v_done) < cardinality(jobs) then
        for v_end in
            select e.job_id, e.token, e.result
            from rows from (unnest(jobs), unnest(tokens), unnest(results)) as e (job_id, token, result)
            where e.job_id <> all (v_done)
            order by e.job_id
        loop
            if queue.finish(v_end.job_id, v_end.token, v_end.result) then
                v_done := v_done || v_end.job_id;
            end if;
        end loop;
    end if;
    return v_done;
end
$$;

comment on function queue.finish_many(bigint[], bigint[], jsonb[]) is
    'queue.finish for many jobs, side by side in three arrays; returns those whose token was good.';

grant execute on function queue.finish_many(bigint[], bigint[], jsonb[]) to concierge_worker;
