create or replace function knowledge.content_hash(kind text, title text, content text, answer text, language text)
    returns bytea
    language sql immutable
    set search_path = pg_catalog, pg_temp
return sha256(convert_to(jsonb_build_array(kind, coalesce(title, ''), content, answer, language)::text, 'UTF8'));

comment on function knowledge.content_hash(text, text, text, text, text) is
    'SHA-256 of all that is indexed of a document.';
-- Granted to nobody: functions of this schema call it.

-- The one way a document comes in. Under a key it has, it replaces itself, and the same again changes nothing; without a
-- key the same text is recognised, too. What has a source and no content yet is created, and found as it was before until
-- knowledge.put_content brings its text.
create or replace function knowledge.put_document(
    workspace knowledge.workspaces, kind text, key text, title text, content text, answer text, url text,
    language text, metadata jsonb, access_level int, access_groups text[], occurred_at timestamptz, parent_id uuid,
    source_hash bytea
)
    returns uuid
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_audience     bigint;
    v_hash         bytea := knowledge.content_hash(kind, title, coalesce(encode(source_hash, 'hex'), content), answer,
        language);
    v_old_id       uuid;
    v_old_hash     bytea;
    v_old_audience bigint;
    v_old_status   text;
    v_id           uuid;
    v_count        int;
begin
    if content is null and source_hash is null then
        perform access.refuse('22004', 'a text is required', 'An empty one is a document without passages.');
    end if;
    perform knowledge.check_language(workspace, language);
    perform knowledge.check_metadata(workspace, metadata);
    v_audience := knowledge.audience(workspace.tenant_id, access_level, access_groups);
    perform knowledge.check_parent(workspace, parent_id);

    -- Two that add under one key take turns.
    perform pg_advisory_xact_lock(hashtext('knowledge.documents'),
        hashtext(workspace.workspace_id || ' ' || coalesce(key, encode(v_hash, 'hex'))));
    execute format($sql$
        select d.document_id, d.content_hash, d.audience_id, d.status from knowledge.documents_%1$s as d
        where d.workspace_id = %1$s and case when $1 is null then d.key is null and d.content_hash = $2
            else d.key = $1 end
        order by d.created_at limit 1$sql$, workspace.workspace_id)
    into v_old_id, v_old_hash, v_old_audience, v_old_status using key, v_hash;
    v_id := coalesce(v_old_id, gen_random_uuid());

    execute format($sql$
        insert into knowledge.documents_%1$s as d (workspace_id, document_id, tenant_id, kind, key, title, content, answer,
            content_hash, url, language, metadata, audience_id, occurred_at, parent_id, source_hash, status)
        values (%1$s, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
            case when $6 is null then 'created' else 'processing' end)
        on conflict (workspace_id, document_id) do update
        set kind = excluded.kind, answer = excluded.answer, content_hash = excluded.content_hash, url = excluded.url,
            title = case when excluded.content is null and d.content is not null then d.title else excluded.title end,
            content = coalesce(excluded.content, d.content), metadata = excluded.metadata,
            language = case when d.content_hash = excluded.content_hash then d.language else excluded.language end,
            audience_id = excluded.audience_id, occurred_at = excluded.occurred_at, parent_id = excluded.parent_id,
            source_hash = excluded.source_hash,
            status = case when excluded.content is null and (d.status = 'error' or d.content_hash <> excluded.content_hash)
                then 'created' else d.status end,
            sqlstate = case when excluded.content is not null then d.sqlstate end,
            error = case when excluded.content is not null then d.error end,
            version = d.version + 1, updated_at = now()
        where (d.content_hash, d.url, d.metadata, d.audience_id, d.occurred_at, d.parent_id) is distinct from
            (excluded.content_hash, excluded.url, excluded.metadata, excluded.audience_id, excluded.occurred_at,
                excluded.parent_id)
            or excluded.content is null and d.status = 'error'$sql$, workspace.workspace_id)
    using v_id, workspace.tenant_id, kind, key, coalesce(title, ''), content, answer, v_hash, url, language,
        coalesce(metadata, '{}'), v_audience, occurred_at, parent_id, source_hash;
    get diagnostics v_count = row_count;
    if v_count > 0 then
        perform knowledge.note_change(workspace.workspace_id);
        perform access.write_audit(case when v_old_id is null then 'insert' else 'update' end,
            'knowledge.documents', workspace.tenant_id, 1, jsonb_build_array(v_id), null);
    end if;

    if content is not null and (v_old_hash is distinct from v_hash or v_old_status is distinct from 'processed') then
        perform knowledge.process_documents(workspace.workspace_id, array[v_id]);
    elsif v_old_audience <> v_audience then
        perform knowledge.move_audience(workspace.workspace_id, v_id, v_audience);
    end if;
    return v_id;
