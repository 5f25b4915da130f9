-- Operators say who may be asked. A secret is named here, and never told: the daemon has it, and sends it to no other host than
-- its own configuration allows.
create or replace function model.set_provider(
    name text, kind text, base_url text, credential text default null, api_version text default null,
    region text default null, authentication text default null
)
    returns bigint
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into model.providers as p (name, kind, base_url, credential, authentication, api_version, region)
    values (set_provider.name, set_provider.kind, rtrim(set_provider.base_url, '/'), set_provider.credential,
        coalesce(set_provider.authentication, case
            when set_provider.credential is null then 'none'
            when set_provider.kind = 'anthropic' then 'x-api-key'
            when set_provider.kind = 'bedrock' then 'sigv4'
            else 'bearer' end),
        coalesce(set_provider.api_version, case set_provider.kind when 'anthropic' then '2023-06-01' end),
        set_provider.region)
    on conflict (name) do update
        set kind = excluded.kind, base_url = excluded.base_url, credential = excluded.credential,
            authentication = excluded.authentication, api_version = excluded.api_version, region = excluded.region
    returning p.provider_id;
end;

comment on function model.set_provider(text, text, text, text, text, text, text) is
    'Makes a provider, or changes the one of this name; returns its id. kind: openai (and all that speak its protocol), anthropic,
bedrock, ollama, cohere, jina, tei, vllm; credential: the name of a secret of the daemon; authentication: bearer, x-api-key,
sigv4 or none, null for what its kind uses. Errors: 23514.';

grant execute on function model.set_provider(text, text, text, text, text, text, text) to concierge_admin;

create or replace function model.check_capabilities(capabilities jsonb)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_known constant text[] := array['sampling', 'token_field', 'json_schema', 'tools', 'streams', 'stream_usage',
        'context_tokens', 'output_tokens', 'dimensions', 'send_dimensions', 'max_inputs', 'max_request_tokens', 'seconds',
        'first_token_seconds', 'silence_seconds'];
begin
    if jsonb_typeof(capabilities) is distinct from 'object' then
        perform access.refuse('22023', 'capabilities are a JSON object', 'For example {"json_schema": true}.');
    end if;
    perform access.refuse_unknown(capabilities, v_known, 'QC225', 'a model has no capability');
end
$$;

comment on function model.check_capabilities(jsonb) is 'Refuses what no model is known to be able to. Errors: QC225, 22023.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.set_model(
    name text, purpose text, provider text, capabilities jsonb default '{}', wire_name text default null
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_provider_id bigint := (select p.provider_id from model.providers as p where p.name = set_model.provider);
    v_id          bigint;
begin
    perform model.check_capabilities(capabilities);
    if v_provider_id is null then
        perform access.refuse('QC226', format('there is no provider "%s"', provider),
            'model.set_provider(name, kind, base_url) makes one; model.providers has them.');
    end if;
    insert into model.models as m (name, purpose, provider_id, wire_name)
    values (set_model.name, set_model.purpose, v_provider_id, coalesce(set_model.wire_name, set_model.name))
    on conflict (purpose, name) do update set provider_id = excluded.provider_id, wire_name = excluded.wire_name
    returning m.model_id into v_id;
    update model.models as m
    set sampling = n.sampling, token_field = n.token_field, json_schema = n.json_schema, tools = n.tools,
        streams = n.streams, stream_usage = n.stream_usage, context_tokens = n.context_tokens,
        output_tokens = n.output_tokens, dimensions = n.dimensions, send_dimensions = n.send_dimensions,
        max_inputs = n.max_inputs, max_request_tokens = n.max_request_tokens, seconds = n.seconds,
        first_token_seconds = n.first_token_seconds, silence_seconds = n.silence_seconds
    from model.models as o
    cross join lateral jsonb_populate_record(o, capabilities) as n
    where m.model_id = v_id and o.model_id = v_id;
    return v_id;
end
$$;

comment on function model.set_model(text, text, text, jsonb, text) is
    'Makes a model of a provider for a purpose (generate, embed, rerank), or changes it; returns its id. capabilities by the names
of columns of model.models, others stay as they are; wire_name: what the provider calls it, if not the same.
Errors: QC225 unknown capability, QC226 provider, 22023, 23514.';

grant execute on function model.set_model(text, text, text, jsonb, text) to concierge_admin;

create or replace function model.require_model(name text, purpose text)
    returns model.models
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_model model.models;
begin
    select * into v_model from model.models as m where m.name = require_model.name and m.purpose = require_model.purpose;
    if not found then
        perform access.refuse('QC227', format('there is no model "%s" to %s', name, purpose),
            'An operator makes one: model.set_model(name, purpose, provider); model.models has them.');
    end if;
    return v_model;
end
$$;

comment on function model.require_model(text, text) is 'The model of this name for a purpose. Errors: QC227 there is none.';
-- Granted to nobody: functions call it.

-- The price before ends where the next one begins, so it need not be told.
create or replace function model.set_price(
    name text, purpose text, kind text, price numeric, valid_from timestamptz default now(),
    valid_to timestamptz default null, above_tokens int default 0
)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into model.prices as p (model_id, kind, above_tokens, valid_from, valid_to, price)
    select (model.require_model(set_price.name, set_price.purpose)).model_id, set_price.kind, set_price.above_tokens,
        set_price.valid_from, set_price.valid_to, set_price.price
    on conflict (model_id, kind, above_tokens, valid_from) do update
        set valid_to = excluded.valid_to, price = excluded.price;
end;

comment on function model.set_price(text, text, text, numeric, timestamptz, timestamptz, int) is
    'What a model costs from then on, in US dollars: a million tokens (input, cached_input, cache_write, output) or a call
(request), for calls with more input tokens than above_tokens. Errors: QC227 model, 23514.';

grant execute on function model.set_price(text, text, text, numeric, timestamptz, timestamptz, int) to concierge_admin;
