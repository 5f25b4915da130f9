-- By its slug, and only one of the caller's tenant.
create or replace function knowledge.require_workspace(workspace text)
    returns knowledge.workspaces
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_workspace knowledge.workspaces;
begin
    select * into v_workspace from knowledge.workspaces as w
    where w.slug = require_workspace.workspace and w.tenant_id = (select access.tenant_id())
;
    if not found then
        perform access.refuse('QC215', format('there is no workspace "%s"', workspace),
            'knowledge.workspaces has yours; knowledge.create_workspace(slug, name) makes one.');
    end if;
    return v_workspace;
end
$$;

comment on function knowledge.require_workspace(text) is
    'The workspace of the signed-in person''s tenant with this slug. Errors: QC401-QC403, QC215 there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.workspace_to_fill(workspace text)
    returns knowledge.workspaces
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.require_role('organizer', 'service');
    return knowledge.require_workspace(workspace);
end
$$;

comment on function knowledge.workspace_to_fill(text) is
    'The workspace, for who may add to it. Errors: QC401-QC403, QC405 not an organizer or service, QC215 there is none.';
-- Granted to nobody: functions of this schema call it.

-- Tables of its own, attached and not made in place: that would wait for, and stop, everybody who searches.
create or replace function knowledge.make_partition(parent text, id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_table text := format('%s_%s', parent, id);
begin
    execute format('create table knowledge.%I (like knowledge.%I including all)', v_table, parent);
    execute format('alter table knowledge.%I enable row level security', v_table);
    execute format('comment on table knowledge.%I is %L', v_table, format('Part of knowledge.%s.', parent));
    execute format('alter table knowledge.%I attach partition knowledge.%I for values in (%s)',
        parent, v_table, id);
end
$$;

comment on function knowledge.make_partition(text, bigint) is 'Makes the table of one workspace or generation.';
-- Granted to nobody: functions of this schema call it.

-- What may be said about a workspace, and of which type; what is wrong with a value its column says.
create or replace function knowledge.check_settings(settings jsonb)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_known constant text[] := array['languages', 'chunking', 'chunk_unit', 'chunk_size', 'chunk_overlap', 'bm25_k1',
        'bm25_b', 'fusion', 'lexical_weight', 'vector_weight', 'document_weight', 'rrf_k', 'reranker', 'rerank_gap',
        'filters'];
    v_word  text;
begin
    if jsonb_typeof(settings) is distinct from 'object' then
        perform access.refuse('22023', 'settings are a JSON object', 'For example {"chunk_size": 200}.');
    end if;
    perform access.refuse_unknown(settings, v_known, 'QC216', 'a workspace has no setting');
    for v_word in
        select g from jsonb_array_elements_text(settings -> 'languages') as g
        where not exists (select from pg_ts_config as c where c.cfgname = g and c.cfgnamespace = 'pg_catalog'::regnamespace)
    loop
        perform access.refuse('42704', format('there is no text search configuration "%s"', v_word),
            'Look in pg_ts_config; "simple" takes words as they are.');
    end loop;
    for v_word in
        select f.key from jsonb_each(settings -> 'filters') as f (key, type)
        where f.type #>> '{}' is null or f.type #>> '{}' not in ('text', 'number', 'time', 'boolean')
            or f.key = any (knowledge.own_filters())
    loop
        perform access.refuse('22023', format('"%s" cannot be filtered by like that', v_word),
            'A filter is a key of documents'' metadata and its type: text, number, time or boolean; '
            || 'those every workspace has cannot be made again.');
    end loop;
end
$$;

comment on function knowledge.check_settings(jsonb) is
    'Refuses settings no workspace has. Errors: QC216 unknown name, 42704 unknown language, 22023 filters.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.create_workspace(
    slug text, name text, settings jsonb default '{}', model text default 'offline', dimensions int default 256,
    metric text default 'cosine', half boolean default false
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_id bigint;
begin
    perform access.require_role('organizer', 'service');
    perform knowledge.check_settings(settings);
    insert into knowledge.workspaces as w (tenant_id, slug, name)
    values ((select access.tenant_id()), create_workspace.slug, create_workspace.name)
    returning w.workspace_id into v_id;
    perform knowledge.apply_settings(v_id, settings);
    insert into knowledge.statistics (workspace_id) values (v_id);
    perform knowledge.make_partition(p, v_id)
    from unnest(array['documents', 'chunks', 'chunk_words', 'lexical', 'terms']) as p;
    perform knowledge.apply_filters(v_id, '{}', coalesce(settings -> 'filters', '{}'));
    if model is not null then
        perform knowledge.open_generation(create_workspace.slug, model, dimensions, metric, half);
    end if;
    return v_id;
end
$$;

comment on function knowledge.create_workspace(text, text, jsonb, text, int, text, boolean) is
    'Makes a workspace of the signed-in organizer''s, or service''s, tenant, with settings by the names of columns of
knowledge.workspaces, and vectors of a model (null: none). Returns its id.
Errors: QC401-QC403, QC405, QC216 unknown setting, QC227 model, 42704 unknown language, 22023, 23505 the slug is taken, 23514.';

grant execute on function knowledge.create_workspace(text, text, jsonb, text, int, text, boolean) to concierge_app;

create or replace function knowledge.apply_settings(workspace_id bigint, settings jsonb)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    update knowledge.workspaces as w
    set languages = n.languages, chunking = n.chunking, chunk_unit = n.chunk_unit, chunk_size = n.chunk_size,
        chunk_overlap = n.chunk_overlap, bm25_k1 = n.bm25_k1, bm25_b = n.bm25_b, fusion = n.fusion,
        lexical_weight = n.lexical_weight, vector_weight = n.vector_weight, document_weight = n.document_weight,
        rrf_k = n.rrf_k, reranker = n.reranker, rerank_gap = n.rerank_gap, filters = n.filters
    from knowledge.workspaces as o
    cross join lateral jsonb_populate_record(o, settings) as n
    where w.workspace_id = apply_settings.workspace_id and o.workspace_id = w.workspace_id;
end;

comment on function knowledge.apply_settings(bigint, jsonb) is 'Writes settings that were checked.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.configure_workspace(workspace text, settings jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_old knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_new knowledge.workspaces;
begin
    perform knowledge.check_settings(settings);
    perform knowledge.apply_settings(v_old.workspace_id, settings);
    select * into v_new from knowledge.workspaces as w where w.workspace_id = v_old.workspace_id;
    perform knowledge.apply_filters(v_old.workspace_id, v_old.filters, v_new.filters);
    perform knowledge.note_change(v_old.workspace_id);
    if (v_old.bm25_k1, v_old.bm25_b) is distinct from (v_new.bm25_k1, v_new.bm25_b) then
        perform knowledge.weigh_again(v_old.workspace_id);
    end if;
    if (v_old.languages, v_old.chunking, v_old.chunk_unit, v_old.chunk_size, v_old.chunk_overlap) is distinct from
        (v_new.languages, v_new.chunking, v_new.chunk_unit, v_new.chunk_size, v_new.chunk_overlap)
    then
        perform knowledge.reprocess(workspace);
    end if;
end
$$;

comment on function knowledge.configure_workspace(text, jsonb) is
    'Changes settings of a workspace. Another way to cut, or other languages, have its documents processed again, one by
one: each is found as it was until it is.
Errors: QC401-QC403, QC405, QC215, QC216 unknown setting, 42704, 22023, 23514.';

grant execute on function knowledge.configure_workspace(text, jsonb) to concierge_app;

-- Gone for everybody at commit. Taking the tables away waits for whoever reads them, so the queue does it.
create or replace function knowledge.drop_workspace(workspace text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
begin
    delete from knowledge.workspaces as w where w.workspace_id = v_workspace.workspace_id;
end
$$;

comment on function knowledge.drop_workspace(text) is
    'Drops a workspace with all it holds; its slug is free at once. Errors: QC401-QC403, QC405, QC215.';

grant execute on function knowledge.drop_workspace(text) to concierge_app;

create or replace function knowledge.tg__remove_tables()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform queue.enqueue('call', '{}', 'knowledge.remove_tables', key => 'knowledge.remove_tables');
    return null;
end
$$;

comment on function knowledge.tg__remove_tables() is
    'Statement trigger: workspaces and generations take their tables along, whoever deletes them.';

create or replace trigger remove_tables after delete on knowledge.workspaces
    for each statement execute function knowledge.tg__remove_tables();
create or replace trigger remove_tables after delete on knowledge.generations
    for each statement execute function knowledge.tg__remove_tables();

-- Waits for a tenth of a second only: whoever wants to search next would wait behind it. What is still read is taken
-- away ten seconds later.
create or replace function knowledge.remove_unused_tables()
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '100ms'
as $$
declare
    v_table regclass;
    v_left  boolean := false;
begin
    for v_table in
        select i.inhrelid::regclass
        from pg_inherits as i
        join pg_class as p on p.oid = i.inhparent and p.relkind = 'p' and p.relnamespace = 'knowledge'::regnamespace
        join pg_class as c on c.oid = i.inhrelid
        cross join lateral (select substring(c.relname from '_(\d+)$')::bigint as number) as n
        where case when p.relname like '%embeddings'
            then not exists (select from knowledge.generations as g where g.generation_id = n.number)
            else not exists (select from knowledge.workspaces as w where w.workspace_id = n.number) end
        order by c.relname
    loop
        begin
            execute format('drop table %s', v_table);
        exception when lock_not_available then
            v_left := true;
        end;
    end loop;
    if v_left then
        perform queue.enqueue('call', '{}', 'knowledge.remove_tables', run_at => now() + interval '10 s',
            key => 'knowledge.remove_tables');
    end if;
end
$$;

comment on function knowledge.remove_unused_tables() is
    'Takes away the tables of workspaces and generations that are gone; those somebody reads, later.';
-- Granted to nobody: remove_tables calls it.

create or replace function knowledge.remove_tables(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.remove_unused_tables();
end;

comment on function knowledge.remove_tables(bigint, jsonb) is
    'Continuation: takes away the tables of workspaces and generations that are gone.';
-- Granted to nobody: queue.finish calls it.

create or replace function knowledge.set_index(
    workspace text, name text, filters jsonb default '{}', lexical_weight real default null,
    vector_weight real default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
begin
    perform knowledge.filter_documents(v_workspace, set_index.filters);
    insert into knowledge.indexes (workspace_id, name, filters, lexical_weight, vector_weight)
    values (v_workspace.workspace_id, set_index.name, set_index.filters, set_index.lexical_weight,
        set_index.vector_weight)
    on conflict (workspace_id, name) do update
        set filters = excluded.filters, lexical_weight = excluded.lexical_weight, vector_weight = excluded.vector_weight;
    perform knowledge.note_change(v_workspace.workspace_id);
end
$$;

comment on function knowledge.set_index(text, text, jsonb, real, real) is
    'Makes, or changes, a part of a workspace that is searched by itself: documents by filters, and weights of its own.
Errors: QC401-QC403, QC405, QC215, QC218 unknown filter, 22023, 23514.';

grant execute on function knowledge.set_index(text, text, jsonb, real, real) to concierge_app;

create or replace function knowledge.set_route(workspace text, priority int, pattern text, name text)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
begin
    if set_route.pattern is null or set_route.name is null then
        delete from knowledge.routes as r
        where r.workspace_id = v_workspace.workspace_id and r.priority = set_route.priority;
    else
        perform '' ~* set_route.pattern;
        insert into knowledge.routes (workspace_id, priority, pattern, name)
        values (v_workspace.workspace_id, set_route.priority, set_route.pattern, set_route.name)
        on conflict (workspace_id, priority) do update set pattern = excluded.pattern, name = excluded.name;
    end if;
    perform knowledge.note_change(v_workspace.workspace_id);
end
$$;

comment on function knowledge.set_route(text, int, text, text) is
    'Sends queries that match a regular expression to an index of the workspace; without a pattern, no longer.
Errors: QC401-QC403, QC405, QC215, 2201B no regular expression, 23503 no such index.';

grant execute on function knowledge.set_route(text, int, text, text) to concierge_app;
