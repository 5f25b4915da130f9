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
            select a.lexeme, a.count, t.chunk_count, t.max_weight, t.strong_count
            from unnest($2, $3) as a (lexeme, count)
            left join knowledge.terms_%1$s as t
                on t.workspace_id = $1 and t.lexeme = a.lexeme collate "C"
        ), fresh as (
            select u.lexeme, count(*) as chunk_count
            from knowledge.chunk_words_%1$s as l
            cross join lateral unnest(tsvector_to_array(l.words)) as u (lexeme)
            where l.workspace_id = $1 and l.chunk_id = any ($4) and u.lexeme = any ($2)
            group by u.lexeme
        ), known as (
            select a.lexeme, a.count, a.max_weight, coalesce(a.strong_count, 0)::bigint as strong_count,
                coalesce(a.chunk_count, 0) + coalesce(f.chunk_count, 0) as chunk_count
            from asked as a
            left join fresh as f on f.lexeme = a.lexeme
        ), weighed as (
            select k.lexeme, k.chunk_count, k.strong_count, k.max_weight,
                (k.count * ln(1 + (greatest(s.chunk_count + cardinality($4), k.chunk_count) - k.chunk_count + 0.5::float8)
                    / (k.chunk_count + 0.5::float8)))::real as factor
            from known as k
            cross join knowledge.statistics as s
            where s.workspace_id = $1 and k.chunk_count > 0
        )
        select w.lexeme, w.chunk_count, w.factor, (w.factor * coalesce(w.max_weight, 0))::real, w.strong_count,
            (w.factor * least(coalesce(w.max_weight, 0), knowledge.strong_weight()))::real
        from weighed as w
        order by w.chunk_count / greatest(w.factor * coalesce(w.max_weight, 0), 1e-6), w.lexeme$sql$, workspace_id)
    using workspace_id, lexemes, counts, uncounted;
end
$$;

comment on function knowledge.weigh_terms(bigint, text[], real[], bigint[]) is
    'Those of the lexemes that the workspace has: in how many chunks, and strong in how many, the factor of their stored
weights (how often asked for, times IDF as Lucene has it), and the most they add to any counted chunk, and to one they are
not strong in; first those that are rare for what they add.';
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

create or replace function knowledge.dimensions(lexemes text[])
    returns int[]
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(knowledge.dimension(w.lexeme) order by w.place), '{}')
    from unnest(lexemes) with ordinality as w (lexeme, place);
end;

comment on function knowledge.dimensions(text[]) is 'The places of words.';
-- Granted to nobody: search calls it.

create or replace function knowledge.rounding()
    returns float8
    language sql immutable parallel safe
return 1.0001::float8;

comment on function knowledge.rounding() is 'By how much more than its bounds a score may come out: sums of float4 round.';
-- Granted to nobody: search calls it.

