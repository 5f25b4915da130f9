-- Twice as long after every attempt, from a second to an hour, and a little more or less so that jobs that
-- failed together do not come back together.
create or replace function queue.back_off(attempts int)
    returns interval
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select least(power(2, least(greatest(attempts, 1) - 1, 12)), 3600) * (0.75 + random() / 2) * interval '1 second';
end;

comment on function queue.back_off(int) is 'How long to wait after so many attempts.';
-- Granted to nobody.

-- Not before a moment: what the provider said, for everybody who shares the rate.
create or replace function queue.block_rate(rate_group text, until timestamptz)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    -- A group that nobody limited gets a limit that only blocks.
    insert into queue.rate_limit as l (rate_group, requests, every, requests_left, blocked_until)
    values (block_rate.rate_group, 'infinity', interval '1 second', 'infinity', block_rate.until)
    on conflict (rate_group) do update
        set blocked_until = greatest(l.blocked_until, excluded.blocked_until);
    update queue.closed_gate as g set opens_at = greatest(g.opens_at, block_rate.until)
    where g.gate = 'rate:' || block_rate.rate_group and g.opens_at < 'infinity';
end;

comment on function queue.block_rate(text, timestamptz) is 'Lets no request of a rate group through before a moment.';
-- Granted to nobody.

create or replace function queue.is_last(j queue.job, fault text)
    returns boolean
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not j.gives_up then
        return fault = 'item' and j.attempts >= j.max_attempts;
    end if;
    return fault = 'config' or j.attempts >= j.max_attempts or fault = 'provider' and exists (
        select from queue.breaker_state as b
        where b.provider = coalesce(j.provider, j.kind) and b.state <> 'closed');
end
$$;

comment on function queue.is_last(queue.job, text) is 'Whether no attempt follows one that ended with such a fault.';
-- Granted to nobody: queue.fail calls it.

create or replace function queue.fail(
    job_id bigint, token bigint, error text, fault text default 'item', retry_after interval default null,
    sqlstate text default null, reason text default null, final boolean default false
)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job   queue.job;
    v_now   timestamptz := clock_timestamp();
    -- A server that asks for a week is not believed, nor one that asks for yesterday.
    v_after interval := case when retry_after < interval '0' then interval '0'
        when retry_after > interval '1 day' then interval '1 day' else retry_after end;
    v_rate  text;
    v_soon  interval := case when v_after <= interval '5 seconds' then v_after end;
begin
    if fault is null or fault not in ('item', 'provider', 'rate', 'config') then
        perform access.refuse('22023', format('"%s" is no class of faults', fault),
            'item, provider, rate or config.');
    end if;
    select j.* into v_job from queue.job as j
    where j.job_id = fail.job_id and j.token = fail.token and j.state = 'running' for update;
    if not found then
        return false;
    elsif v_job.cancel_requested then
        perform queue.end_cancelled(v_job);
        return true;
    end if;
    v_rate := coalesce(v_job.rate_group, v_job.provider);

    if v_job.provider is not null and fault in ('item', 'rate') then
        perform queue.provider_answered(v_job.provider);
    elsif fault = 'provider' then
        perform queue.provider_failed(coalesce(v_job.provider, v_job.kind), error, v_after);
    end if;
    if fault = 'rate' and v_rate is not null then
        perform queue.block_rate(v_rate, v_now + coalesce(v_after, interval '1 second'));
    end if;

    if final or queue.is_last(v_job, fault) then
        perform queue.bury(v_job, fault, error, fail.sqlstate, fail.reason);
        return true;
    end if;

    update queue.job as j
    set state      = case fault when 'config' then 'parked' else 'ready' end,
        -- Only the item's own faults count, where there is no other way.
        attempts   = j.attempts - case when fault = 'item' or j.gives_up then 0 else 1 end,
        run_at     = v_now + case
            when j.gives_up then coalesce(v_soon, queue.back_off(j.attempts))
            when fault = 'item' then greatest(v_after, queue.back_off(j.attempts))
            when fault = 'rate' then coalesce(v_after, interval '1 second')
            -- With its age: a provider that is down for an hour is not asked every second.
            when fault = 'provider' then greatest(v_after, queue.back_off(
                1 + ln(greatest(extract(epoch from v_now - j.created_at) / 4, 1))::int))
            else interval '0' end,
        provider_faults = j.provider_faults + case fault when 'provider' then 1 else 0 end,
        worker     = null,
        last_error = left(fail.error, 2000)
    where j.job_id = v_job.job_id;

    if fault = 'rate' and v_rate is not null and not v_job.gives_up then
        perform queue.hold(array[v_job.job_id], array['rate:' || v_rate]);
    end if;
    perform queue.leave_gates(v_job);
    return true;
end
$$;

comment on function queue.fail(bigint, bigint, text, text, interval, text, text, boolean) is
    'Ends an attempt without a result. fault says whose it was: item counts, and is tried again later, or dead at
the limit; provider counts for the breaker, not for the job; rate waits for retry_after with all of its rate
group, uncounted, and goes first when it opens; config is parked until queue.retry. Of a job that gives_up all count, none is
parked, and none waits for more than a few seconds. reason is the provider''s kind of fault, which on_failure is told; final
gives the job up now, whatever attempts are left. False when the token is stale. Errors: 22023 another fault.';

grant execute on function queue.fail(bigint, bigint, text, text, interval, text, text, boolean) to concierge_worker;
