-- How a version does, by the turns it was given; a turn that was cancelled says nothing about it.
create or replace function model.figures_of(agent_version_id bigint, since timestamptz)
    returns table (
        turns bigint, error_rate float8, refusal_rate float8, latency float8, cost float8, ratings bigint, rating float8
    )
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select count(*),
        avg((t.state = 'failed' or t.answered_by = 'offline' and t.raw_answer is not null)::int)::float8,
        avg((t.state = 'refused' or chat.says_nothing(t.answer))::int)::float8,
        percentile_cont(0.95) within group (order by extract(epoch from t.ended_at - t.asked_at))::float8,
        avg(t.cost)::float8, count(t.rating), avg((t.rating + 1) / 2.0)::float8
    from chat.turns as t
    where t.agent_version_id = figures_of.agent_version_id and t.asked_at >= since and t.ended_at is not null
        and t.error is distinct from 'cancelled' and t.model_id is not null
        -- What needed no model, or was known, is nobody's merit.
        and t.known_from is null and (t.raw_answer is not null or t.state <> 'done');
end;

comment on function model.figures_of(bigint, timestamptz) is
    'Of the turns a version of an agent was given since then: how many, the share that failed or whose answer did not stand up, the
share that was refused or had no answer, seconds at the 95th percentile, mean US dollars, ratings and their mean (0 to 1).';
-- Granted to nobody: functions of this schema call it.

-- Null is no reason: of too few nothing is said, and nothing is done either way.
create or replace function model.reason_to_halt(rollout model.rollouts)
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select case
            when c.error_rate - b.error_rate > (rollout.bounds ->> 'error_rate')::float8
                then format('error rate %s, baseline %s', round(c.error_rate::numeric, 3), round(b.error_rate::numeric, 3))
            when c.refusal_rate - b.refusal_rate > (rollout.bounds ->> 'refusal_rate')::float8
                then format('refusal rate %s, baseline %s', round(c.refusal_rate::numeric, 3), round(b.refusal_rate::numeric, 3))
            when c.latency > b.latency * (rollout.bounds ->> 'latency')::float8
                then format('95th percentile %s s, baseline %s s', round(c.latency::numeric, 2), round(b.latency::numeric, 2))
            when c.cost > b.cost * (rollout.bounds ->> 'cost')::float8
                then format('cost %s, baseline %s', round(c.cost::numeric, 6), round(b.cost::numeric, 6))
            when c.ratings >= 20 and b.ratings >= 20 and b.rating - c.rating > (rollout.bounds ->> 'rating')::float8
                then format('rating %s, baseline %s', round(c.rating::numeric, 2), round(b.rating::numeric, 2)) end
    from model.figures_of(rollout.candidate_id, rollout.started_at) as c
    cross join model.figures_of(rollout.baseline_id, rollout.started_at - interval '30 days') as b
    where c.turns >= rollout.min_samples and b.turns >= rollout.min_samples;
end;

comment on function model.reason_to_halt(model.rollouts) is
    'Why a candidate is worse than its rollout''s bounds allow; null: it is not, or too few answers are there to say so.';
-- Granted to nobody: model.judge_rollouts calls it.

create or replace function model.judge_rollouts()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_rollout model.rollouts;
    v_reason  text;
begin
    for v_rollout in
        select * from model.rollouts as r where r.state = 'running' order by r.rollout_id for update skip locked
    loop
        v_reason := model.reason_to_halt(v_rollout);
        if v_reason is not null then
            perform model.end_rollout(v_rollout, 'halted', v_reason);
        -- No data is no reason to go on. The first step may be of nobody: then there is nothing to wait for.
        elsif v_rollout.automatic and v_rollout.stepped_at + v_rollout.dwell <= clock_timestamp()
            and (v_rollout.steps[v_rollout.step] = 0
                or (select f.turns from model.figures_of(v_rollout.candidate_id, v_rollout.started_at) as f) >= v_rollout.min_samples)
        then
            perform model.take_step(v_rollout);
        end if;
    end loop;
end
$$;

comment on function model.judge_rollouts() is
    'Halts rollouts whose candidate does worse than their bounds allow, and takes the next step of those a rule may take forward.';
-- Granted to nobody: upkeep calls it.
