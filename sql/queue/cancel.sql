create or replace function queue.cancel(job_id bigint)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with cancelled as (
        update queue.job as j set state = 'cancelled', finished_at = now()
        where j.job_id = cancel.job_id and j.state = 'ready'
        returning j.job_id
    )
    select exists (select from cancelled);
end;

comment on function queue.cancel(bigint) is 'Takes back a job that has not been claimed; false when it has.';

grant execute on function queue.cancel(bigint) to concierge_admin;

create or replace function queue.retry(job_id bigint)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with revived as (
        update queue.job as j set state = 'ready', attempts = 0, run_at = now(), finished_at = null
        where j.job_id = retry.job_id and j.state = 'dead'
        returning j.job_id
    )
    select exists (select from revived);
end;

comment on function queue.retry(bigint) is
    'Makes a dead job ready again, its attempts forgotten; false when it is not dead.
Errors: 23505 another live job has its key.';

grant execute on function queue.retry(bigint) to concierge_admin;
