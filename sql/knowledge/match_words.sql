-- A query's terms with what BM25 multiplies them by, in the order they are to find candidates. Counted chunks are in
-- knowledge.terms; those that came since are looked at here, so that a word nobody used before is right at once.
create or replace function knowledge.weigh_terms(
    workspace_id bigint, lexemes text[], counts real[], uncounted bigint[]
)
    returns setof knowledge.weighed_term
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    return query execute format($sql$
        with asked as (
            select a.lexeme, a.count, t.chunk_count, t.max_weight
            from unnest($2, $3) as a (lexeme, count)
            left join knowledge.terms_%1$s as t
                on t.workspace_id = $1 and t.lexeme = a.lexeme collate "C"
        ), fresh as (
            select u.lexeme, count(*) as chunk_count
            from knowledge.lexical_%1$s as l
            cross join lateral unnest(tsvector_to_array(l.words)) as u (lexeme)
            where l.workspace_id = $1 and l.chunk_id = any ($4) and u.lexeme = any ($2)
            group by u.lexeme
        ), known as (
            select a.lexeme, a.count, a.max_weight,
                coalesce(a.chunk_count, 0) + coalesce(f.chunk_count, 0) as chunk_count
            from asked as a
            left join fresh as f on f.lexeme = a.lexeme
        ), weighed as (
            select k.lexeme, k.chunk_count, k.max_weight,
                (k.count * ln(1 + (greatest(s.chunk_count + cardinality($4), k.chunk_count) - k.chunk_count + 0.5::float8)
                    / (k.chunk_count + 0.5::float8)))::real as factor
            from known as k
            cross join knowledge.statistics as s
            where s.workspace_id = $1 and k.chunk_count > 0
        )
        select w.lexeme, w.chunk_count, w.factor, (w.factor * coalesce(w.max_weight, 0))::real
        from weighed as w
        order by w.chunk_count / greatest(w.factor * coalesce(w.max_weight, 0), 1e-6), w.lexeme$sql$, workspace_id)
    using workspace_id, lexemes, counts, uncounted;
end
$$;

comment on function knowledge.weigh_terms(bigint, text[], real[], bigint[]) is
    'Those of the lexemes that the workspace has: in how many chunks, the factor of their stored weights (how often
asked for, times IDF as Lucene has it), and the most they add to any counted chunk; first those that are rare for what
they add.';
-- Granted to nobody: search calls it.

create or replace function knowledge.query_vector(lexemes text[], factors real[])
    returns extensions.sparsevec
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select ('{' || coalesce(string_agg(d.dimension || ':' || d.factor, ',' order by d.dimension), '')
        || '}/1000000000')::extensions.sparsevec
    from (
        select knowledge.dimension(f.lexeme) as dimension, sum(f.factor) as factor
        from unnest(lexemes, factors) as f (lexeme, factor)
        group by 1
    ) as d;
end;

comment on function knowledge.query_vector(text[], real[]) is 'What stored weights are multiplied by.';
-- Granted to nobody: search calls it.

create or replace function knowledge.quote_lexeme(lexeme text)
    returns text
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
return '''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''';

comment on function knowledge.quote_lexeme(text) is 'A lexeme as a tsquery is written.';
-- Granted to nobody: functions of this schema call it.

-- Words of an index as a query for any of them; they are lexemes already.
create or replace function knowledge.any_of(lexemes text[])
    returns tsquery
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select string_agg(knowledge.quote_lexeme(w.lexeme), ' | ')::tsquery from unnest(lexemes) as w (lexeme);
end;

comment on function knowledge.any_of(text[]) is 'A tsquery that matches what has one of the lexemes; null for none.';
-- Granted to nobody: search calls it.