end
$$;

comment on function knowledge.put_document(
    knowledge.workspaces, text, text, text, text, text, text, text, jsonb, int, text[], timestamptz, uuid, bytea) is
    'Adds a document, or changes the one that has its key, and has it processed. Errors: 22004 no text, 22023
language, metadata or level.';
-- Granted to nobody: the functions that add call it.

create or replace function knowledge.check_language(workspace knowledge.workspaces, language text)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if language <> all (workspace.languages) then
        perform access.refuse('22023', format('workspace "%s" has no language "%s"', workspace.slug, language),
            format('It has %s.', array_to_string(workspace.languages, ', ')));
    end if;
end
$$;

comment on function knowledge.check_language(knowledge.workspaces, text) is
    'Refuses a language that is none of the workspace''s; null is to be found out. Errors: 22023.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.check_parent(workspace knowledge.workspaces, parent_id uuid)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if parent_id is not null and not exists (
        select from knowledge.documents as d
        where d.workspace_id = workspace.workspace_id and d.document_id = check_parent.parent_id)
    then
        perform access.refuse('QC224', format('workspace "%s" has no document %s', workspace.slug, parent_id),
            'Add the whole before its parts.');
    end if;
end
$$;

comment on function knowledge.check_parent(knowledge.workspaces, uuid) is
    'Refuses a document to be part of one that is not there. Errors: QC224.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.check_metadata(workspace knowledge.workspaces, metadata jsonb)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text;
    v_type text;
begin
    if metadata is not null and jsonb_typeof(metadata) <> 'object' then
        perform access.refuse('22023', 'metadata are a JSON object', 'For example {"product": "pump"}.');
    end if;
    for v_name, v_type in
        select f.key, f.value from jsonb_each_text(workspace.filters) as f
        where jsonb_typeof(metadata -> f.key) <> 'null'
    loop
        perform knowledge.filter_literal(v_name, metadata -> v_name, knowledge.filter_type(v_type));
    end loop;
end
$$;

comment on function knowledge.check_metadata(knowledge.workspaces, jsonb) is
    'Refuses a value that is not of the type its workspace filters it by. Errors: 22023.';
-- Granted to nobody: functions of this schema call it.

