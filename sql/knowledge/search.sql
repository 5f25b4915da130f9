-- What of a workspace the caller may find, as SQL for both legs: by audience, and by the filters' documents. few says
-- that so few chunks are left that measuring all of them is the better way.
create or replace function knowledge.restrict(
    workspace knowledge.workspaces, filters jsonb, index_filters jsonb,
    out condition text, out audiences bigint[], out documents uuid[], out few boolean
)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- Below it, measured: exact is faster than a walk through the graph that leaves most of what it meets out. In a large workspace a
    -- fiftieth is few as well: the walk would end before it has met enough of them.
    v_few    int := (
        select greatest(5000, least(s.chunk_count / 50, 20000))::int from knowledge.statistics as s
        where s.workspace_id = workspace.workspace_id);
    v_filter text := nullif(concat_ws(' and ', knowledge.filter_documents(workspace, filters),
        knowledge.filter_documents(workspace, coalesce(index_filters, '{}'))), '');
    v_chunks bigint;
begin
    audiences := knowledge.my_audiences();
    condition := '';
    if exists (
        select from knowledge.audiences as a
        where a.tenant_id = workspace.tenant_id and a.audience_id <> all (audiences))
    then
        condition := ' and l.audience_id = any ($2)';
    end if;

    if v_filter is not null then
        execute format($sql$
            select array_agg(m.document_id), coalesce(sum(m.chunk_count), 0)
            from (
                select d.document_id, d.chunk_count from knowledge.documents_%1$s as d
                where d.workspace_id = %1$s and d.audience_id = any ($1) and %2$s
                limit %3$s
            ) as m$sql$, workspace.workspace_id, v_filter, v_few + 1)
        into documents, v_chunks using audiences;
        documents := coalesce(documents, '{}');
        if cardinality(documents) <= v_few then
            condition := ' and l.document_id = any ($3)';
        else
            documents := null;
            condition := condition || format(' and exists (
                select from knowledge.documents_%1$s as d
                where d.workspace_id = %1$s and d.document_id = l.document_id and %2$s)',
                workspace.workspace_id, v_filter);
        end if;
        few := documents is not null and v_chunks <= v_few;
    else
        select s.chunk_count <= v_few into few from knowledge.statistics as s
        where s.workspace_id = workspace.workspace_id;
        if not few and condition <> '' then
            execute format($sql$
                select count(*) <= $2
                from (
                    select from knowledge.lexical_%s as l where l.audience_id = any ($1) limit $2 + 1
                ) as m$sql$, workspace.workspace_id)
            into few using audiences, v_few;
        end if;
    end if;
end
$$;

comment on function knowledge.restrict(knowledge.workspaces, jsonb, jsonb) is
    'Which rows of both legs the signed-in person may find, and asks for: a condition on l that begins with "and", with
$2 for audiences and $3 for documents. Errors: QC401-QC403, QC218, 22023.';
-- Granted to nobody: search calls it.

