-- Security invoker: what is found is what the signed-in person may find. Queries that nothing is judged for are not asked.
create or replace function evaluation.run_retrieval(
    collection text, workspace text, label text default '', k int default 100, query_embeddings jsonb default '{}',
    lexical_weight real default null, vector_weight real default null
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_run_id bigint := evaluation.start_run(collection, workspace, label, jsonb_strip_nulls(jsonb_build_object(
        'depth', k, 'lexical_weight', lexical_weight, 'vector_weight', vector_weight)));
    v_query  evaluation.queries;
begin
    for v_query in
        select q.* from evaluation.queries as q
        where q.collection_id = evaluation.collection_id(collection)
            and exists (select from evaluation.judgements as j where j.query_id = q.query_id)
        order by q.query_id
    loop
        perform evaluation.add_results(v_run_id, coalesce(jsonb_agg(to_jsonb(f)), '[]'))
        from (
            select v_query.key as query, coalesce(s.document_key, s.document_id::text) as document, max(s.score) as score,
                row_number() over (order by min(s.ordinality)) as rank
            from knowledge.search(workspace, v_query.text,
                (query_embeddings ->> v_query.key)::extensions.vector, max_results => k,
                lexical_weight => lexical_weight, vector_weight => vector_weight) with ordinality as s
            group by s.document_id, s.document_key
        ) as f;
    end loop;
    perform evaluation.finish_run(v_run_id);
    return v_run_id;
end
$$;

comment on function evaluation.run_retrieval(text, text, text, int, jsonb, real, real) is
    'Asks a workspace every judged query of a collection, k passages each, and records the documents they are of, each once,
by its best passage; returns the run. query_embeddings are by the queries'' keys; without one, and where the workspace''s
model is not offline, words alone count. Needs role organizer or service. Errors: those of knowledge.search, QC241 unknown
collection, QC405.';

grant execute on function evaluation.run_retrieval(text, text, text, int, jsonb, real, real) to concierge_app;
