-- A job may have to wait for others: for a place in its concurrency group, for its share of a rate, for a
-- provider that is down. It is then held, off the index that claims read, so that a thousand jobs that cannot
-- run cost nothing; what opens the gate lets through as many as may go, the oldest first.

create or replace function queue.limit_concurrency(concurrency_group text, max_running int)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into queue.concurrency_limit as l (concurrency_group, max_running)
    values (limit_concurrency.concurrency_group, limit_concurrency.max_running)
    on conflict (concurrency_group) do update set max_running = excluded.max_running;
    update queue.closed_gate as g set opens_at = now()
    where g.gate = 'concurrency:' || limit_concurrency.concurrency_group;
end;

comment on function queue.limit_concurrency(text, int) is
    'How many jobs of a concurrency group run at once; without it, one. Errors: 23514 not above zero.';

grant execute on function queue.limit_concurrency(text, int) to concierge_admin;

create or replace function queue.limit_rate(
    rate_group text, requests double precision, every interval, units double precision default null
)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into queue.rate_limit as l (rate_group, requests, units, every, requests_left, units_left)
    values (limit_rate.rate_group, limit_rate.requests, limit_rate.units, limit_rate.every,
        limit_rate.requests, limit_rate.units)
    on conflict (rate_group) do update
        set requests = excluded.requests, units = excluded.units, every = excluded.every,
            requests_left = least(l.requests_left, excluded.requests),
            units_left = least(coalesce(l.units_left, excluded.units), excluded.units);
    update queue.closed_gate as g set opens_at = now() where g.gate = 'rate:' || limit_rate.rate_group;
end;

comment on function queue.limit_rate(text, double precision, interval, double precision) is
    'How many requests, and units of weight, a rate group has in an interval: a bucket of that size, filled
steadily. A provider is the rate group of its jobs that name none. Errors: 23514 not above zero.';

grant execute on function queue.limit_rate(text, double precision, interval, double precision) to concierge_admin;

-- What is in the bucket at a moment. A limit that nobody set is infinite, and infinity must not meet zero.
create or replace function queue.refilled(l queue.rate_limit, at timestamptz, out requests double precision,
    out units double precision)
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select least(l.requests, l.requests_left + case when l.requests = 'infinity' then 0 else
            l.requests * greatest(extract(epoch from at - l.refilled_at), 0) / extract(epoch from l.every) end),
        least(l.units, l.units_left
            + l.units * greatest(extract(epoch from at - l.refilled_at), 0) / extract(epoch from l.every));
end;

comment on function queue.refilled(queue.rate_limit, timestamptz) is
    'Requests and units in a bucket at a moment.';
-- Granted to nobody.

-- What weighs more than the bucket holds goes when it is full, and leaves it in debt.
create or replace function queue.rate_opens_at(l queue.rate_limit, weight double precision, at timestamptz)
    returns timestamptz
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select greatest(l.blocked_until,
        case when f.requests < 1
            then at + (least(1, l.requests) - f.requests) / l.requests * l.every else '-infinity' end,
        case when f.units < least(rate_opens_at.weight, l.units)
            then at + (least(rate_opens_at.weight, l.units) - f.units) / l.units * l.every
            else '-infinity' end)
    from queue.refilled(l, at) as f;
end;

comment on function queue.rate_opens_at(queue.rate_limit, double precision, timestamptz) is
    'When a request of this weight may go; in the past when it may go now.';
-- Granted to nobody.

-- Locks are only tried: a claim waits for nobody. What another claim is deciding about is left for the next.
create or replace function queue.gate_of(j queue.job)
    returns text
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_now     timestamptz := clock_timestamp();
    v_breaker queue.breaker_state;
    v_rate    queue.rate_limit;
    v_filled  record;
    v_name    text := coalesce(j.rate_group, j.provider);
    v_probes  boolean := false;