-- What to look for, so that nothing that scores aim or more is missed: a chunk that has none of these words, nor any of those
-- that are to be strong, strong, has at most what all the others could add (MaxScore; Turtle and Flood 1995, "Query evaluation:
-- strategies and optimizations"). Steps towards it are taken while they are cheap for what they take away; those that turn
-- out not to be needed are taken back, the dearest first.
create or replace function knowledge.choose_words(terms knowledge.weighed_term[], aim float8, costs float8[])
    returns int[]
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_margin constant float8 := knowledge.rounding();
    v_levels int[]  := array_fill(0, array[cardinality(terms)]);
    v_rest   float8 := (select sum(t.bound)::float8 from unnest(terms) as t);
    v_step   record;
    v_left   float8[];
begin
    for v_step in
        select s.place, s.level, s.gain
        from (
            select t.place, t.bound::float8 as bound, t.weak_bound::float8 as weak, costs[t.place] * t.chunk_count as all_of_it,
                costs[t.place] * t.strong_count as strong
            from unnest(terms) with ordinality
                as t (lexeme, chunk_count, factor, bound, strong_count, weak_bound, place)
        ) as w
        -- From nothing to where it is strong, and from there to all of it; at once where that is the better bargain.
        cross join lateral (
            select w.strong * w.weak < (w.all_of_it - w.strong) * (w.bound - w.weak) as by_steps) as b
        cross join lateral (
            select w.place, 1 as level, w.bound - w.weak as gain, w.strong as cost where b.by_steps
            union all
            select w.place, 2 as level, case when b.by_steps then w.weak else w.bound end as gain,
                case when b.by_steps then w.all_of_it - w.strong else w.all_of_it end as cost
        ) as s
        order by s.cost / greatest(s.gain, 1e-9), s.place, s.level
    loop
        exit when v_rest * c_margin < aim;
        v_rest := v_rest - v_step.gain;
        v_levels[v_step.place] := v_step.level;
    end loop;

    for v_step in
        select t.place, array[t.bound, t.weak_bound, 0]::float8[] as rests
        from unnest(terms) with ordinality as t (lexeme, chunk_count, factor, bound, strong_count, weak_bound, place)
        where v_levels[t.place] > 0
        order by costs[t.place] * case v_levels[t.place] when 2 then t.chunk_count else t.strong_count end desc, t.place
    loop
        v_left := v_step.rests;
        for v_level in 0..v_levels[v_step.place] - 1 loop
            if (v_rest - v_left[v_levels[v_step.place] + 1] + v_left[v_level + 1]) * c_margin < aim then
                v_rest := v_rest - v_left[v_levels[v_step.place] + 1] + v_left[v_level + 1];
                v_levels[v_step.place] := v_level;
                exit;
            end if;
        end loop;
    end loop;
    return v_levels;
end
$$;

comment on function knowledge.choose_words(knowledge.weighed_term[], float8, float8[]) is
    'For each term 0, it need not be looked for; 1, where it is strong; 2, wherever it is. costs: what looking at a chunk
for it costs.';
-- Granted to nobody: search calls it.

-- As if words did not know of each other, which is too low: those of a query come together. The distribution of scores, in 64
-- steps; of many words those that count most.
create or replace function knowledge.likely_score(terms knowledge.weighed_term[], chunk_count bigint, wanted int)
    returns float8
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    c_steps  constant int := 64;
    v_whole  float8   := (select sum(t.bound)::float8 from unnest(terms) as t);
    v_chunks float8[] := array_prepend(chunk_count::float8, array_fill(0::float8, array[c_steps]));
    v_before float8[];
    v_sum    float8   := 0::float8;
    v_term   record;
begin
    for v_term in
        select least(t.chunk_count::float8 / chunk_count, 1) as share, least(t.strong_count::float8 / chunk_count, 1) as strong,
            -- Where they lie between their bounds, on the whole: by measurement.
            floor(0.75 * t.weak_bound / v_whole * c_steps)::int as weak_step,
            floor((0.6 * t.weak_bound + 0.4 * t.bound) / v_whole * c_steps)::int as strong_step
        from unnest(terms) as t
        where t.bound > 0
        order by t.bound desc
        limit 12
    loop
        v_before := v_chunks;
        for i in 1..c_steps + 1 loop
            v_chunks[i] := v_before[i] * (1 - v_term.share)
                + case when i > v_term.weak_step then v_before[i - v_term.weak_step] else 0 end
                    * (v_term.share - v_term.strong)
                + case when i > v_term.strong_step then v_before[i - v_term.strong_step] else 0 end * v_term.strong;
        end loop;
    end loop;
    for i in reverse c_steps + 1..2 loop
        v_sum := v_sum + v_chunks[i];
        if v_sum >= wanted then
            return v_whole * (i - 1) / c_steps;
        end if;
    end loop;
    return 0::float8;
end
$$;

comment on function knowledge.likely_score(knowledge.weighed_term[], bigint, int) is
    'A guess at the score of the wanted-th best of so many chunks; 0 where there may be fewer that have any of the words.';
-- Granted to nobody: search calls it.

create or replace function knowledge.chunks_found(terms knowledge.weighed_term[], levels int[])
    returns bigint
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select sum(case l.level when 2 then t.chunk_count when 1 then t.strong_count else 0 end)::bigint
    from unnest(terms) with ordinality as t (lexeme, chunk_count, factor, bound, strong_count, weak_bound, place)
    join unnest(levels) with ordinality as l (level, place) using (place);
end;

comment on function knowledge.chunks_found(knowledge.weighed_term[], int[]) is
    'How many chunks words find at most, when looked for as knowledge.choose_words says.';
-- Granted to nobody: search calls it.

create or replace function knowledge.marks_of(dimensions int[], levels int[])
    returns int[]
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(case w.level when 2 then w.dimension else - w.dimension end), '{}')
    from unnest(dimensions, levels) as w (dimension, level)
    where w.level > 0;
