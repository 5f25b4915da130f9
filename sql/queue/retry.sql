create or replace function queue.retry(job_id bigint)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update queue.job as j
    set state = 'ready', run_at = clock_timestamp(), attempts = 0, held_by = null
    where j.job_id = retry.job_id and j.state <> 'running';
    if not found then
        with risen as (
            delete from queue.dead_letter as d where d.job_id = retry.job_id returning d.*
        )
        insert into queue.job (job_id, tenant_id, kind, payload, continuation, on_failure, key, priority,
            concurrency_group, rate_group, rate_units, provider, max_attempts, gives_up, token, trace_id, last_error,
            run_at, created_at)
        overriding system value
        select r.job_id, r.tenant_id, r.kind, r.payload, r.continuation, r.on_failure, r.key, r.priority,
            r.concurrency_group, r.rate_group, r.rate_units, r.provider, r.max_attempts, r.gives_up, r.token, r.trace_id,
            r.error, clock_timestamp(), r.created_at
        from risen as r;
    end if;
    if found then
        perform queue.wake();
        return true;
    end if;
    return false;
end
$$;

comment on function queue.retry(bigint) is
    'Makes a job due now, its attempts forgotten: a dead letter, one that is parked, held, or to come later.
False when it runs, or is over. Errors: 23505 another live job has its key.';

grant execute on function queue.retry(bigint) to concierge_admin;

create or replace function queue.retry_many(
    kind text default null, fault text default null, error_like text default null, provider text default null,
    tenant_id uuid default null, died_after timestamptz default '-infinity', max_jobs int default 1000
)
    returns bigint[]
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_jobs bigint[];
begin
    v_jobs := array(
        select d.job_id
        from (
            select l.job_id, l.kind, l.fault, l.error, l.provider, l.tenant_id, l.died_at, l.key
            from queue.dead_letter as l
            union all
            select j.job_id, j.kind, 'config', j.last_error, j.provider, j.tenant_id, j.run_at, null
            from queue.job as j where j.state = 'parked'
        ) as d
        where (retry_many.kind is null or d.kind = retry_many.kind)
            and (retry_many.fault is null or d.fault = retry_many.fault)
            and (retry_many.error_like is null or d.error like retry_many.error_like)
            and (retry_many.provider is null or d.provider = retry_many.provider)
            and (retry_many.tenant_id is null or d.tenant_id = retry_many.tenant_id)
            and d.died_at >= retry_many.died_after
            -- Of one key the newest, if none is live.
            and (d.key is null or not exists (select from queue.job as j where j.key = d.key)
                and not exists (select from queue.dead_letter as l where l.key = d.key and l.job_id > d.job_id))
        order by d.died_at, d.job_id
        limit retry_many.max_jobs);
    return array(select j.job_id from unnest(v_jobs) as j (job_id) where queue.retry(j.job_id));
end
$$;

comment on function queue.retry_many(text, text, text, text, uuid, timestamptz, int) is
    'queue.retry for dead letters and parked jobs that all the given conditions hold for, the oldest first;
returns them. Of those with one key only the newest, and none beside a live job.';

grant execute on function queue.retry_many(text, text, text, text, uuid, timestamptz, int) to concierge_admin;

create or replace function queue.purge(died_before timestamptz, kind text default null, max_jobs int default 10000)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_count int;
begin
    delete from queue.dead_letter as d
    where d.job_id in (
        select l.job_id from queue.dead_letter as l
        where l.died_at < purge.died_before and (purge.kind is null or l.kind = purge.kind)
        order by l.died_at limit purge.max_jobs);
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

comment on function queue.purge(timestamptz, text, int) is
    'Forgets dead letters that died before a time, the oldest first; returns how many.';

grant execute on function queue.purge(timestamptz, text, int) to concierge_admin;
