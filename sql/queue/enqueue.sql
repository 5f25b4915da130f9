-- A function of another schema that takes the job and what became of it. Resolved to a function before it is
-- run, too: its name is text in a row, and is not trusted as SQL.
create or replace function queue.require_function(name text)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if name is not null and to_regprocedure(name || '(bigint, jsonb)') is null then
        perform access.refuse('QC212', format('there is no function %s(bigint, jsonb) to continue with', name),
            'Name a function that takes the job id and the result.');
    end if;
end
$$;

comment on function queue.require_function(text) is
    'Refuses a continuation that is not there. Errors: QC212.';
-- Granted to nobody.

create or replace function queue.run_function(name text, job_id bigint, argument jsonb)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('select %s($1, $2)', (name || '(bigint, jsonb)')::regprocedure::regproc)
    using run_function.job_id, argument;
end
$$;

comment on function queue.run_function(text, bigint, jsonb) is
    'Calls schema.function(job_id bigint, argument jsonb).';
-- Granted to nobody.

-- Who is down together, when nobody said: the server a URL is at.
create or replace function queue.provider_of(payload jsonb)
    returns text
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select lower(substring(payload ->> 'url' from '(?i)^https?://(?:[^/?#@]*@)?([^/?#@]+)'));
end;

comment on function queue.provider_of(jsonb) is 'Host and port of the payload''s url; null without one.';
-- Granted to nobody.

-- W3C asks for sixteen bytes that nobody else has. Who brings none gets them from what is there anyway: random
-- ones would cost an enqueue a tenth.
create or replace function queue.trace_of(trace_id uuid, job_id bigint, created_at timestamptz)
    returns uuid
    language sql immutable parallel safe
begin atomic
    select coalesce(trace_id, md5(job_id || ' ' || extract(epoch from created_at))::uuid);
end;

comment on function queue.trace_of(uuid, bigint, timestamptz) is 'The trace of a job: the one it was given, or its own.';
-- Granted to nobody.