end;

comment on function knowledge.marks_of(int[], int[]) is
    'What knowledge.marks has of words at a place (level 2), or strong there (1).';
-- Granted to nobody: search calls it.

-- The terms come in the order of what they cost for what they add: from the front, as many as find few.
create or replace function knowledge.cheap_words(terms knowledge.weighed_term[], max_chunks bigint)
    returns int[]
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select array_agg(case when t.so_far <= max_chunks then 2 else 0 end order by t.place)
    from (
        select t.place, sum(t.chunk_count) over (order by t.place) as so_far
        from unnest(terms) with ordinality as t (lexeme, chunk_count, factor, bound, strong_count, weak_bound, place)
    ) as t;
end;

comment on function knowledge.cheap_words(knowledge.weighed_term[], bigint) is
    'As knowledge.choose_words has it: the first terms, as long as they find so few together.';
-- Granted to nobody: search calls it.

create or replace function knowledge.most_missed(terms knowledge.weighed_term[], levels int[])
    returns float8
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select sum(case l.level when 0 then t.bound when 1 then t.weak_bound else 0 end::float8) * knowledge.rounding()
    from unnest(terms) with ordinality as t (lexeme, chunk_count, factor, bound, strong_count, weak_bound, place)
    join unnest(levels) with ordinality as l (level, place) using (place);
end;

comment on function knowledge.most_missed(knowledge.weighed_term[], int[]) is
    'What a chunk can have at most that is not found by words looked for so.';
-- Granted to nobody: search calls it.

