-- Nobody counts tokens but the model's own tokenizer; a quarter of the bytes is near for English, and more than enough of
-- a guess to set money aside.
create or replace function model.estimate_tokens(content text)
    returns int
    language sql immutable parallel safe
return (coalesce(octet_length(content), 0) + 3) / 4;

comment on function model.estimate_tokens(text) is 'About how many tokens a text has: a quarter of its bytes.';

grant execute on function model.estimate_tokens(text) to concierge_app, concierge_admin;

create or replace function model.price_at(model_id bigint, kind text, input_tokens int, at timestamptz)
    returns numeric
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select p.price
    from model.prices as p
    where p.model_id = price_at.model_id and p.kind = price_at.kind and (p.above_tokens < input_tokens or p.above_tokens = 0)
        and p.valid_from <= at and (p.valid_to > at or p.valid_to is null)
    -- The tier first, of those that hold then; and in it, the latest.
    order by p.above_tokens desc, p.valid_from desc
    limit 1;
end;

comment on function model.price_at(bigint, text, int, timestamptz) is
    'The price of a kind for a call of so many input tokens at a time; null: none is known.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.cost(
    model_id bigint, input_tokens int, output_tokens int, cached_tokens int default 0, cache_write_tokens int default 0,
    at timestamptz default now()
)
    returns numeric
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(round(
        (greatest(input_tokens - cached_tokens - cache_write_tokens, 0) * coalesce(i.price, 0)
            + cached_tokens * coalesce(model.price_at(model_id, 'cached_input', input_tokens, at), i.price, 0)
            + cache_write_tokens * coalesce(model.price_at(model_id, 'cache_write', input_tokens, at), i.price, 0)
            + output_tokens * coalesce(model.price_at(model_id, 'output', input_tokens, at), 0)) / 1000000
        + coalesce(model.price_at(model_id, 'request', input_tokens, at), 0), 8), 0)
    from (select model.price_at(model_id, 'input', input_tokens, at) as price) as i;
end;

comment on function model.cost(bigint, int, int, int, int, timestamptz) is
    'What a call costs, in US dollars, by the prices of that time; cached and cache-written tokens are among the input tokens, and
cost what input does where they have no price. What has no price costs nothing.';

grant execute on function model.cost(bigint, int, int, int, int, timestamptz) to concierge_admin;
