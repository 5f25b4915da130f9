-- A payload says all there is to know about a call: to whom, what may be sent, for how long. The daemon reads it and nothing else, so
-- a change of these rows counts from the next call on, and never for one that is waiting.
create or replace function model.addressed(called model.models)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select jsonb_build_object('model_id', called.model_id, 'model', called.wire_name, 'seconds', called.seconds,
        'provider', jsonb_strip_nulls(jsonb_build_object('kind', p.kind, 'base_url', p.base_url, 'credential', p.credential,
            'authentication', p.authentication, 'api_version', p.api_version, 'region', p.region)))
    from model.providers as p
    where p.provider_id = called.provider_id;
end;

comment on function model.addressed(model.models) is 'The part of a payload that says who is asked.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.enqueue_call(
    kind text, called model.models, payload jsonb, origin jsonb, continuation text, on_failure text,
    max_attempts int default 5, key text default null, on_conflict text default 'keep', priority int default 1,
    reserve numeric default null, tokens int default 0, gives_up boolean default false
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_provider model.providers;
begin
    select * into v_provider from model.providers as p where p.provider_id = called.provider_id;
    return queue.enqueue(kind,
        payload || model.addressed(called) || jsonb_build_object('origin', jsonb_strip_nulls(origin))
            || case when reserve is null then '{}' else jsonb_build_object('reservation_id', model.reserve(
                (origin ->> 'tenant_id')::uuid, reserve, (origin ->> 'workspace_id')::bigint,
                (origin ->> 'person_id')::uuid)) end,
        continuation, on_failure => on_failure, tenant_id => (origin ->> 'tenant_id')::uuid, max_attempts => max_attempts,
        key => key, on_conflict => on_conflict, priority => priority,
        -- One breaker for a server and the key it is asked with; one bucket for a model.
        provider => concat_ws('/', v_provider.name, v_provider.credential), rate_group => 'model:' || called.name,
        rate_units => tokens, concurrency_group => (
            select l.concurrency_group from queue.concurrency_limit as l where l.concurrency_group = 'model:' || called.name),
        gives_up => gives_up);
end
$$;

comment on function model.enqueue_call(
    text, model.models, jsonb, jsonb, text, text, int, text, text, int, numeric, int, boolean) is
    'Has a model asked: queue.enqueue with what the call needs to know, the gates of its provider and model
(queue.limit_rate and queue.limit_concurrency of "model:NAME", whose units are tokens), and, where reserve says how many US dollars it may cost, the money set aside.
gives_up: somebody waits, and has another way. origin as model.record_call has it. Errors: QC414 no budget left.';
-- Granted to nobody: functions of other schemas call it.

create or replace function model.enqueue_generate(
    called model.models, payload jsonb, parameters jsonb, streams boolean, origin jsonb, continuation text, on_failure text,
    max_attempts int, tokens int
)
    returns bigint
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select model.enqueue_call('generate', called, payload || jsonb_build_object('parameters', parameters, 'capabilities',
            jsonb_build_object('sampling', called.sampling, 'token_field', called.token_field, 'json_schema', called.json_schema,
                'tools', called.tools, 'stream', called.streams, 'stream_usage', called.stream_usage,
                'context_tokens', called.context_tokens),
            'stream', called.streams and streams, 'first_token_seconds', called.first_token_seconds,
            'silence_seconds', called.silence_seconds),
        origin, continuation, on_failure, max_attempts => max_attempts, priority => 0,
        reserve => model.cost(called.model_id, tokens, (parameters ->> 'max_tokens')::int), tokens => tokens, gives_up => true);
end;

comment on function model.enqueue_generate(model.models, jsonb, jsonb, boolean, jsonb, text, text, int, int) is
    'Has a model say something, for somebody who waits: payload has system, messages and, where JSON is wanted, schema; parameters
have max_tokens; tokens is about what is sent. The continuation gets {"text", "finish", "usage", …}. Errors: QC414 no budget left.';
-- Granted to nobody: functions of other schemas call it.

create or replace function model.enqueue_embed(
    name text, dimensions int, payload jsonb, texts jsonb, origin jsonb, continuation text, on_failure text,
    key text default null, on_conflict text default 'keep', gives_up boolean default false
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_model  model.models := model.require_model(name, 'embed');
    v_tokens int := model.estimate_tokens(texts::text);
begin
    return model.enqueue_call('embed', v_model, payload || jsonb_build_object('texts', texts, 'capabilities',
            jsonb_build_object('dimensions', dimensions, 'send_dimensions', v_model.send_dimensions,
                'max_inputs', v_model.max_inputs, 'max_tokens', v_model.max_request_tokens)),
        origin, continuation, on_failure, key => key, on_conflict => on_conflict,
        -- Behind answers that somebody waits for, unless somebody waits for these.
        max_attempts => case when gives_up then 2 else 5 end, priority => case when gives_up then 0 else 2 end, reserve => model.cost(v_model.model_id, v_tokens, 0), tokens => v_tokens, gives_up => gives_up);
end
$$;

comment on function model.enqueue_embed(text, int, jsonb, jsonb, jsonb, text, text, text, text, boolean) is
    'Has texts turned into vectors: the continuation gets {"embeddings": [[…] or null, …], "errors": [{"index", "error"}],
"usage"}, one for each text. Errors: QC227 model, QC414 no budget left.';
-- Granted to nobody: functions of other schemas call it.

create or replace function model.enqueue_rerank(
    name text, query text, payload jsonb, texts jsonb, origin jsonb, continuation text, on_failure text
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_model  model.models := model.require_model(name, 'rerank');
    v_tokens int := model.estimate_tokens(query || texts::text);
begin
    return model.enqueue_call('rerank', v_model, payload || jsonb_build_object('query', query, 'documents', texts), origin,
        continuation, on_failure, max_attempts => 2, priority => 0,
        reserve => model.cost(v_model.model_id, v_tokens, 0), tokens => v_tokens, gives_up => true);
end
$$;

comment on function model.enqueue_rerank(text, text, jsonb, jsonb, jsonb, text, text) is
    'Has texts scored for a query: the continuation gets {"results": [{"index", "score"}], "usage"}.
Errors: QC227 model, QC414 no budget left.';
-- Granted to nobody: functions of other schemas call it.