-- The lexical leg. Exact, though it looks at few: terms are taken from the rare to the common, those that add much first,
-- and once the k-th best score exceeds what all others together could add, nobody who has only those can be among the
-- best (MaxScore; Turtle and Flood 1995, "Query evaluation: strategies and optimizations"). Common words then only add
-- to the scores of what the rare ones found. Uncounted chunks, whose weights have no bound yet, are always looked at.
create or replace function knowledge.match_words(
    workspace_id bigint, lexemes text[], counts real[], must tsquery, condition text, audiences bigint[],
    documents uuid[], max_results int,
    out chunk_ids bigint[], out document_ids uuid[], out scores real[], out path text, out candidates bigint,
    out query_vector extensions.sparsevec, out terms jsonb
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    -- The planner does not know that a scan would fetch the words of every row from out of line.
    set enable_seqscan = off
as $$
#variable_conflict use_variable
declare
    v_uncounted bigint[] := array(
        select u.chunk_id from knowledge.uncounted as u
        where u.workspace_id = match_words.workspace_id and u.lexemes is null limit 5001);
    v_condition text := condition || case when must is not null then ' and l.words @@ $6' else '' end;
    v_where     text;
    v_lexemes   text[];
    v_found     bigint[];
    v_bounds    real[];
    v_rest      real[];
    v_terms     int;
    v_used      int := 0;
    v_sum       bigint := 0::bigint;
    v_kth       real;
begin
    select array_agg(w.lexeme), array_agg(w.chunk_count), array_agg(w.bound),
        knowledge.query_vector(array_agg(w.lexeme), array_agg(w.factor)),
        jsonb_agg(jsonb_build_object('word', w.lexeme, 'chunks', w.chunk_count, 'factor', w.factor, 'at_most', w.bound))
    into v_lexemes, v_found, v_bounds, query_vector, terms
    from knowledge.weigh_terms(workspace_id, lexemes, counts, v_uncounted) as w;
    v_terms := coalesce(cardinality(v_lexemes), 0);
    if v_terms = 0 then
        path := 'no word known';
        return;
    end if;
    -- rest[i]: what the terms after the i-th could add.
    select array_agg(r.rest order by r.place) into v_rest
    from (
        select b.place, coalesce(sum(b.bound) over (order by b.place desc
            rows between unbounded preceding and 1 preceding), 0)::real as rest
        from unnest(v_bounds) with ordinality as b (bound, place)
    ) as r;

    candidates := 0;
    -- Only the words were asked for, and what they weigh.
    if max_results = 0 then
        path := 'not asked';
        return;
    end if;
    loop
        -- As many more terms as the best so far leave a chance, and at first what is cheap.
        loop
            v_used := v_used + 1;
            v_sum := v_sum + v_found[v_used];
            exit when v_used = v_terms
                or case when v_kth > 0 then v_kth > v_rest[v_used] * 1.00001  -- sums of float4 round
                        else v_sum + v_found[v_used + 1] > 50 * max_results end;
        end loop;
        -- Few that may be found: the rarest words would hardly fill the list.
        if cardinality(v_uncounted) > 5000 or documents is not null then
            v_used := v_terms;
        end if;

        v_where := v_condition;
        if v_used < v_terms and v_uncounted <> '{}' then
            v_where := v_condition || format($sql$
                union all
                select l.chunk_id, l.document_id, (- (l.weights operator(extensions.<#>) $1))::real as score
                from knowledge.lexical_%1$s as l
                where l.workspace_id = %1$s and l.chunk_id = any ($7) and not l.words @@ $5 and l.words @@ $8
                    %2$s$sql$, workspace_id, v_condition);
        end if;
        execute format($sql$
            select array_agg(r.chunk_id order by r.score desc, r.chunk_id),
                array_agg(r.document_id order by r.score desc, r.chunk_id),
                array_agg(r.score order by r.score desc, r.chunk_id)
            from (
                select l.chunk_id, l.document_id, (- (l.weights operator(extensions.<#>) $1))::real as score
                from knowledge.lexical_%1$s as l
                where l.words @@ $5 %2$s
                order by score desc, chunk_id
                limit $4
            ) as r$sql$, workspace_id, v_where)
        into chunk_ids, document_ids, scores
        using query_vector, audiences, documents, max_results,
            knowledge.any_of(v_lexemes[:v_used]), must, v_uncounted, knowledge.any_of(v_lexemes);

        candidates := v_sum;
        v_kth := case when cardinality(scores) = max_results then scores[max_results] else 0 end;
        exit when v_used = v_terms or v_kth > v_rest[v_used] * 1.00001;
    end loop;
    path := format('%s of %s words', v_used, v_terms);
end
$$;

comment on function knowledge.match_words(bigint, text[], real[], tsquery, text, bigint[], uuid[], int) is
    'The best chunks by BM25, exactly, ties by chunk_id; the path says how many of the words had to find candidates,
and candidates how many they could find at most; terms and query_vector are what it scores by, all there is for
max_results 0. condition is SQL that begins with "and" and speaks of
l, a row of knowledge.lexical, of $2, the audiences, and $3, the documents.';
-- Granted to nobody: search calls it.
