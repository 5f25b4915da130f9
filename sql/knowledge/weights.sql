-- Vectors have numbers where texts have words. A billion of them, so that two words hardly ever share one; the
-- hash is the one PostgreSQL keeps stable for partitions.
create or replace function knowledge.dimension(lexeme text)
    returns int
    language sql immutable strict parallel safe
return (1 + pg_catalog.abs(pg_catalog.hashtextextended(lexeme, 0) % 999999937))::int;

comment on function knowledge.dimension(text) is 'The place of a word in knowledge.lexical.weights: 1 to 999,999,937.';
-- Granted to nobody: search calls it.

-- BM25 as Lucene has it (Robertson and Zaragoza 2009, "The probabilistic relevance framework"), all of it that a
-- query does not change: without IDF, which moves with every insert.
create or replace function knowledge.weights_sql(words tsvector, k1 real, b real, average_length real)
    returns extensions.sparsevec
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
    set extra_float_digits = 1
begin atomic
    with counted as (
        select knowledge.dimension(w.lexeme) as dimension,
            greatest(coalesce(cardinality(w.positions), 1), 1)::real as count
        from unnest(words) as w
    ), total as (
        select (k1 * (1 - b + b * sum(c.count) / average_length))::real as norm from counted as c
    )
    select ('{' || coalesce(string_agg(e.dimension || ':' || e.weight, ',' order by e.dimension), '')
        || '}/1000000000')::extensions.sparsevec
    from (
        select c.dimension, sum(c.count / (c.count + t.norm)) as weight
        from counted as c cross join total as t
        group by c.dimension
    ) as e;
end;

comment on function knowledge.weights_sql(tsvector, real, real, real) is
    'BM25 weights of a text without IDF, a number a word: tf / (tf + k1 (1 - b + b length / average_length)).';
-- Granted to nobody: knowledge.weights calls it.

-- Looked for at every call: the extension may come and go, and a dump of this database goes where it is not.
create or replace function knowledge.weights(words tsvector, k1 real, b real, average_length real)
    returns extensions.sparsevec
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_weights extensions.sparsevec;
begin
    if to_regprocedure('extensions.concierge_word_weights(tsvector, real, real, real)') is null then
        return knowledge.weights_sql(words, k1, b, average_length);
    end if;
    execute 'select extensions.concierge_word_weights($1, $2, $3, $4)'
        into v_weights using words, k1, b, average_length;
    return v_weights;
end
$$;

comment on function knowledge.weights(tsvector, real, real, real) is
    'knowledge.weights_sql, by the native extension where it is installed.';
-- Granted to nobody: indexing calls it.

-- Chosen by measurement: a word that is there three times in a chunk of average length, or twice in a short one. Another one is
-- another index, and the native extension has it, too.
create or replace function knowledge.strong_weight()
    returns real
    language sql immutable parallel safe
return 0.6::real;

comment on function knowledge.strong_weight() is 'A word whose stored weight is above it is strong in its chunk.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.marks_sql(weights extensions.sparsevec)
    returns int[]
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
    set extra_float_digits = 1
begin atomic
    select coalesce(array_agg(s.sign * p.part[1]::int order by s.sign * p.part[1]::int), '{}')
    from regexp_matches(weights::text, '([0-9]+):([^,}]+)', 'g') as p (part)
    cross join (values (1), (-1)) as s (sign)
    where s.sign = 1 or p.part[2]::real > knowledge.strong_weight();
end;

comment on function knowledge.marks_sql(extensions.sparsevec) is
    'What a chunk is found by: the places of its words, and the negative places of those that are strong in it.';
-- Granted to nobody: knowledge.marks calls it.

-- The index lexical_by_marks is made of it: it may become faster, and never another.
create or replace function knowledge.marks(weights extensions.sparsevec)
    returns int[]
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_marks int[];
begin
    if to_regprocedure('extensions.concierge_marks(extensions.sparsevec)') is null then
        return knowledge.marks_sql(weights);
    end if;
    execute 'select extensions.concierge_marks($1)' into v_marks using weights;
    return v_marks;
end
$$;

comment on function knowledge.marks(extensions.sparsevec) is 'knowledge.marks_sql, by the native extension where it is installed.';
-- Granted to nobody: search calls it.

create or replace function knowledge.length(words tsvector)
    returns int
    language sql immutable strict parallel safe
begin atomic
    select coalesce(sum(greatest(coalesce(pg_catalog.cardinality(w.positions), 1), 1)), 0)::int
    from pg_catalog.unnest(words) as w;
end;

comment on function knowledge.length(tsvector) is 'How many words a text has, repeated ones counted.';
-- Granted to nobody: indexing calls it.
