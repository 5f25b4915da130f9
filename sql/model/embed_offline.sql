-- The offline embedding: every lexeme is hashed to one of 256 dimensions and a sign, repeated words count by
-- their logarithm (Weinberger et al. 2009, "Feature hashing for large scale multitask learning"). No model,
-- no network, the same vector on every machine: md5 and not hashtext, which may change between versions, and
-- sums in the order of words and of dimensions, for adding doubles rounds.
create or replace function model.embed_words_sql(words tsvector)
    returns extensions.vector
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    with weights as (
        select get_byte(h.digest, 0) as dimension,
               sum((1 + ln(cardinality(w.positions)::double precision))
                   * case when get_byte(h.digest, 1) < 128 then 1 else -1 end order by w.n) as weight
        from unnest(words) with ordinality as w (lexeme, positions, labels, n)
        cross join lateral (select decode(md5(w.lexeme), 'hex') as digest) as h
        group by 1
    ), norm as (
        select sqrt(sum(w.weight * w.weight order by w.dimension)) as length from weights as w
    )
    -- A text without words has no direction, hence no vector.
    select (select array_agg((coalesce(w.weight, 0) / n.length)::real order by d.dimension)
            from generate_series(0, 255) as d(dimension)
            left join weights as w using (dimension))::extensions.vector
    from norm as n
    where n.length > 0;
end;

comment on function model.embed_words_sql(tsvector) is 'Unit vector of 256 dimensions from words; null from none.';

-- Looked for at every call: the extension may come and go, and a dump of this database goes where it is not.
create or replace function model.embed_words(words tsvector)
    returns extensions.vector
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_vector extensions.vector;
begin
    if to_regprocedure('extensions.concierge_embed_words(tsvector)') is null then
        return model.embed_words_sql(words);
    end if;
    execute 'select extensions.concierge_embed_words($1)' into v_vector using words;
    return v_vector;
end
$$;

comment on function model.embed_words(tsvector) is
    'model.embed_words_sql, by the native extension where it is installed.';

-- English stems; other languages keep their words.
create or replace function model.embed_offline(content text)
    returns extensions.vector
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
return model.embed_words(
    to_tsvector('english', extensions.unaccent('extensions.unaccent', left(content, 100000))));

comment on function model.embed_offline(text) is
    'Unit vector of 256 dimensions from the words of a text; null when it has none. Deterministic,
needs no model.';

grant execute on function model.embed_words_sql(tsvector), model.embed_words(tsvector), model.embed_offline(text)
    to concierge_app, concierge_admin;
