-- The offline embedding: every lexeme is hashed to one of 256 dimensions and a sign, repeated words count by
-- their logarithm (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"). No model,
-- no network, the same vector on every machine: md5 and not hashtext, which may change between versions.
-- English stems; other languages keep their words.
create or replace function model.embed_offline(content text)
    returns extensions.vector
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    with weights as (
        select get_byte(h.digest, 0) as dimension,
               sum((1 + ln(cardinality(w.positions)))
                   * case when get_byte(h.digest, 1) < 128 then 1 else -1 end) as weight
        from unnest(to_tsvector('english',
            extensions.unaccent('extensions.unaccent', left(content, 100000)))) as w
        cross join lateral (select decode(md5(w.lexeme), 'hex') as digest) as h
        group by 1
    ), norm as (
        select sqrt(sum(w.weight * w.weight)) as length from weights as w
    )
    -- A text without words has no direction, hence no vector.
    select (select array_agg((coalesce(w.weight, 0) / n.length)::real order by d.dimension)
            from generate_series(0, 255) as d(dimension)
            left join weights as w using (dimension))::extensions.vector
    from norm as n
    where n.length > 0;
end;

comment on function model.embed_offline(text) is
    'Unit vector of 256 dimensions from the words of a text; null when it has none. Deterministic,
needs no model.';

grant execute on function model.embed_offline(text) to concierge_app, concierge_admin;