begin
    select b.* into v_breaker from queue.breaker_state as b
    where b.provider = j.provider and b.state <> 'closed' for update skip locked;
    if found then
        v_probes := v_breaker.retry_at <= v_now and (v_breaker.state = 'open' or v_breaker.probe = j.job_id
            or not exists (
                select from queue.job as p where p.job_id = v_breaker.probe and p.state = 'running'));
        if not v_probes then
            return 'breaker:' || j.provider;
        end if;
    elsif exists (select from queue.breaker_state as b where b.provider = j.provider and b.state <> 'closed') then
        return '';
    end if;

    if j.concurrency_group is not null then
        if not pg_try_advisory_xact_lock(hashtext('concierge.concurrency'), hashtext(j.concurrency_group)) then
            return '';
        elsif (select count(*) from queue.job as r
               where r.concurrency_group = j.concurrency_group and r.state = 'running')
            >= coalesce((select l.max_running from queue.concurrency_limit as l
                         where l.concurrency_group = j.concurrency_group), 1)
        then
            return 'concurrency:' || j.concurrency_group;
        end if;
    end if;

    select l.* into v_rate from queue.rate_limit as l where l.rate_group = v_name for update skip locked;
    if found then
        if queue.rate_opens_at(v_rate, j.rate_units, v_now) > v_now then
            return 'rate:' || v_name;
        end if;
        select * into v_filled from queue.refilled(v_rate, v_now);
        update queue.rate_limit as l
        set requests_left = v_filled.requests - 1, units_left = v_filled.units - j.rate_units,
            refilled_at = v_now
        where l.rate_group = v_name;
    elsif exists (select from queue.rate_limit as l where l.rate_group = v_name) then
        return '';
    end if;

    if v_probes then
        update queue.breaker_state as b set state = 'half_open', probe = j.job_id
        where b.provider = j.provider;
    end if;
    return null;
end
$$;

comment on function queue.gate_of(queue.job) is
    'The gate a job has to wait at; empty: ask again later; null: it may run, and its share is taken.';
-- Granted to nobody: queue.claim calls it.

-- When the oldest job that waits at a gate may go on; infinity where something has to end first.
create or replace function queue.next_opening(gate text)
    returns timestamptz
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := substr(gate, strpos(gate, ':') + 1);
begin
    return coalesce(case split_part(gate, ':', 1)
        when 'rate' then (
            -- It may have opened while the job was being held; and -infinity is a time nobody can reckon with.
            select greatest(queue.rate_opens_at(l, h.rate_units, clock_timestamp()), clock_timestamp())
            from queue.rate_limit as l
            join queue.job as h on h.state = 'held' and h.held_by = next_opening.gate
            where l.rate_group = v_name
            order by h.priority, h.provider_faults, h.job_id limit 1)
        when 'breaker' then (
            select b.retry_at from queue.breaker_state as b where b.provider = v_name and b.state = 'open')
        end, 'infinity');
end
$$;

comment on function queue.next_opening(text) is 'When the oldest job at a gate may go on.';
-- Granted to nobody.