create or replace function queue.enqueue(
    kind text, payload jsonb default '{}', continuation text default null, run_at timestamptz default now(),
    key text default null, tenant_id uuid default null, max_attempts int default 5,
    on_conflict text default 'keep', priority int default 1, concurrency_group text default null,
    rate_group text default null, rate_units double precision default 0, provider text default null,
    deadline timestamptz default null, on_failure text default null, trace_id uuid default null,
    gives_up boolean default false
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job_id bigint;
    v_state  text;
begin
    -- One look for all that most jobs do without: where a transaction is one job, each expression counts.
    if num_nonnulls(enqueue.continuation, enqueue.on_failure) > 0 or enqueue.payload ? 'url'
        or on_conflict <> 'keep'
    then
        if enqueue.continuation is not null then
            perform queue.require_function(enqueue.continuation);
        end if;
        if enqueue.on_failure is not null then
            perform queue.require_function(enqueue.on_failure);
        end if;
        if enqueue.provider is null and enqueue.payload ? 'url' then
            provider := queue.provider_of(enqueue.payload);
        end if;
        if on_conflict not in ('keep', 'replace', 'debounce') then
            perform access.refuse('22023', format('"%s" is no way to treat a job that has the key', on_conflict),
                'keep, replace or debounce.');
        end if;
    end if;

    -- Never in the past: a claim does not look back further than it must. The clock is read in the insert, under
    -- the lock of the table that queue.raise_floor asks for.
    if enqueue.key is null then
        insert into queue.job (kind, payload, continuation, run_at, tenant_id, max_attempts, priority,
            concurrency_group, rate_group, rate_units, provider, deadline, on_failure, trace_id, gives_up)
        values (enqueue.kind, enqueue.payload, enqueue.continuation,
            greatest(enqueue.run_at, clock_timestamp()), enqueue.tenant_id, enqueue.max_attempts,
            enqueue.priority, enqueue.concurrency_group, enqueue.rate_group, enqueue.rate_units,
            enqueue.provider, enqueue.deadline, enqueue.on_failure, enqueue.trace_id, enqueue.gives_up)
        returning job_id into v_job_id;
        return v_job_id;
    end if;

    -- Again when a live job had the key at the insert and was over at the look.
    loop
        insert into queue.job (kind, payload, continuation, run_at, key, tenant_id, max_attempts, priority,
            concurrency_group, rate_group, rate_units, provider, deadline, on_failure, trace_id, gives_up)
        values (enqueue.kind, enqueue.payload, enqueue.continuation,
            greatest(enqueue.run_at, clock_timestamp()), enqueue.key, enqueue.tenant_id, enqueue.max_attempts,
            enqueue.priority, enqueue.concurrency_group, enqueue.rate_group, enqueue.rate_units,
            enqueue.provider, enqueue.deadline, enqueue.on_failure, enqueue.trace_id, enqueue.gives_up)
        on conflict (key) where key is not null do nothing
        returning job_id into v_job_id;
        exit when found;

        if on_conflict = 'keep' then
            select j.job_id into v_job_id from queue.job as j where j.key = enqueue.key;
            exit when found;
        else
            select j.job_id, j.state into v_job_id, v_state
            from queue.job as j where j.key = enqueue.key for update;
            if v_state = 'running' then
                -- It may have read what is now out of date: it ends as it is, and another one follows.
                update queue.job as j set key = null where j.job_id = v_job_id;
            elsif found then
                update queue.job as j
                set payload = enqueue.payload, continuation = enqueue.continuation, attempts = 0,
                    run_at = greatest(clock_timestamp(), case when on_conflict = 'debounce'
                        then enqueue.run_at else least(j.run_at, enqueue.run_at) end),
                    deadline = enqueue.deadline, on_failure = enqueue.on_failure, gives_up = enqueue.gives_up,
                    state = case j.state when 'parked' then 'ready' else j.state end
                where j.job_id = v_job_id;
                exit;
            end if;
        end if;
    end loop;
    return v_job_id;
end
$$;

comment on function queue.enqueue(text, jsonb, text, timestamptz, text, uuid, int, text, int, text, text,
    double precision, text, timestamptz, text, uuid, boolean) is
    'Adds an effect to be performed at or after run_at; its result goes to the continuation, its giving up to
on_failure. With a key that a live job has, on_conflict says: keep returns that job as it is; replace gives it
this payload and the earlier time, debounce this payload and this time, and a job that runs already is followed
by another. gives_up: there is another way, so every fault counts, and no gate is waited at for long.
Errors: QC212 unknown continuation, 22023 on_conflict, 23514 unknown kind, priority.';
-- Granted to nobody: only functions of the owner decide on effects.

create or replace function queue.enqueue_many(jobs jsonb)
    returns setof bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    rows 100
as $$
#variable_conflict use_column
declare
    v_name text;
begin
    if jsonb_typeof(jobs) is distinct from 'array' then
        perform access.refuse('22023', 'jobs are a JSON array of objects',
            'Each has arguments of queue.enqueue by their names.');
    end if;
    for v_name in
        select distinct f.name
        from jsonb_array_elements(jobs) as j
        cross join lateral (values (j ->> 'continuation'), (j ->> 'on_failure')) as f (name)
    loop
        perform queue.require_function(v_name);
    end loop;

    if exists (select from jsonb_array_elements(jobs) as j where j ? 'key') then
        -- Keys are looked at one by one.
        return query
        select queue.enqueue(e.kind, coalesce(e.payload, '{}'), e.continuation, coalesce(e.run_at, now()), e.key,
            e.tenant_id, coalesce(e.max_attempts, 5), coalesce(e.on_conflict, 'keep'), coalesce(e.priority, 1),
            e.concurrency_group, e.rate_group, coalesce(e.rate_units, 0), e.provider, e.deadline, e.on_failure,
            e.trace_id, coalesce(e.gives_up, false))
        from jsonb_to_recordset(jobs) as e (kind text, payload jsonb, continuation text, run_at timestamptz,
            key text, tenant_id uuid, max_attempts int, on_conflict text, priority int,
            concurrency_group text, rate_group text, rate_units double precision, provider text,
            deadline timestamptz, on_failure text, trace_id uuid, gives_up boolean);
        return;
    end if;

    return query
    insert into queue.job (kind, payload, continuation, run_at, tenant_id, max_attempts, priority,
        concurrency_group, rate_group, rate_units, provider, deadline, on_failure, trace_id, gives_up)
    select e.kind, coalesce(e.payload, '{}'), e.continuation, greatest(e.run_at, clock_timestamp()),
        e.tenant_id, coalesce(e.max_attempts, 5), coalesce(e.priority, 1), e.concurrency_group, e.rate_group,
        coalesce(e.rate_units, 0), coalesce(e.provider, queue.provider_of(e.payload)), e.deadline,
        e.on_failure, e.trace_id, coalesce(e.gives_up, false)
    from jsonb_to_recordset(jobs) as e (kind text, payload jsonb, continuation text, run_at timestamptz,
        tenant_id uuid, max_attempts int, priority int, concurrency_group text, rate_group text,
        rate_units double precision, provider text, deadline timestamptz, on_failure text, trace_id uuid, gives_up boolean)
    returning job_id;
end
$$;

comment on function queue.enqueue_many(jsonb) is
    'Adds effects, all or none: a JSON array of objects with arguments of queue.enqueue by their names. Returns
the jobs in that order. Errors: those of queue.enqueue, 22023 no array.';
-- Granted to nobody, as queue.enqueue.