-- The lexical leg. Exact, though it looks at few. First the rare words, which cost next to nothing: if the last result has more
-- than all the others could add, that was all. Else a score is aimed at that the last result has, or, by a guess, may well have,
-- and the index asked for all that can have as much, by two conditions where one would leave too many. If the last one has as
-- much, nobody was missed; else what it has is the next aim, and a sure one. Uncounted chunks, whose weights have no bound yet, are
-- always looked at.
create or replace function knowledge.match_words(
    workspace_id bigint, lexemes text[], counts real[], must tsquery, required text[], condition text, audiences bigint[],
    documents uuid[], max_results int,
    out chunk_ids bigint[], out document_ids uuid[], out scores real[], out path text, out candidates bigint,
    out query_vector extensions.sparsevec, out terms jsonb
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    -- The planner does not know how much a scan of all would read, and a bitmap that does not fit is of pages.
    set enable_seqscan = off
    set work_mem = '64MB'
    -- Workers take longer to start than to help, and other searches need their processors.
    set max_parallel_workers_per_gather = 0
as $$
#variable_conflict use_variable
declare
    c_few       constant int := 100;    -- chunks looked at for each one wanted, before choosing is worth its time
    v_uncounted bigint[] := array(
        select u.chunk_id from knowledge.uncounted as u
        where u.workspace_id = match_words.workspace_id and u.lexemes is null limit 5001);
    v_chunks    bigint := (
        select greatest(s.chunk_count + cardinality(v_uncounted), 1) from knowledge.statistics as s
        where s.workspace_id = match_words.workspace_id);
    v_terms     knowledge.weighed_term[];
    v_words     int[];      -- places
    v_levels    int[];
    v_others    int[];
    v_aim       float8 := 0::float8;
    v_tries     int := 0;
    v_one       float8[];   -- what each word costs: the same
    v_last      real;       -- score of the last result
    v_condition text := condition;
    v_looked    text;
    v_where     text;
begin
    select array_agg(w), knowledge.query_vector(array_agg(w.lexeme), array_agg(w.factor)),
        jsonb_agg(jsonb_build_object('word', w.lexeme, 'chunks', w.chunk_count, 'strong', w.strong_count, 'factor', w.factor,
            'at_most', w.bound))
    into v_terms, query_vector, terms
    from knowledge.weigh_terms(workspace_id, lexemes, counts, v_uncounted) as w;
    if v_terms is null then
        path := 'no word known';
        return;
    end if;
    candidates := 0;
    -- Only the words were asked for, and what they weigh.
    if max_results = 0 then
        path := 'not asked';
        return;
    end if;

    v_words := knowledge.dimensions(array(select t.lexeme from unnest(v_terms) as t));
    if must is not null then
        v_condition := v_condition || format($sql$
            and knowledge.marks(l.weights) @> $9 and exists (
                select from knowledge.chunk_words_%1$s as w
                where w.workspace_id = %1$s and w.chunk_id = l.chunk_id and w.words @@ $6)$sql$, workspace_id);
    end if;
    v_one := array_fill(1::float8, array[cardinality(v_terms)]);
    v_levels := array_fill(2, array[cardinality(v_terms)]);
    -- Of few all are looked at.
    if knowledge.chunks_found(v_terms, v_levels) > c_few * max_results and cardinality(v_uncounted) <= 5000
        and documents is null and required = '{}'
    then
        v_levels := knowledge.cheap_words(v_terms, c_few * max_results / 2);
        if v_levels[1] = 0 then
            v_aim := knowledge.likely_score(v_terms, v_chunks, max_results);
            v_levels := knowledge.choose_words(v_terms, v_aim, v_one);
        end if;
    end if;
    loop
        candidates := knowledge.chunks_found(v_terms, v_levels);
        v_looked := 'knowledge.marks(l.weights) && $5';
        v_others := null;
        if v_aim > 0 and candidates > c_few * max_results then
            -- Others, as far as they will do.
            v_others := knowledge.choose_words(v_terms, v_aim, array(
                select case w.level when 0 then 1 else 10 end::float8
                from unnest(v_levels) with ordinality as w (level, place) order by w.place));
            v_looked := v_looked || ' and knowledge.marks(l.weights) && $10';
        end if;
        v_where := v_looked || v_condition;
        if v_uncounted <> '{}' and 2 <> any (v_levels) then
            v_where := v_where || format($sql$
                union all
                select l.chunk_id, l.document_id, (- (l.weights operator(extensions.<#>) $1))::real as score
                from knowledge.lexical_%1$s as l
                where l.workspace_id = %1$s and l.chunk_id = any ($7) and knowledge.marks(l.weights) && $8
                    and not (%2$s)$sql$, workspace_id, v_looked) || v_condition;
        end if;
        execute format($sql$
            select array_agg(r.chunk_id order by r.score desc, r.chunk_id),
                array_agg(r.document_id order by r.score desc, r.chunk_id),
                array_agg(r.score order by r.score desc, r.chunk_id)
            from (
                select l.chunk_id, l.document_id, (- (l.weights operator(extensions.<#>) $1))::real as score
                from knowledge.lexical_%1$s as l
                where %2$s
                order by score desc, chunk_id
                limit $4
            ) as r$sql$, workspace_id, v_where)
        into chunk_ids, document_ids, scores
        using query_vector, audiences, documents, max_results, knowledge.marks_of(v_words, v_levels), must, v_uncounted,
            v_words, knowledge.dimensions(required), knowledge.marks_of(v_words, v_others);

        v_last := case when cardinality(scores) = max_results then scores[max_results] end;
        exit when 2 = all (v_levels) and v_others is null or v_last >= v_aim and v_aim > 0
            or v_last > knowledge.most_missed(v_terms, v_levels) and v_others is null;
        -- Where few may be found a guess is far too high.
        v_tries := v_tries + 1;
        v_aim := case
            when v_tries = 1 and v_aim = 0 then greatest(v_last, knowledge.likely_score(v_terms, v_chunks, max_results))
            when v_last is not null then v_last
            when v_tries < 4 then v_aim / 2
            else 0 end;
        v_levels := case when v_aim > 0 then knowledge.choose_words(v_terms, v_aim, v_one)
            else array_fill(2, array[cardinality(v_terms)]) end;
    end loop;
    path := format('%s of %s words', (select count(*) from unnest(v_levels) as w (level) where w.level > 0),
        cardinality(v_terms));
end
$$;

comment on function knowledge.match_words(
    bigint, text[], real[], tsquery, text[], text, bigint[], uuid[], int) is
    'The best chunks by BM25, exactly, ties by chunk_id; the path says how many of the words had to find candidates,
and candidates how many they could find at most; terms and query_vector are what it scores by, all there is for
max_results 0. must is what a chunk''s words have to match, required the words it cannot do that without. condition is SQL
that begins with "and" and speaks of l, a row of knowledge.lexical, of $2, the audiences, and $3, the documents.';
-- Granted to nobody: search calls it.
