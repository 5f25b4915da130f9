-- A job that stops without an answer makes room in its group, leaves the probe of its provider to another, and takes along
-- what it has said so far.
create or replace function queue.leave_gates(j queue.job)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if j.concurrency_group is not null then
        perform queue.open_gate('concurrency:' || j.concurrency_group);
    end if;
    if exists (select from queue.breaker_state as b where b.provider = j.provider and b.probe = j.job_id) then
        perform queue.open_gate('breaker:' || j.provider);
    end if;
    if j.kind = 'generate' then
        delete from queue.emission as m where m.job_id = j.job_id;
    end if;
end
$$;

comment on function queue.leave_gates(queue.job) is 'Called for a job that no longer runs.';
-- Granted to nobody.

create or replace function queue.words_of(failure jsonb)
    returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return coalesce(failure ->> 'error', failure ->> 'fault', failure ->> 'state');

comment on function queue.words_of(jsonb) is 'What a failure that on_failure is told says of itself.';
-- Granted to nobody: continuations call it.

-- What is given up is told to whoever asked for it. A function that cannot take the news must not keep the
-- job alive: what it raised stands beside the error.
create or replace function queue.tell_failure(j queue.job, failure jsonb)
    returns text
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_state text;
    v_error text;
begin
    if j.on_failure is not null then
        perform queue.run_function(j.on_failure, j.job_id,
            failure || jsonb_build_object('payload', j.payload));
    end if;
    return null;
exception when others then
    get stacked diagnostics v_state = returned_sqlstate, v_error = message_text;
    if queue.is_passing(v_state) then
        raise;
    end if;
    return format('; %s raised %s: %s', j.on_failure, v_state, v_error);
end
$$;

comment on function queue.tell_failure(queue.job, jsonb) is
    'Calls on_failure; returns what it raised, null when nothing.';
-- Granted to nobody.

create or replace function queue.bury(
    j queue.job, fault text, error text, sqlstate text default null, reason text default null
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_more text;
begin
    delete from queue.job as d where d.job_id = j.job_id;
    v_more := queue.tell_failure(j, jsonb_build_object(
        'state', 'dead', 'fault', bury.fault, 'error', left(bury.error, 2000), 'sqlstate', bury.sqlstate,
        'reason', bury.reason));
    insert into queue.dead_letter (job_id, tenant_id, kind, payload, continuation, on_failure, key, priority,
        concurrency_group, rate_group, rate_units, provider, max_attempts, gives_up, attempts, token, trace_id,
        fault, sqlstate, reason, error, created_at, died_at)
    values (j.job_id, j.tenant_id, j.kind, j.payload, j.continuation, j.on_failure, j.key, j.priority,
        j.concurrency_group, j.rate_group, j.rate_units, j.provider, j.max_attempts, j.gives_up, j.attempts, j.token,
        queue.trace_of(j.trace_id, j.job_id, j.created_at), bury.fault, bury.sqlstate, bury.reason,
        nullif(concat(left(bury.error, 2000), v_more), ''), j.created_at, clock_timestamp());
    perform queue.leave_gates(j);
end
$$;

comment on function queue.bury(queue.job, text, text, text, text) is
    'Gives a job up: it is a dead letter from now on, and on_failure learns of it.';
-- Granted to nobody.

-- Waiting is for those who can do nothing else. A place in a group is free as soon as a neighbour ends; a provider that is
-- down, or that has said when to come again, may take its time.
create or replace function queue.turn_away(j queue.job, gate text)
    returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_opens_at timestamptz;
begin
    if not j.gives_up then
        return false;
    end if;
    case split_part(gate, ':', 1)
        when 'breaker' then
            perform queue.bury(j, 'provider', coalesce((
                select 'its provider is down: ' || b.last_error from queue.breaker_state as b where b.provider = j.provider),
                'its provider is down'), reason => 'unavailable');
            return true;
        when 'rate' then
            select queue.rate_opens_at(l, j.rate_units, clock_timestamp()) into v_opens_at
            from queue.rate_limit as l where l.rate_group = coalesce(j.rate_group, j.provider);
            if v_opens_at > clock_timestamp() + interval '5 seconds' then
                perform queue.bury(j, 'rate', 'its rate is used up for more than 5 seconds', reason => 'rate_limited');
                return true;
            end if;
        else
    end case;
    return false;
end
$$;

comment on function queue.turn_away(queue.job, text) is
    'Gives up a job that has another way, at a gate that will not open soon; says whether it did.';
-- Granted to nobody: queue.claim calls it.

create or replace function queue.end_cancelled(j queue.job)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_more text;
begin
    perform queue.ensure_history_day();
    delete from queue.job as d where d.job_id = j.job_id;
    v_more := queue.tell_failure(j, jsonb_build_object('state', 'cancelled'));
    insert into queue.history (job_id, tenant_id, kind, payload, key, state, result, attempts, worker, trace_id,
        created_at, claimed_at, finished_at)
    values (j.job_id, j.tenant_id, j.kind, j.payload, j.key, 'cancelled',
        case when v_more is not null then jsonb_build_object('error', v_more) end, j.attempts, j.worker,
        queue.trace_of(j.trace_id, j.job_id, j.created_at), j.created_at, j.claimed_at, clock_timestamp());
    perform queue.leave_gates(j);
end
$$;

comment on function queue.end_cancelled(queue.job) is 'Ends a job that was taken back; on_failure learns of it.';
-- Granted to nobody.
