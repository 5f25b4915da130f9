-- A run is recorded in three steps, so that whatever ranks documents, in the database or outside, can be measured.
create or replace function evaluation.start_run(
    collection text, workspace text default null, label text default '', config jsonb default '{}'
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_workspace knowledge.workspaces;
    v_run_id    bigint;
begin
    perform access.require_role('organizer', 'service');
    if workspace is not null then
        v_workspace := knowledge.require_workspace(workspace);
    end if;
    insert into evaluation.runs (tenant_id, collection_id, workspace_id, label, config)
    values (access.tenant_id(), evaluation.collection_id(collection), v_workspace.workspace_id, start_run.label,
        evaluation.search_settings(v_workspace) || start_run.config)
    returning evaluation.runs.run_id into v_run_id;
    return v_run_id;
end
$$;

comment on function evaluation.start_run(text, text, text, jsonb) is
    'Begins a run over a collection and returns its id; with a workspace, its settings of search are kept in config.
Needs role organizer or service. Errors: QC215 unknown workspace, QC241 unknown collection, QC405.';

grant execute on function evaluation.start_run(text, text, text, jsonb) to concierge_app;

create or replace function evaluation.search_settings(workspace knowledge.workspaces)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
return coalesce(jsonb_strip_nulls(to_jsonb(workspace) - array['workspace_id', 'tenant_id', 'slug', 'name', 'filters',
    'generation_id', 'created_at'] || jsonb_build_object('model', (
        select g.model from knowledge.generations as g where g.generation_id = workspace.generation_id))), '{}');

comment on function evaluation.search_settings(knowledge.workspaces) is
    'What of a workspace may change what is found in it; an empty object for none.';
-- Granted to nobody: evaluation.start_run calls it.

create or replace function evaluation.add_results(run_id bigint, results jsonb)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_run     evaluation.runs := evaluation.run_to_record(run_id);
    v_unknown text;
    v_count   bigint;
begin
    if jsonb_typeof(results) is distinct from 'array' then
        perform access.refuse('22023', 'results are an array of objects',
            'Pass [{"query", "document", "score", "rank"}, …]; without rank, the score ranks.');
    end if;
    v_unknown := (
        select r.query from jsonb_to_recordset(results) as r (query text)
        except select q.key from evaluation.queries as q where q.collection_id = v_run.collection_id
        order by query limit 1);
    if v_unknown is not null then
        perform access.refuse('QC243', format('a result is of query "%s", which is not there', v_unknown),
            'Queries are listed in evaluation.queries.');
    end if;

    insert into evaluation.results (run_id, query_id, rank, document_key, score, tenant_id)
    select v_run.run_id, q.query_id,
        coalesce(r.rank, row_number() over (
            partition by q.query_id order by r.score desc nulls last, r.document collate "C" desc)),
        r.document, r.score, v_run.tenant_id
    from jsonb_to_recordset(results) as r (query text, document text, score real, rank int)
    join evaluation.queries as q on q.key = r.query
    where q.collection_id = v_run.collection_id;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

comment on function evaluation.add_results(bigint, jsonb) is
    'Adds to a run what it found: [{"query", "document", "score", "rank"}], all of a query in one call; returns how many.
Without rank, the score ranks, and among equal ones the key, backwards, as in trec_eval. Needs role organizer or
service. Errors: 22023 no array, 23505 a document or a rank twice, QC242 unknown run, QC243 unknown query, QC405,
QC441 the run is finished.';

grant execute on function evaluation.add_results(bigint, jsonb) to concierge_app;

create or replace function evaluation.finish_run(run_id bigint)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_run evaluation.runs := evaluation.run_to_record(run_id);
begin
    update evaluation.runs as r set finished_at = clock_timestamp() where r.run_id = v_run.run_id;
end
$$;

comment on function evaluation.finish_run(bigint) is
    'Ends a run: nothing is added to it any more. Needs role organizer or service. Errors: QC242 unknown run, QC405,
QC441 it is finished.';

grant execute on function evaluation.finish_run(bigint) to concierge_app;

create or replace function evaluation.drop_run(run_id bigint)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.require_role('organizer', 'service');
    delete from evaluation.runs as r where r.run_id = drop_run.run_id and r.tenant_id = (select access.tenant_id());
    return found;
end
$$;

comment on function evaluation.drop_run(bigint) is
    'Removes a run with its results; false when there was none. Needs role organizer or service. Errors: QC405.';

grant execute on function evaluation.drop_run(bigint) to concierge_app;