-- What goes wrong with one document is written on it, and stops no other.
create or replace function knowledge.process_documents(workspace_id bigint, document_ids uuid[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_id       uuid;
    v_sqlstate text;
    v_error    text;
begin
    begin
        perform knowledge.index_documents(workspace_id, document_ids);
        return;
    exception
        -- Not the document's fault: whoever called is told, and nothing is written.
        when syntax_error_or_access_rule_violation or insufficient_resources or operator_intervention or system_error
            or internal_error or transaction_rollback or lock_not_available
        then
            raise;
        when others then
            get stacked diagnostics v_sqlstate = returned_sqlstate, v_error = message_text;
    end;
    if cardinality(document_ids) = 1 then
        execute format($sql$
            update knowledge.documents_%1$s as d
            set status = 'error', sqlstate = $2, error = left($3, 1000)
            where d.workspace_id = %1$s and d.document_id = any ($1)$sql$, workspace_id)
        using document_ids, v_sqlstate, v_error;
    else
        foreach v_id in array document_ids loop
            perform knowledge.process_documents(workspace_id, array[v_id]);
        end loop;
    end if;
end
$$;

comment on function knowledge.process_documents(bigint, uuid[]) is
    'Indexes documents; one that cannot be has status error, with the reason, and is found as it was before.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.move_audience(workspace_id bigint, document_id uuid, audience_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_generation_id bigint;
begin
    execute format('update knowledge.lexical_%s as l set audience_id = $2 where l.document_id = $1', workspace_id)
    using document_id, audience_id;
    for v_generation_id in
        select g.generation_id from knowledge.generations as g where g.workspace_id = move_audience.workspace_id
    loop
        execute format('update knowledge.embeddings_%s as e set audience_id = $2 where e.document_id = $1',
            v_generation_id)
        using document_id, audience_id;
    end loop;
end
$$;

comment on function knowledge.move_audience(bigint, uuid, bigint) is
    'Has others find a document, from this transaction on.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.add_text(
    workspace text, title text, content text, key text default null, url text default null, language text default null,
    metadata jsonb default '{}', access_level int default 0, access_groups text[] default '{}',
    occurred_at timestamptz default null, parent_id uuid default null
)
    returns uuid
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.put_document(knowledge.workspace_to_fill(workspace), 'text', key, title, content, null, url, language,
        metadata, access_level, access_groups, occurred_at, parent_id, null);
end;

comment on function knowledge.add_text(
    text, text, text, text, text, text, jsonb, int, text[], timestamptz, uuid) is
    'Adds a text to a workspace, or replaces the one with its key; the same again changes nothing. Found from commit on.
Returns its document. Errors: QC401-QC403, QC405 not an organizer or service, QC215 workspace, 22004 no text, 22023
language, metadata or level.';

grant execute on function knowledge.add_text(
    text, text, text, text, text, text, jsonb, int, text[], timestamptz, uuid) to concierge_app;

-- Many at once cost a fraction each: one statement writes, cuts and indexes them all.
create or replace function knowledge.add_texts(workspace text, texts jsonb)
    returns setof uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_ids       uuid[];
    v_plain     boolean;
begin
    if jsonb_typeof(texts) is distinct from 'array' then
        perform access.refuse('22023', 'texts are a JSON array of objects',
            'Each has arguments of knowledge.add_text by their names.');
    end if;
    -- New ones, of one audience, without words of their own to check, go in together; others one by one.
    execute format($sql$
        select not exists (
            select from jsonb_to_recordset($1) as t (key text, content text, language text, metadata jsonb,
                access_level int, access_groups text[], parent_id uuid)
            left join knowledge.documents_%1$s as d on d.workspace_id = %1$s and d.key = t.key
            where t.key is null or t.content is null or t.language is not null or d.key is not null
                or coalesce(t.access_level, 0) <> 0 or coalesce(t.access_groups, '{}') <> '{}'
                or t.parent_id is not null)
            and (select count(*) = count(distinct t.key) from jsonb_to_recordset($1) as t (key text))$sql$,
        v_workspace.workspace_id)
    into v_plain using texts;
    if not v_plain then
        return query
        select knowledge.put_document(v_workspace, 'text', t.key, t.title, t.content, null, t.url, t.language,
            coalesce(t.metadata, '{}'), coalesce(t.access_level, 0), coalesce(t.access_groups, '{}'), t.occurred_at,
            t.parent_id, null)
        from jsonb_to_recordset(texts) as t (key text, title text, content text, url text, language text, metadata jsonb,
            access_level int, access_groups text[], occurred_at timestamptz, parent_id uuid);
        return;
    end if;

    perform knowledge.check_metadata(v_workspace, t.metadata) from jsonb_to_recordset(texts) as t (metadata jsonb);
    execute format($sql$
        with written as (
            insert into knowledge.documents_%1$s (workspace_id, tenant_id, kind, key, title, content, content_hash, url,
                metadata, audience_id, occurred_at, status)
            select %1$s, $2, 'text', t.key, coalesce(t.title, ''), t.content,
                knowledge.content_hash('text', t.title, t.content, null, null), t.url, coalesce(t.metadata, '{}'), $3,
                t.occurred_at, 'processing'
            from jsonb_to_recordset($1) as t (key text, title text, content text, url text, metadata jsonb,
                occurred_at timestamptz)
            returning document_id
        )
        select array_agg(w.document_id) from written as w$sql$, v_workspace.workspace_id)
    into v_ids using texts, v_workspace.tenant_id, knowledge.audience(v_workspace.tenant_id, 0, '{}');
    if v_ids is not null then
        perform access.write_audit('insert', 'knowledge.documents', v_workspace.tenant_id, cardinality(v_ids),
            to_jsonb(v_ids), null);
        perform knowledge.process_documents(v_workspace.workspace_id, v_ids);
    end if;
    return query select unnest(v_ids);
end
$$;

comment on function knowledge.add_texts(text, jsonb) is
    'Adds texts, all or none: a JSON array of objects with arguments of knowledge.add_text by their names. Returns their
documents in that order. Errors: those of knowledge.add_text, 22023 no array, 23505 another session added a key.';

grant execute on function knowledge.add_texts(text, jsonb) to concierge_app;

create or replace function knowledge.add_qna(
    workspace text, question text, answer text, key text default null, url text default null,
    language text default null, metadata jsonb default '{}', access_level int default 0,
    access_groups text[] default '{}', occurred_at timestamptz default null
)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if nullif(btrim(question), '') is null or nullif(btrim(answer), '') is null then
        perform access.refuse('22004', 'a question and its answer are required');
    end if;
    return knowledge.put_document(knowledge.workspace_to_fill(workspace), 'qna', key, '', question, answer, url,
        language, metadata, access_level, access_groups, occurred_at, null, null);
end
$$;

comment on function knowledge.add_qna(text, text, text, text, text, text, jsonb, int, text[], timestamptz) is
    'Adds a question, which is found, with its answer, which is returned. Otherwise as knowledge.add_text.';

grant execute on function knowledge.add_qna(text, text, text, text, text, text, jsonb, int, text[], timestamptz)
    to concierge_app;

create or replace function knowledge.take_away(workspace_id bigint, document_ids uuid[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    perform knowledge.remove_chunks(workspace_id, document_ids);
    -- Parts of what goes, and stay, become parts of what it was part of.
    execute format($sql$
        with gone as (
            delete from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.document_id = any ($1)
            returning d.document_id, d.parent_id
        )
        update knowledge.documents_%1$s as d
        set parent_id = g.parent_id
        from gone as g
        where d.parent_id = g.document_id and d.document_id <> all ($1)$sql$, workspace_id)
    using document_ids;
    perform access.write_audit('delete', 'knowledge.documents',
        (select w.tenant_id from knowledge.workspaces as w where w.workspace_id = take_away.workspace_id),
        cardinality(document_ids), to_jsonb(document_ids), null);
    perform knowledge.note_change(workspace_id);
    perform knowledge.have_words_counted(workspace_id);
end
$$;

comment on function knowledge.take_away(bigint, uuid[]) is 'Takes documents away, without their parts.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.remove_document(workspace text, document_id uuid)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_ids       uuid[];
begin
    -- With its parts, in the order of ids, so that two cannot wait for each other.
    execute format($sql$
        with recursive part as (
            select d.document_id from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.document_id = $1
            union
            select d.document_id from knowledge.documents_%1$s as d join part as p on d.parent_id = p.document_id
        )
        select array_agg(o.document_id)
        from (
            select d.document_id from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.document_id in (select p.document_id from part as p)
            order by d.document_id for update
        ) as o$sql$, v_workspace.workspace_id)
    into v_ids using document_id;
    if v_ids is null then
        return false;
    end if;
    perform knowledge.take_away(v_workspace.workspace_id, v_ids);
    return true;
end
$$;

comment on function knowledge.remove_document(text, uuid) is
    'Takes a document away, with what is part of it; false when it is not there. Errors: QC401-QC403, QC405, QC215.';

grant execute on function knowledge.remove_document(text, uuid) to concierge_app;

create or replace function knowledge.reprocess(workspace text, only_errors boolean default false)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_count     bigint := 0::bigint;
    v_id        uuid;
begin
    for v_id in execute format($sql$
        select d.document_id from knowledge.documents_%1$s as d
        where d.workspace_id = %1$s and d.content is not null and (not $1 or d.status = 'error')
        order by d.document_id$sql$, v_workspace.workspace_id)
    using only_errors
    loop
        perform queue.enqueue('call', jsonb_build_object('workspace_id', v_workspace.workspace_id, 'document_id', v_id),
            'knowledge.process_again', key => format('knowledge.process:%s', v_id), priority => 2);
        v_count := v_count + 1;
    end loop;
    return v_count;
end
$$;

comment on function knowledge.reprocess(text, boolean) is
    'Has documents of a workspace processed again, or those with an error only; each is found as it was until it is.
Returns how many. Errors: QC401-QC403, QC405, QC215.';

grant execute on function knowledge.reprocess(text, boolean) to concierge_app;

create or replace function knowledge.process_if_there(workspace_id bigint, document_id uuid)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from knowledge.workspaces as w where w.workspace_id = process_if_there.workspace_id) then
        perform knowledge.process_documents(workspace_id, array[document_id]);
    end if;
end
$$;

comment on function knowledge.process_if_there(bigint, uuid) is 'Indexes a document, unless its workspace is gone.';
-- Granted to nobody: process_again calls it.

create or replace function knowledge.process_again(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.process_if_there((p ->> 'workspace_id')::bigint, (p ->> 'document_id')::uuid)
    from queue.payload_of(job_id) as p;
end;

comment on function knowledge.process_again(bigint, jsonb) is 'Continuation: processes a document again.';
-- Granted to nobody: queue.finish calls it.