-- The gate's row comes before its jobs: whoever takes the row away has seen every job that is held. Where
-- somebody has the row at this moment, to open it perhaps, the jobs stay ready for the next claim.
create or replace function queue.hold(jobs bigint[], gates text[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_gates text[];
begin
    insert into queue.closed_gate as c (gate, opens_at)
    select distinct u.gate, timestamptz 'infinity' from unnest(gates) as u (gate)
    where not exists (select from queue.closed_gate as c where c.gate = u.gate)
    order by u.gate
    on conflict do nothing;
    v_gates := array(
        select c.gate from queue.closed_gate as c where c.gate = any (hold.gates) order by c.gate
        for update skip locked);
    update queue.job as j set state = 'held', held_by = h.gate, worker = null
    from rows from (unnest(jobs), unnest(gates)) as h (job_id, gate)
    where j.job_id = h.job_id and h.gate = any (v_gates);
    update queue.closed_gate as c set opens_at = least(c.opens_at, queue.next_opening(c.gate))
    where c.gate = any (v_gates);
end
$$;

comment on function queue.hold(bigint[], text[]) is 'Puts jobs off the claim until the gate beside each opens.';
-- Granted to nobody.

-- Said by whatever ends: a place is free, or a provider has answered.
create or replace function queue.open_gate(gate text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    update queue.closed_gate as g set opens_at = clock_timestamp()
    where g.gate = open_gate.gate and g.opens_at > clock_timestamp();
    if found then
        perform queue.wake();
    end if;
end
$$;

comment on function queue.open_gate(text) is 'Has the next claim let through what waits at a gate.';
-- Granted to nobody.

-- A rate lets through what the bucket holds, and what is heavier than a full bucket alone.
create or replace function queue.within_rate(gate text)
    returns bigint[]
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_now    timestamptz := clock_timestamp();
    v_rate   queue.rate_limit;
    v_filled record;
begin
    select l.* into v_rate from queue.rate_limit as l where l.rate_group = substr(within_rate.gate, 6);
    select * into v_filled from queue.refilled(v_rate, v_now);
    return array(
        select w.job_id
        from (
            select h.job_id, h.rate_units, row_number() over oldest as place, sum(h.rate_units) over oldest as weight
            from queue.job as h
            where h.state = 'held' and h.held_by = within_rate.gate
            window oldest as (order by h.priority, h.provider_faults, h.job_id)
            limit 500
        ) as w
        where w.place <= v_filled.requests + 1e-6 and (v_rate.units is null or w.weight <= v_filled.units + 1e-6)
            or w.place = 1 and queue.rate_opens_at(v_rate, w.rate_units, v_now) <= v_now
        order by w.place);
end
$$;

comment on function queue.within_rate(text) is 'The oldest jobs at the gate of a rate that may go now.';
-- Granted to nobody.

create or replace function queue.let_through(gate text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_name  text := substr(gate, strpos(gate, ':') + 1);
    v_count int;
    v_jobs  bigint[];
begin
    case split_part(gate, ':', 1)
        when 'concurrency' then
            select coalesce((select l.max_running from queue.concurrency_limit as l
                             where l.concurrency_group = v_name), 1) - count(*)::int
            into v_count
            from queue.job as r where r.concurrency_group = v_name and r.state = 'running';
        when 'rate' then
            v_jobs := queue.within_rate(gate);
        else
            -- While it is open, one to try; else all, by the hundred.
            v_count := case when exists (
                select from queue.breaker_state as b where b.provider = v_name and b.state <> 'closed')
                then 1 else 500 end;
    end case;
    v_jobs := coalesce(v_jobs, array(
        select h.job_id from queue.job as h
        where h.state = 'held' and h.held_by = let_through.gate
        order by h.priority, h.provider_faults, h.job_id
        limit greatest(v_count, 0)));

    -- One after the other, so that they stay in their order.
    update queue.job as j set state = 'ready', held_by = null, run_at = clock_timestamp()
    from (
        select h.job_id from queue.job as h
        where h.job_id = any (v_jobs) and h.state = 'held'
        order by h.priority, h.provider_faults, h.job_id
        for update skip locked
    ) as h
    where j.job_id = h.job_id;

    if not exists (select from queue.job as h where h.state = 'held' and h.held_by = let_through.gate) then
        delete from queue.closed_gate as g where g.gate = let_through.gate;
    else
        update queue.closed_gate as g
        set opens_at = case when v_count = 500 then clock_timestamp() else queue.next_opening(g.gate) end
        where g.gate = let_through.gate;
    end if;
end
$$;

comment on function queue.let_through(text) is
    'Makes ready as many of a gate''s jobs as may go, the oldest first, and says when to come again.';
-- Granted to nobody.

create or replace function queue.open_gates()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_gate text;
begin
    for v_gate in
        select g.gate from queue.closed_gate as g where g.opens_at <= clock_timestamp()
        order by g.gate for update skip locked
    loop
        perform queue.let_through(v_gate);
    end loop;
end
$$;

comment on function queue.open_gates() is 'Lets jobs through every gate whose time has come.';
-- Granted to nobody: queue.claim calls it.
