-- A second look by a model costs a call, so it is asked for only where the first one left the best close together: the
-- "rerank" of knowledge.explain_search says which model, or nothing.
create or replace function knowledge.request_rerank(
    workspace_id bigint, query text, chunk_ids bigint[], continuation text, on_failure text default null
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := (
        select w from knowledge.workspaces as w where w.workspace_id = request_rerank.workspace_id);
    v_texts     jsonb;
begin
    execute format($sql$
        select jsonb_build_object('chunk_ids', jsonb_agg(c.chunk_id order by a.place), 'texts', jsonb_agg(
            knowledge.indexed_text(d.title, c.heading, coalesce(d.answer, c.content)) order by a.place))
        from unnest($1) with ordinality as a (chunk_id, place)
        join knowledge.chunks_%1$s as c on c.workspace_id = %1$s and c.chunk_id = a.chunk_id
        join knowledge.documents_%1$s as d on d.workspace_id = %1$s and d.document_id = c.document_id$sql$, workspace_id)
    into v_texts using chunk_ids;
    return model.enqueue_rerank(v_workspace.reranker, query,
        jsonb_build_object('chunk_ids', coalesce(v_texts -> 'chunk_ids', '[]')), coalesce(nullif(v_texts -> 'texts', 'null'), '[]'),
        jsonb_build_object('tenant_id', v_workspace.tenant_id, 'workspace_id', v_workspace.workspace_id),
        continuation, on_failure);
end
$$;

comment on function knowledge.request_rerank(bigint, text, bigint[], text, text) is
    'Asks a workspace''s reranker to look at chunks again: a job whose continuation gets {"results": [{"index",
"score"}]}, and reads them by knowledge.reranked. Returns the job. Errors: QC212 unknown continuation, QC227 model, QC414 budget.';
-- Granted to nobody: turns of a conversation call it.

create or replace function knowledge.reranked(
    job_id bigint, result jsonb, out chunk_id bigint, out score double precision
)
    returns setof record
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_chunk_ids jsonb := queue.payload_of(reranked.job_id) -> 'chunk_ids';
begin
    perform knowledge.check_count(v_chunk_ids, (
        select jsonb_agg(distinct r.result -> 'index') from jsonb_array_elements(result -> 'results') as r (result)
        where v_chunk_ids -> (r.result ->> 'index')::int is not null), 'scores');
    return query
    select (v_chunk_ids ->> (r.result ->> 'index')::int)::bigint, max((r.result ->> 'score')::double precision)
    from jsonb_array_elements(result -> 'results') as r (result)
    group by 1
    order by 2 desc, 1;
end
$$;

comment on function knowledge.reranked(bigint, jsonb) is
    'In the continuation of a rerank: its chunks, best first. Errors: QC501 not a score for each.';
-- Granted to nobody: continuations call it.
