-- The vector leg. Always full: where a graph walk would find too few of those that may be found, all of them are
-- measured, which is exact, and where they are few it is faster, too.
create or replace function knowledge.match_vectors(
    generation knowledge.generations, query_embedding extensions.vector, condition text, audiences bigint[],
    documents uuid[], few boolean, max_results int,
    out chunk_ids bigint[], out document_ids uuid[], out scores real[], out path text
)
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_operator constant text := case generation.metric
        when 'cosine' then '<=>' when 'euclidean' then '<->' else '<#>' end;
    -- By the metric: the cosine, the inner product, or the distance with its sign turned.
    v_score    constant text := case generation.metric when 'cosine' then '1 - r.distance' else '- r.distance' end;
    v_expected constant text := format($sql$
        select array_agg(r.chunk_id order by r.distance, r.chunk_id),
            array_agg(r.document_id order by r.distance, r.chunk_id),
            array_agg((%s)::real order by r.distance, r.chunk_id)
        from (%%s) as r$sql$, v_score);
begin
    if not few then
        path := case when condition = '' then 'hnsw' else 'hnsw, iterative' end;
        -- Where some are left out the walk has to be wider, and longer, for the same recall (measured).
        perform set_config('hnsw.ef_search',
                least(greatest(4 * max_results, case when condition = '' then 100 else 1000 end), 1000)::text, true),
            set_config('hnsw.max_scan_tuples', '100000', true),
            set_config('hnsw.iterative_scan', case when condition = '' then 'off' else 'relaxed_order' end, true);
        execute format(v_expected, format($sql$
            with near as materialized (
                select l.chunk_id, l.document_id, %1$s operator(extensions.%2$s) $1::extensions.%3$s(%4$s) as distance
                from knowledge.embeddings_%5$s as l
                where true %6$s
                order by %1$s operator(extensions.%2$s) $1::extensions.%3$s(%4$s)
                limit $4 * $5
            )
            select * from near order by distance limit $4$sql$,
            replace(knowledge.indexed_vector(generation.dimensions, generation.half), 'embedding::', 'l.embedding::'),
            v_operator, case when generation.half then 'halfvec' else 'vector' end, generation.dimensions,
            generation.generation_id, condition))
        into chunk_ids, document_ids, scores
        using query_embedding, audiences, documents, max_results, case when condition = '' then 1 else 10 end;
        if coalesce(cardinality(chunk_ids), 0) >= max_results then
            return;
        end if;
    end if;

    path := case when path is null then 'exact' else path || ' came short; exact' end;
    execute format(v_expected, format($sql$
        select l.chunk_id, l.document_id, l.embedding operator(extensions.%1$s) $1 as distance
        from knowledge.embeddings_%2$s as l
        where true %3$s
        order by distance, l.chunk_id
        limit $4$sql$, v_operator, generation.generation_id, condition))
    into chunk_ids, document_ids, scores
    using query_embedding, audiences, documents, max_results;
end
$$;

comment on function knowledge.match_vectors(
    knowledge.generations, extensions.vector, text, bigint[], uuid[], boolean, int) is
    'The nearest chunks, and the path taken: hnsw; hnsw, iterative, where not all may be found; exact.';
-- Granted to nobody: search calls it.
