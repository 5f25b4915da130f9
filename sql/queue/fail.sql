-- Waits twice as long after every attempt, from a second to an hour, and a little more or less so that jobs
-- that failed together do not come back together.
create or replace function queue.fail(job_id bigint, token bigint, error text)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with failed as (
        update queue.job as j
        set state        = case when j.attempts >= j.max_attempts then 'dead' else 'ready' end,
            run_at       = now() + least(power(2, least(j.attempts - 1, 12)), 3600)
                * (0.75 + random() / 2) * interval '1 second',
            finished_at  = case when j.attempts >= j.max_attempts then now() end,
            leased_until = null,
            worker       = null,
            last_error   = left(fail.error, 2000)
        where j.job_id = fail.job_id and j.token = fail.token and j.state = 'running'
        returning j.job_id
    )
    select exists (select from failed);
end;

comment on function queue.fail(bigint, bigint, text) is
    'Counts a failed attempt: tried again later, or dead at the limit. False when the token is stale.';

grant execute on function queue.fail(bigint, bigint, text) to concierge_worker;
