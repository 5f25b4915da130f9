-- A search may be answered from an earlier one as long as nothing changed that it could see. Snapshots of committed
-- changes are nested, so that two with the same sum are the same; a transaction that has written something itself sees
-- more than that, and neither asks for the version nor keeps results.
create or replace function knowledge.note_change(workspace_id bigint)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into knowledge.content_changes (workspace_id) values (note_change.workspace_id);
end;

comment on function knowledge.note_change(bigint) is 'What a search of the workspace finds may be another from now on.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.content_version(workspace_id bigint)
    returns bigint
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(sum(c.weight), 0)::bigint from knowledge.content_changes as c
    where c.workspace_id = content_version.workspace_id;
end;

comment on function knowledge.content_version(bigint) is 'The version of the content of a workspace, as this snapshot sees it.';
-- Granted to nobody: search calls it.

create or replace function knowledge.fold_changes(workspace_id bigint)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    with gone as (
        delete from knowledge.content_changes as c where c.workspace_id = fold_changes.workspace_id returning c.weight
    )
    insert into knowledge.content_changes (workspace_id, weight)
    select fold_changes.workspace_id, sum(g.weight) from gone as g having count(*) > 0;
end;

comment on function knowledge.fold_changes(bigint) is 'Makes one row of all changes that are noted; the version stays.';
-- Granted to nobody: count_words calls it.

create or replace function knowledge.forget_results()
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    delete from knowledge.found_before as f where f.made_at < now() - interval '10 minutes';
    delete from knowledge.query_vectors as q where q.made_at < now() - interval '30 days';
end;

comment on function knowledge.forget_results() is 'Forgets results after ten minutes, and vectors of queries after thirty days.';
-- Granted to nobody: upkeep calls it.

-- Whoever calls a model for the vector of a query keeps it here, and asks here first.
create or replace function knowledge.known_query_vector(workspace text, query text)
    returns extensions.vector
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_workspace knowledge.workspaces := knowledge.require_workspace(workspace);
    v_embedding extensions.vector;
begin
    select q.embedding into v_embedding
    from knowledge.generations as g
    join knowledge.query_vectors as q on q.tenant_id = v_workspace.tenant_id and q.model = g.model
    where g.generation_id = v_workspace.generation_id
        and q.query_hash = sha256(convert_to(query, 'UTF8'));
    if current_setting('transaction_read_only') = 'off' then
        perform nextval(case when v_embedding is null then 'knowledge.vectors_new' else 'knowledge.vectors_known' end);
    end if;
    return v_embedding;
end
$$;

comment on function knowledge.known_query_vector(text, text) is
    'The vector of a query, if its workspace''s model was asked for it before; else null. Errors: QC401-QC403, QC215.';

grant execute on function knowledge.known_query_vector(text, text) to concierge_app;

create or replace function knowledge.store_query_vector(
    generation knowledge.generations, query text, embedding extensions.vector
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into knowledge.query_vectors (tenant_id, model, query_hash, embedding)
    values (generation.tenant_id, generation.model, sha256(convert_to(store_query_vector.query, 'UTF8')),
        knowledge.check_vector(store_query_vector.embedding, generation.dimensions))
    on conflict (tenant_id, model, query_hash) do update set made_at = now();
end
$$;

comment on function knowledge.store_query_vector(knowledge.generations, text, extensions.vector) is
    'Keeps what the model of a generation gave for a query. Errors: QC217.';
-- Granted to nobody: functions of this schema and of chat call it.

create or replace function knowledge.keep_query_vector(workspace text, query text, embedding extensions.vector)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_workspace  knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_generation knowledge.generations;
begin
    -- A vector a person brings is another's result: only who speaks for the model may keep one.
    select * into v_generation from knowledge.generations as g where g.generation_id = v_workspace.generation_id;
    if v_generation is not null then
        perform knowledge.store_query_vector(v_generation, keep_query_vector.query, keep_query_vector.embedding);
    end if;
end
$$;

comment on function knowledge.keep_query_vector(text, text, extensions.vector) is
    'Keeps the vector a workspace''s model has given for a query. Errors: QC401-QC403, QC405, QC215, QC217.';

grant execute on function knowledge.keep_query_vector(text, text, extensions.vector) to concierge_app;

create or replace view knowledge.cache with (security_invoker = true) as
with counted as (
    select 'results' as cache, (select count(*) from knowledge.found_before) as entries,
        case when k.is_called then k.last_value else 0 end as known, case when n.is_called then n.last_value else 0 end as new
    from knowledge.results_known as k cross join knowledge.results_new as n
    union all
    select 'query vectors' as cache, (select count(*) from knowledge.query_vectors),
        case when k.is_called then k.last_value else 0 end, case when n.is_called then n.last_value else 0 end
    from knowledge.vectors_known as k cross join knowledge.vectors_new as n
)
select c.cache, c.entries, c.known, c.new, round(c.known::numeric / nullif(c.known + c.new, 0), 3) as hit_rate
from counted as c;

comment on view knowledge.cache is 'How often searches, and vectors of queries, were there already, since the database was made.';
grant select on knowledge.cache, knowledge.results_known, knowledge.results_new, knowledge.vectors_known,
    knowledge.vectors_new to concierge_admin;
