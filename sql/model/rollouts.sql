-- Ten thousand buckets. Who is in at 10 % is in at 50 %: raising the percentage only adds.
create or replace function model.bucket(salt text, conversation_id uuid)
    returns int
    language sql immutable strict parallel safe
return (('x' || left(encode(sha256(convert_to(salt || ':' || conversation_id, 'UTF8')), 'hex'), 8))::bit(32)::bigint
    & 4294967295) % 10000;

comment on function model.bucket(text, uuid) is
    '0 to 9999: the first 32 bits of SHA-256 of "salt:conversation", modulo 10,000.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.end_rollout(rollout model.rollouts, state text, reason text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    update model.rollouts as r
    set state = end_rollout.state, reason = end_rollout.reason, ended_at = now()
    where r.rollout_id = rollout.rollout_id;
    update model.agent_versions as a
    set state = case end_rollout.state when 'promoted' then 'active' else 'retired' end
    where a.agent_version_id = rollout.candidate_id and a.state = 'candidate' and end_rollout.state <> 'promoted';
end
$$;

comment on function model.end_rollout(model.rollouts, text, text) is
    'Ends a rollout: of one that is halted the candidate is retired, and every conversation is back with the baseline.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.require_rollout(name text)
    returns model.rollouts
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_rollout model.rollouts;
begin
    select * into v_rollout from model.rollouts as r
    where r.tenant_id = (select access.tenant_id()) and r.name = require_rollout.name and r.state = 'running' for update;
    if not found then
        perform access.refuse('QC234', format('agent "%s" has no rollout that runs', name),
            'model.start_rollout(name, version) begins one.');
    end if;
    return v_rollout;
end
$$;

comment on function model.require_rollout(text) is 'The running rollout of an agent, locked. Errors: QC401-QC403, QC234.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.start_rollout(
    name text, version int, steps int[] default '{0,10,50,100}', share int default 100, min_samples int default 100,
    dwell interval default '1 hour', automatic boolean default false, bounds jsonb default '{}'
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_candidate model.agent_versions;
    v_baseline  model.agent_versions;
    v_id        bigint;
begin
    perform access.require_role('organizer', 'service');
    perform model.check_settings(bounds, '{error_rate,refusal_rate,latency,cost,rating}', 'bounds');
    v_candidate := model.require_agent(name, version);
    v_baseline := model.require_agent(name, null);
    if v_candidate.agent_version_id = v_baseline.agent_version_id then
        perform access.refuse('QC417', format('version %s of "%s" is active already', version, name), 'Roll out another one.');
    end if;
    update model.agent_versions as a set state = 'candidate' where a.agent_version_id = v_candidate.agent_version_id;
    insert into model.rollouts (tenant_id, name, candidate_id, baseline_id, steps, share, min_samples, dwell, automatic, bounds)
    values (v_candidate.tenant_id, start_rollout.name, v_candidate.agent_version_id, v_baseline.agent_version_id, steps, share,
        min_samples, dwell, automatic,
        '{"error_rate": 0.02, "refusal_rate": 0.05, "latency": 1.5, "cost": 1.5, "rating": 0.1}' || start_rollout.bounds)
    returning rollout_id into v_id;
    return v_id;
end
$$;

comment on function model.start_rollout(text, int, int[], int, int, interval, boolean, jsonb) is
    'Begins to roll a version of an agent out, at the first of the steps (percents of conversations). automatic: a rule takes the
steps, each after dwell and with min_samples answers of both; it halts a rollout in any case once the candidate is worse than
bounds {error_rate, refusal_rate, rating: by so much of 1; latency, cost: so many times} allow.
Errors: QC401-QC403, QC405, QC230, QC233, QC417 it is active, 23505 another one runs, 23514.';

grant execute on function model.start_rollout(text, int, int[], int, int, interval, boolean, jsonb) to concierge_app;

create or replace function model.take_step(rollout model.rollouts)
    returns int
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if rollout.step < cardinality(rollout.steps) then
        update model.rollouts as r set step = r.step + 1, stepped_at = clock_timestamp()
        where r.rollout_id = rollout.rollout_id;
        return rollout.steps[rollout.step + 1];
    end if;
    perform model.end_rollout(rollout, 'promoted', 'the last step was taken');
    perform model.make_active(a) from model.agent_versions as a where a.agent_version_id = rollout.candidate_id;
    return 100;
end
$$;

comment on function model.take_step(model.rollouts) is 'Takes the next step, or, after the last, promotes; returns the percent.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.step_rollout(name text)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.require_role('organizer', 'service');
    return model.take_step(model.require_rollout(name));
end
$$;

comment on function model.step_rollout(text) is
    'Takes the next step of an agent''s rollout and returns its percent; after the last one the candidate is active.
Errors: QC401-QC403, QC405, QC234.';

grant execute on function model.step_rollout(text) to concierge_app;

create or replace function model.halt_rollout(name text, reason text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.require_role('organizer', 'service');
    perform model.end_rollout(model.require_rollout(name), 'halted', reason);
end
$$;

comment on function model.halt_rollout(text, text) is
    'Ends an agent''s rollout: from the next turn on every conversation has the baseline. Errors: QC401-QC403, QC405, QC234.';

grant execute on function model.halt_rollout(text, text) to concierge_app;

-- In the transaction of the turn: there is nothing between a promotion and the next turn that could be out of date.
create or replace function model.version_for(tenant_id uuid, name text, conversation_id uuid)
    returns model.agent_versions
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_rollout model.rollouts;
    v_agent   model.agent_versions;
    v_id      bigint;
begin
    select * into v_rollout from model.rollouts as r
    where r.tenant_id = version_for.tenant_id and r.name = version_for.name and r.state = 'running';
    if found and (
        exists (
            select from model.assignments as s
            where s.rollout_id = v_rollout.rollout_id and s.conversation_id = version_for.conversation_id)
        or model.bucket(v_rollout.gate_salt, conversation_id) < 100 * v_rollout.steps[v_rollout.step])
    then
        insert into model.assignments (tenant_id, conversation_id, rollout_id, agent_version_id)
        values (tenant_id, conversation_id, v_rollout.rollout_id,
            case when model.bucket(v_rollout.arm_salt, conversation_id) < 100 * v_rollout.share
                then v_rollout.candidate_id else v_rollout.baseline_id end)
        on conflict do nothing;
        select s.agent_version_id into v_id from model.assignments as s
        where s.rollout_id = v_rollout.rollout_id and s.conversation_id = version_for.conversation_id;
        select * into v_agent from model.agent_versions as a where a.agent_version_id = v_id;
    else
        select * into v_agent from model.agent_versions as a
        where a.tenant_id = version_for.tenant_id and a.name = version_for.name and a.state = 'active';
    end if;
    return v_agent;
end
$$;

comment on function model.version_for(uuid, text, uuid) is
    'The version of an agent that answers in a conversation: the active one, or the one it was given when it came into a
rollout that runs; null where there is none.';
-- Granted to nobody: chat calls it.