-- Candidates of both legs with their true scores in both: who is found by one leg only still gets what the other would
-- have said. Linear: both scaled to 0-1 over the candidates, weighted (Bruch et al. 2022, arXiv 2210.11934); reciprocal
-- ranks: weight / (k + rank), and nothing for a leg that did not find it (Cormack et al. 2009).
create or replace function knowledge.fuse(
    workspace knowledge.workspaces, generation knowledge.generations, query_vector extensions.sparsevec,
    query_embedding extensions.vector, lexical_ids bigint[], vector_ids bigint[], lexical_weight real,
    vector_weight real, max_results int
)
    returns setof knowledge.fused
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_vectors text := 'cross join lateral (select null::real as vector_score, null::real as document_cosine) as v';
begin
    if generation is not null then
        v_vectors := format($sql$
            left join knowledge.embeddings_%1$s as e on e.generation_id = %1$s and e.chunk_id = c.chunk_id
            left join knowledge.document_embeddings_%1$s as m
                on m.generation_id = %1$s and m.document_id = l.document_id
            cross join lateral (
                select (1 - (e.embedding operator(extensions.<=>) $4))::real as vector_score,
                    (1 - (m.embedding operator(extensions.<=>) $4))::real as document_cosine
            ) as v$sql$, generation.generation_id);
    end if;
    return query execute format($sql$
        with candidates as (
            select coalesce(x.chunk_id, y.chunk_id) as chunk_id, x.rank::int as lexical_rank, y.rank::int as vector_rank
            from unnest($1) with ordinality as x (chunk_id, rank)
            full join unnest($2) with ordinality as y (chunk_id, rank) on y.chunk_id = x.chunk_id
        ), scored as (
            select c.*, l.document_id,
                (- (l.weights operator(extensions.<#>) $3))::real as lexical_score, v.vector_score, v.document_cosine
            from candidates as c
            join knowledge.lexical_%1$s as l on l.workspace_id = %1$s and l.chunk_id = c.chunk_id
            %5$s
        ), scaled as (
            select s.*,
                -- Where all are the same, all are the best, unless they are nothing.
                coalesce((s.lexical_score - min(s.lexical_score) over ())
                    / nullif(max(s.lexical_score) over () - min(s.lexical_score) over (), 0),
                    (s.lexical_score > 0)::int) as x,
                coalesce((s.vector_score - min(s.vector_score) over ())
                    / nullif(max(s.vector_score) over () - min(s.vector_score) over (), 0),
                    (s.vector_score is not null)::int) as y,
                max(s.lexical_score) over (partition by s.document_id) as best
            from scored as s
        ), fused as (
            select s.*,
                case when %2$L
                    then coalesce($5 / (%3$s + s.lexical_rank), 0) + coalesce($6 / (%3$s + s.vector_rank), 0)
                    else ($5 * s.x + $6 * s.y) / ($5 + $6) end as fused_score,
                ($5 * coalesce((s.best - min(s.best) over ()) / nullif(max(s.best) over () - min(s.best) over (), 0), 1)
                    + $6 * coalesce((s.document_cosine - min(s.document_cosine) over ())
                        / nullif(max(s.document_cosine) over () - min(s.document_cosine) over (), 0), 0)
                ) / ($5 + $6) as document_score
            from scaled as s
        )
        select f.chunk_id,
            ((1 - %4$s) * f.fused_score + %4$s * f.document_score)::real as score,
            f.lexical_score, f.lexical_rank, f.vector_score::real, f.vector_rank, f.document_score::real
        from fused as f
        order by score desc, f.chunk_id
        limit $7$sql$,
        workspace.workspace_id, workspace.fusion = 'rrf', workspace.rrf_k, workspace.document_weight, v_vectors)
    using lexical_ids, vector_ids, query_vector, query_embedding, lexical_weight, vector_weight, max_results;
end
$$;

comment on function knowledge.fuse(
    knowledge.workspaces, knowledge.generations, extensions.sparsevec, extensions.vector, bigint[], bigint[], real, real,
    int) is 'The candidates of both legs in one order, with the scores it comes from.';
-- Granted to nobody: search calls it.

-- Words alone are in their order already; their scores are made what fuse would make of them.
create or replace function knowledge.rank_words(
    workspace knowledge.workspaces, chunk_ids bigint[], scores real[], lexical_weight real, max_results int
)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(jsonb_agg(jsonb_build_object('chunk_id', f.chunk_id, 'score', f.score::real,
            'lexical_score', f.lexical_score, 'lexical_rank', f.rank) order by f.rank), '[]')
    from (
        select u.chunk_id, u.lexical_score, u.rank,
            case when workspace.fusion = 'rrf' then lexical_weight / (workspace.rrf_k + u.rank)
                else coalesce((u.lexical_score - min(u.lexical_score) over ())
                    / nullif(max(u.lexical_score) over () - min(u.lexical_score) over (), 0), 1) end as score
        from unnest(chunk_ids, scores) with ordinality as u (chunk_id, lexical_score, rank)
    ) as f
    where f.rank <= max_results;
end;

comment on function knowledge.rank_words(knowledge.workspaces, bigint[], real[], real, int) is
    'What the words found, as results of a search.';
-- Granted to nobody: search calls it.

-- One query through both legs. What it reads of the request: filters are in the scope, weights are settled.
create or replace function knowledge.search_once(
    workspace knowledge.workspaces, generation knowledge.generations, query text, query_embedding extensions.vector,
    condition text, audiences bigint[], documents uuid[], few boolean, lexical_weight real, vector_weight real, depth int,
    max_results int
)
    returns jsonb
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_started timestamptz := clock_timestamp();
    v_read    record;
    v_words   record;
    v_near    record;
    v_times   jsonb := '{}'::jsonb;
    v_results jsonb;
begin
    select * into v_read from knowledge.read_query(query, workspace.languages) as r;
    v_read.lexemes := v_read.lexemes || coalesce(knowledge.begin_with(workspace.workspace_id, v_read.beginnings), '{}');
    v_read.counts := v_read.counts
        || array_fill(1::real, array[cardinality(v_read.lexemes) - cardinality(v_read.counts)]);

    -- What vectors find gets its words' score, too.
    select * into v_words from knowledge.match_words(workspace.workspace_id, v_read.lexemes, v_read.counts, v_read.must,
        v_read.required, condition, audiences, documents, case when lexical_weight > 0 then depth else 0 end) as m;
    v_times := v_times || jsonb_build_object('words', knowledge.milliseconds(v_started));

    if vector_weight > 0 and query_embedding is not null then
        select * into v_near from knowledge.match_vectors(generation, query_embedding,
            condition || case when v_read.must is not null then format(' and exists (
                select from knowledge.chunk_words_%1$s as w
                where w.workspace_id = %1$s and w.chunk_id = l.chunk_id and w.words @@ %2$L::tsquery)',
                workspace.workspace_id, v_read.must) else '' end,
            audiences, documents, few, depth) as m;
    else
        select null::bigint[] as chunk_ids, case when vector_weight = 0 then 'not asked'
            when generation is null then 'no generation' else 'no query embedding' end as path into v_near;
    end if;
    v_times := v_times || jsonb_build_object('vectors', knowledge.milliseconds(v_started));

    if v_near.chunk_ids is null and workspace.document_weight = 0 then
        v_results := knowledge.rank_words(workspace, v_words.chunk_ids, v_words.scores, lexical_weight, max_results);
    else
        select coalesce(jsonb_agg(to_jsonb(f) order by f.score desc, f.chunk_id), '[]') into v_results
        from knowledge.fuse(workspace, case when vector_weight > 0 and query_embedding is not null then generation end,
            coalesce(v_words.query_vector, '{}/1000000000'::extensions.sparsevec), query_embedding,
            coalesce(v_words.chunk_ids, '{}'), coalesce(v_near.chunk_ids, '{}'), lexical_weight,
            case when query_embedding is null then 0 else vector_weight end, max_results) as f;
    end if;
    v_times := v_times || jsonb_build_object('all', knowledge.milliseconds(v_started));

    return jsonb_build_object('query', query,
        'path', format('words: %s; vectors: %s', v_words.path, v_near.path),
        'words', jsonb_build_object('path', v_words.path, 'candidates_at_most', v_words.candidates,
            'found', coalesce(cardinality(v_words.chunk_ids), 0), 'terms', coalesce(v_words.terms, '[]'),
            'must', v_read.must::text),
        'vectors', jsonb_build_object('path', v_near.path, 'found', coalesce(cardinality(v_near.chunk_ids), 0)),
        'milliseconds', v_times, 'results', v_results);
end
$$;

comment on function knowledge.search_once(
    knowledge.workspaces, knowledge.generations, text, extensions.vector, text, bigint[], uuid[], boolean, real, real, int,
    int) is 'One query through both legs, and how it went.';
-- Granted to nobody: search calls it.

-- Maximal marginal relevance (Carbonell and Goldstein 1998): the next one is good, and unlike those before it. Alike is
-- the cosine of their vectors, or of their words where there are none.
create or replace function knowledge.diversify(
    workspace knowledge.workspaces, generation_id bigint, results jsonb, diversity real, max_results int
)
    returns jsonb
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_ids    bigint[];
    v_scores real[];
    v_alike  real[];
    v_most   real[];
    v_chosen jsonb := '[]'::jsonb;
    v_count  int;
    v_best   int;
    v_value  real;
    v_other  real;
begin
    select array_agg((r ->> 'chunk_id')::bigint order by n), array_agg((r ->> 'score')::real order by n)
    into v_ids, v_scores from jsonb_array_elements(results) with ordinality as e (r, n);
    v_count := coalesce(cardinality(v_ids), 0);
    if v_count < 2 then
        return results;
    end if;
    execute format($sql$
        select array_agg(%2$s order by x.n, y.n)
        from unnest($1) with ordinality as x (id, n)
        cross join unnest($1) with ordinality as y (id, n)
        %1$s$sql$,
        case when generation_id is not null then format($sql$
            left join knowledge.embeddings_%1$s as a on a.generation_id = %1$s and a.chunk_id = x.id
            left join knowledge.embeddings_%1$s as b on b.generation_id = %1$s and b.chunk_id = y.id$sql$, generation_id)
        else format($sql$
            join knowledge.lexical_%1$s as a on a.workspace_id = %1$s and a.chunk_id = x.id
            join knowledge.lexical_%1$s as b on b.workspace_id = %1$s and b.chunk_id = y.id$sql$, workspace.workspace_id) end,
        case when generation_id is not null
            then 'coalesce(1 - (a.embedding operator(extensions.<=>) b.embedding), 0)::real'
            else 'coalesce(1 - (a.weights operator(extensions.<=>) b.weights), 0)::real' end)
    into v_alike using v_ids;

    v_most := array_fill(0::real, array[v_count]);
    for i in 1..least(max_results, v_count) loop
        v_best := null;
        for j in 1..v_count loop
            if v_scores[j] is not null then
                v_other := ((1 - diversity) * v_scores[j] - diversity * v_most[j])::real;
                if v_best is null or v_other > v_value then
                    v_best := j;
                    v_value := v_other;
                end if;
            end if;
        end loop;
        v_chosen := v_chosen || jsonb_build_array(results -> (v_best - 1));
        v_scores[v_best] := null;
        for j in 1..v_count loop
            v_most[j] := greatest(v_most[j], v_alike[(v_best - 1) * v_count + j]);
        end loop;
    end loop;
    return v_chosen;
end
$$;

comment on function knowledge.diversify(knowledge.workspaces, bigint, jsonb, real, int) is
    'The results in an order that avoids saying the same twice: 0 as they are, 1 as different as can be.';
-- Granted to nobody: search calls it.

-- The index a query goes to, and what that means: documents and weights.
create or replace function knowledge.route(workspace_id bigint, query text, index_name text)
    returns knowledge.indexes
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_index knowledge.indexes;
begin
    if index_name is not null then
        select * into v_index from knowledge.indexes as i
        where i.workspace_id = route.workspace_id and i.name = route.index_name;
        if not found then
            perform access.refuse('QC215', format('there is no index "%s" in this workspace', index_name),
                'knowledge.indexes has them; knowledge.set_index makes one.');
        end if;
    else
        select i.* into v_index
        from knowledge.routes as r
        join knowledge.indexes as i on i.workspace_id = r.workspace_id and i.name = r.name
        where r.workspace_id = route.workspace_id and route.query ~* r.pattern
        order by r.priority
        limit 1;
    end if;
    return v_index;
end
$$;

comment on function knowledge.route(bigint, text, text) is
    'The named index, or the one the first matching pattern says; null for all of the workspace. Errors: QC215.';
-- Granted to nobody: search calls it.

create or replace function knowledge.run_search(workspace text, query text, query_embedding extensions.vector, options jsonb)
    returns jsonb
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    -- Compiling takes longer than any of it.
    set jit = off
as $$
#variable_conflict use_variable
declare
    v_workspace  knowledge.workspaces := knowledge.require_workspace(workspace);
    v_generation knowledge.generations;
    v_started    timestamptz := clock_timestamp();
    v_index      knowledge.indexes;
    v_count      int := (options ->> 'max_results')::int;
    v_diversity  real := coalesce((options ->> 'diversity')::real, 0);
    v_lexical    real;
    v_vector     real;
    v_embedding  extensions.vector;
    v_scope      record;
    v_depth      int;
    v_queries    text[];
    v_found      jsonb[] := array[]::jsonb[];
    v_results    jsonb;
    v_key        bytea;
    v_report     jsonb;
    v_cached     boolean := current_setting('transaction_read_only') = 'off'
                            and pg_current_xact_id_if_assigned() is null;
begin
    if query is null then
        perform access.refuse('22004', 'a query is required', 'An empty one finds nothing.');
    elsif v_count is null or v_count not between 1 and 1000 then
        perform access.refuse('22023', format('%s results cannot be returned', coalesce(v_count::text, 'null')),
            '1 to 1000.');
    elsif v_diversity not between 0 and 1 then
        perform access.refuse('22023', format('diversity %s is not from 0 to 1', v_diversity),
            '0 takes the best, 1 the most different.');
    elsif jsonb_array_length(options -> 'rewrites') > 16 then
        perform access.refuse('22023', 'a query has at most 16 rewrites', 'Pass the best of them.');
    end if;
    v_index := knowledge.route(v_workspace.workspace_id, query, options ->> 'index_name');
    v_lexical := coalesce((options ->> 'lexical_weight')::real, v_index.lexical_weight, v_workspace.lexical_weight);
    v_vector := coalesce((options ->> 'vector_weight')::real, v_index.vector_weight, v_workspace.vector_weight);
    -- Not a number is above all numbers.
    if not (v_lexical >= 0 and v_vector >= 0 and v_lexical + v_vector > 0 and v_lexical + v_vector < 'infinity') then
        perform access.refuse('22023', 'a leg has to have weight', 'Weights are 0 or more, and not both 0.');
    end if;
    select * into v_generation from knowledge.generations as g where g.generation_id = v_workspace.generation_id;
    if query_embedding is not null then
        if v_generation is null then
            perform access.refuse('QC217', format('workspace "%s" has no vectors to compare with', workspace),
                'knowledge.open_generation(workspace, model, dimensions) begins some.');
        end if;
        perform knowledge.check_vector(query_embedding, v_generation.dimensions);
    end if;

    select * into v_scope from knowledge.restrict(v_workspace, coalesce(options -> 'filters', '{}'), v_index.filters) as r;
    if v_cached then
        v_key := sha256(convert_to(jsonb_build_array(v_workspace.workspace_id,
            knowledge.content_version(v_workspace.workspace_id), v_scope.audiences, query, query_embedding::text,
            options)::text, 'UTF8'));
        select f.found into v_report from knowledge.found_before as f
        where f.key = v_key and f.made_at > now() - interval '10 minutes';
        if found then
            perform nextval('knowledge.results_known');
            return v_report || jsonb_build_object('cached', true, 'milliseconds', knowledge.milliseconds(v_started));
        end if;
        perform nextval('knowledge.results_new');
    end if;

    -- Without a vector of the query there is one leg, and a leg alone needs no more candidates than are asked for. Of two
    -- legs ten good candidates each are worth a hundred (measured): their scores in both are true.
    v_depth := case
        when query_embedding is null and v_generation.model is distinct from 'offline' or v_lexical = 0 or v_vector = 0
            then v_count
        else greatest(20, v_count) end;
    if v_diversity > 0 then
        v_depth := greatest(v_depth, 4 * v_count);
    end if;
    v_queries := array[query] || coalesce(array(select jsonb_array_elements_text(options -> 'rewrites')), '{}');
    for i in 1..cardinality(v_queries) loop
        -- A rewrite has no vector of its own, but for the model that is here.
        v_embedding := case
            when i = 1 and query_embedding is not null then query_embedding
            when v_generation.model = 'offline' and v_vector > 0 then model.embed_offline(v_queries[i]) end;
        continue when i > 1 and v_embedding is null and v_lexical = 0;
        v_found := v_found || knowledge.search_once(v_workspace, v_generation, v_queries[i], v_embedding,
            v_scope.condition, v_scope.audiences, v_scope.documents, v_scope.few, v_lexical, v_vector, v_depth,
            case when v_diversity > 0 or cardinality(v_queries) > 1 then v_depth else v_count end);
    end loop;

    -- Of several queries the best score counts: each is scaled over its own candidates.
    select coalesce(jsonb_agg(m.result order by (m.result ->> 'score')::real desc, m.chunk_id), '[]') into v_results
    from (
        select distinct on (r.result ->> 'chunk_id') (r.result ->> 'chunk_id')::bigint as chunk_id, r.result
        from unnest(v_found) as f (found)
        cross join lateral jsonb_array_elements(f.found -> 'results') as r (result)
        order by r.result ->> 'chunk_id', (r.result ->> 'score')::real desc
    ) as m;
    if v_diversity > 0 then
        v_results := knowledge.diversify(v_workspace, case when v_vector > 0 then v_generation.generation_id end,
            jsonb_path_query_array(v_results, '$[0 to 199]'), v_diversity, v_count);
    end if;
    v_results := jsonb_path_query_array(v_results, '$[0 to $last]', jsonb_build_object('last', v_count - 1));

    v_report := jsonb_build_object('workspace_id', v_workspace.workspace_id, 'index', v_index.name,
        'path', coalesce(v_found[1] ->> 'path', 'not asked'), 'restricted', v_scope.condition <> '',
        'fusion', jsonb_build_object('way', v_workspace.fusion, 'lexical_weight', v_lexical, 'vector_weight', v_vector,
            'document_weight', v_workspace.document_weight, 'generation_id', v_generation.generation_id,
            'model', v_generation.model),
        'queries', (select jsonb_agg(f.found - 'results') from unnest(v_found) as f (found)),
        -- The best two are so close that a model had better look at them again.
        'rerank', case when v_workspace.reranker is not null and jsonb_array_length(v_results) > 1
            and (v_results #>> '{0,score}')::real - (v_results #>> '{1,score}')::real < v_workspace.rerank_gap
            then v_workspace.reranker end,
        'results', v_results);
    if v_cached then
        insert into knowledge.found_before (key, found)
        values (v_key, v_report)
        on conflict (key) do update set found = excluded.found, made_at = excluded.made_at;
    end if;
    return v_report || jsonb_build_object('cached', false, 'milliseconds', knowledge.milliseconds(v_started));
end
$$;

comment on function knowledge.run_search(text, text, extensions.vector, jsonb) is
    'A search and how it went, as knowledge.explain_search tells it. Errors: QC215, QC217, QC218, 22004, 22023.';
-- Granted to nobody: search and explain_search call it.

create or replace function knowledge.milliseconds(since timestamptz)
    returns numeric
    language sql volatile
return round((extract(epoch from clock_timestamp() - since) * 1000)::numeric, 2);

comment on function knowledge.milliseconds(timestamptz) is 'Milliseconds since then.';
-- Granted to nobody: functions of this schema call it.

-- The twenty commonest: who asks for all that begins with "s" does not mean the rare ones.
create or replace function knowledge.begin_with(workspace_id bigint, beginnings text[])
    returns text[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_lexemes text[];
begin
    if cardinality(beginnings) > 0 then
        execute format($sql$
            select array_agg(distinct m.lexeme)
            from unnest($1) as b (beginning)
            cross join lateral (
                select t.lexeme from knowledge.terms_%1$s as t
                where t.workspace_id = %1$s and t.lexeme >= b.beginning collate "C"
                    and t.lexeme < (b.beginning || chr(1114111)) collate "C" and t.chunk_count > 0
                order by t.chunk_count desc, t.lexeme
                limit 20
            ) as m$sql$, workspace_id)
        into v_lexemes using beginnings;
    end if;
    return v_lexemes;
end
$$;

comment on function knowledge.begin_with(bigint, text[]) is 'The commonest words of a workspace that begin so.';
-- Granted to nobody: search calls it.

-- With so many chunks before and after it as are asked for: the passage as the document has it.
create or replace function knowledge.search(
    workspace text, query text, query_embedding extensions.vector default null, filters jsonb default '{}',
    max_results int default 10, lexical_weight real default null, vector_weight real default null,
    index_name text default null, rewrites text[] default '{}', diversity real default 0, neighbours int default 0
)
    returns setof knowledge.passage
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_found jsonb := knowledge.run_search(workspace, query, query_embedding, jsonb_build_object('filters', filters,
        'max_results', max_results, 'lexical_weight', lexical_weight, 'vector_weight', vector_weight,
        'index_name', index_name, 'rewrites', rewrites, 'diversity', diversity));
begin
    if neighbours is null or neighbours not between 0 and 10 then
        perform access.refuse('22023', format('%s neighbours cannot be returned', coalesce(neighbours::text, 'null')),
            '0 to 10 on each side.');
    end if;
    return query execute format($sql$
        select c.chunk_id, c.document_id, d.key, d.kind, d.title, d.url, c.heading,
            case when $2 = 0 then c.content else substr(d.content, w.starts_at + 1, w.ends_at - w.starts_at) end,
            d.answer, w.starts_at, w.ends_at, r.score, r.lexical_score, r.lexical_rank, r.vector_score, r.vector_rank,
            $1 ->> 'path'
        from jsonb_array_elements($1 -> 'results') with ordinality as e (result, place)
        cross join lateral jsonb_to_record(e.result) as r (chunk_id bigint, score real, lexical_score real,
            lexical_rank int, vector_score real, vector_rank int)
        join knowledge.chunks_%1$s as c on c.workspace_id = %1$s and c.chunk_id = r.chunk_id
        join knowledge.documents_%1$s as d on d.workspace_id = %1$s and d.document_id = c.document_id
        cross join lateral (
            select min(n.starts_at) as starts_at, max(n.ends_at) as ends_at
            from knowledge.chunks_%1$s as n
            where n.workspace_id = %1$s and n.document_id = c.document_id
                and n.ordinal between c.ordinal - $2 and c.ordinal + $2
        ) as w
        order by e.place$sql$, (v_found ->> 'workspace_id')::bigint)
    using v_found, neighbours;
end
$$;

comment on function knowledge.search(
    text, text, extensions.vector, jsonb, int, real, real, text, text[], real, int) is
    'The best passages of a workspace for a query, of those the signed-in person may find: words ("phrases", -without,
begin*) by BM25 and vectors by nearness, fused. index_name: a part of the workspace (null: as knowledge.routes says);
rewrites: the same asked otherwise; diversity: 0 to 1; neighbours: chunks around each, too. Offsets are code points of
the document''s content. Without a query embedding, and where the workspace''s model is not offline, words alone. The
path says how they were found.
Errors: QC401-QC403, QC215 workspace or index, QC217 vector, QC218 filter, 22004, 22023.';

grant execute on function knowledge.search(
    text, text, extensions.vector, jsonb, int, real, real, text, text[], real, int) to concierge_app;

create or replace function knowledge.explain_search(
    workspace text, query text, query_embedding extensions.vector default null, filters jsonb default '{}',
    max_results int default 10, lexical_weight real default null, vector_weight real default null,
    index_name text default null, rewrites text[] default '{}', diversity real default 0
)
    returns jsonb
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.run_search(workspace, query, query_embedding, jsonb_build_object('filters', filters,
        'max_results', max_results, 'lexical_weight', lexical_weight, 'vector_weight', vector_weight,
        'index_name', index_name, 'rewrites', rewrites, 'diversity', diversity));
end;

comment on function knowledge.explain_search(
    text, text, extensions.vector, jsonb, int, real, real, text, text[], real) is
    'Why a search found what it did: {path, index, cached, restricted, fusion{…}, queries[{query, path, words{path,
terms[{word, chunks, factor, at_most}], …}, vectors{path, …}, milliseconds{words, vectors, all}}], rerank: the model that
should look again, results[{chunk_id, score, lexical_score, lexical_rank, vector_score, vector_rank, document_score}],
milliseconds}. Errors: as knowledge.search.';

grant execute on function knowledge.explain_search(
    text, text, extensions.vector, jsonb, int, real, real, text, text[], real) to concierge_app;
