-- Whoever asks for a call says in the payload for whom (its "origin"), so that it can be noted however it ends.
create or replace function model.record_call(
    called model.models, origin jsonb, input_tokens int, cached_tokens int, cache_write_tokens int, output_tokens int,
    reasoning_tokens int, usage_source text, job_id bigint, trace_id uuid, first_token_ms int, total_ms int, finish text,
    fault text, error text
)
    returns numeric
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_cost numeric := model.cost(called.model_id, input_tokens, output_tokens, cached_tokens, cache_write_tokens);
begin
    perform access.ensure_period('model.calls', 'month', now());
    insert into model.calls (tenant_id, workspace_id, person_id, agent_version_id, prompt_version_id, turn_id, purpose, provider,
        model, job_id, trace_id, input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
        usage_source, cost, first_token_ms, total_ms, finish, fault, error)
    select o.tenant_id, o.workspace_id, o.person_id, o.agent_version_id, o.prompt_version_id, o.turn_id, called.purpose,
        coalesce((select p.name from model.providers as p where p.provider_id = called.provider_id), 'offline'),
        called.name, record_call.job_id, record_call.trace_id, record_call.input_tokens, record_call.cached_tokens,
        record_call.cache_write_tokens, record_call.output_tokens, record_call.reasoning_tokens, record_call.usage_source,
        v_cost, record_call.first_token_ms, record_call.total_ms, record_call.finish, record_call.fault,
        left(record_call.error, 2000)
    from jsonb_to_record(origin) as o (tenant_id uuid, workspace_id bigint, person_id uuid, agent_version_id bigint,
        prompt_version_id bigint, turn_id uuid);
    return v_cost;
end
$$;

comment on function model.record_call(
    model.models, jsonb, int, int, int, int, int, text, bigint, uuid, int, int, text, text, text) is
    'Notes a call and returns what it cost. origin: {tenant_id, workspace_id, person_id, agent_version_id, prompt_version_id, turn_id},
all but the first may be missing.';
-- Granted to nobody: continuations of calls call it.

create or replace function model.tokens_of(usage jsonb, key text)
    returns int
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return case when jsonb_typeof(usage -> key) = 'number' and (usage ->> key)::numeric between 0 and 2000000000
    then (usage ->> key)::numeric::int else 0 end;

comment on function model.tokens_of(jsonb, text) is 'A number of tokens that a provider reported; 0 where it says nothing that can be one.';
-- Granted to nobody: functions of this schema call it.

-- For continuations, of success (result) and of failure alike: notes the call, settles what was set aside.
create or replace function model.close_call(job_id bigint, payload jsonb, result jsonb, failure jsonb default null)
    returns numeric
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_model model.models;
    v_usage jsonb := result -> 'usage';
    v_input int;
    v_cost  numeric;
begin
    select * into v_model from model.models as m where m.model_id = (payload ->> 'model_id')::bigint;
    if not found then
        return 0::numeric;
    end if;
    -- Who cut us short, or says nothing, is paid all the same: for what was sent, and what came.
    v_input := case when v_usage is not null then model.tokens_of(v_usage, 'input')
        when result is not null then model.estimate_tokens(payload #>> '{}') else 0 end;
    v_cost := model.record_call(v_model, payload -> 'origin', v_input, model.tokens_of(v_usage, 'cached_input'),
        model.tokens_of(v_usage, 'cache_write'),
        case when v_usage is not null then model.tokens_of(v_usage, 'output')
            else model.estimate_tokens(result ->> 'text') end,
        model.tokens_of(v_usage, 'reasoning'), case when v_usage is not null then 'reported' else 'estimated' end,
        job_id, (payload ->> 'trace_id')::uuid, (result ->> 'first_token_ms')::numeric::int,
        (result ->> 'total_ms')::numeric::int, result ->> 'finish',
        coalesce(failure ->> 'reason', failure ->> 'fault', failure ->> 'state'), failure ->> 'error');
    if payload ? 'reservation_id' then
        perform model.settle((payload ->> 'reservation_id')::bigint, v_cost);
    end if;
    return v_cost;
end
$$;

comment on function model.close_call(bigint, jsonb, jsonb, jsonb) is
    'Notes a call that has ended, by its job''s payload and its result or failure, and settles its reservation; returns what it
cost. Tokens are those the provider reported, or estimated.';
-- Granted to nobody: continuations of calls call it.

create or replace function model.usage(since timestamptz default date_trunc('month', now()), until timestamptz default now())
    returns table (
        day date, purpose text, provider text, model text, workspace text, calls bigint, failed bigint, input_tokens bigint,
        cached_tokens bigint, output_tokens bigint, cost numeric
    )
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select (c.called_at at time zone 'UTC')::date, c.purpose, c.provider, c.model, w.slug::text, count(*),
        count(c.fault), sum(c.input_tokens), sum(c.cached_tokens), sum(c.output_tokens), sum(c.cost)
    from model.calls as c
    left join knowledge.workspaces as w on w.workspace_id = c.workspace_id
    where c.tenant_id = (select access.tenant_id()) and c.called_at >= since and c.called_at <= until
        and (select access.has_role('organizer', 'service'))
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5;
end;

comment on function model.usage(timestamptz, timestamptz) is
    'What the signed-in organizer''s, or service''s, tenant asked of models, by day of UTC, and what it came to, in US dollars.
Errors: QC401-QC403.';

grant execute on function model.usage(timestamptz, timestamptz) to concierge_app;
