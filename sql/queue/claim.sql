-- Short: one statement, no effect performed inside. Attempts count here, so that a job that kills its
-- worker runs out of them; an expired lease is claimed like a ready job. SKIP LOCKED keeps workers out of
-- each other's way.
create or replace function queue.claim(
    worker text, kinds text[], max_jobs int default 1, lease interval default '30 seconds'
)
    returns table (job_id bigint, token bigint, kind text, payload jsonb)
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with exhausted as (
        select j.job_id
        from queue.job as j
        where j.state = 'running' and j.leased_until < now() and j.attempts >= j.max_attempts
        for update skip locked
    ), buried as (
        update queue.job as j
        set state = 'dead', finished_at = now(), worker = null, leased_until = null,
            last_error = 'the worker was lost on the last attempt'
        from exhausted
        where j.job_id = exhausted.job_id
    ), due as (
        select j.job_id
        from queue.job as j
        where j.kind = any (claim.kinds)
            and (j.state = 'ready' and j.run_at <= now()
                or j.state = 'running' and j.leased_until < now() and j.attempts < j.max_attempts)
        order by j.run_at, j.job_id
        limit claim.max_jobs
        for update skip locked
    )
    update queue.job as j
    set state = 'running', attempts = j.attempts + 1, token = j.token + 1, worker = claim.worker,
        leased_until = now() + claim.lease
    from due
    where j.job_id = due.job_id
    returning j.job_id, j.token, j.kind, j.payload;
end;

comment on function queue.claim(text, text[], int, interval) is
    'Takes due jobs of these kinds for this worker: job_id, fencing token, kind, payload. Nobody else gets
them before the lease ends.';

grant execute on function queue.claim(text, text[], int, interval) to concierge_worker;

create or replace function queue.extend(job_id bigint, token bigint, lease interval default '30 seconds')
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with extended as (
        update queue.job as j set leased_until = now() + extend.lease
        where j.job_id = extend.job_id and j.token = extend.token and j.state = 'running'
        returning j.job_id
    )
    select exists (select from extended);
end;

comment on function queue.extend(bigint, bigint, interval) is
    'Lengthens a lease; false when the token is stale.';

grant execute on function queue.extend(bigint, bigint, interval) to concierge_worker;
