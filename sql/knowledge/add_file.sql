create or replace function knowledge.max_file_size()
    returns int
    language sql immutable
return 20000000;

comment on function knowledge.max_file_size() is 'Bytes a file may have.';
-- Granted to nobody: functions of this schema call it.

-- What the bytes say counts for more than what the name does; only text has no mark of its own.
create or replace function knowledge.media_type_of(name text, bytes bytea)
    returns text
    language sql immutable
    set search_path = pg_catalog, pg_temp
return case
    when position('%PDF-'::bytea in substr(bytes, 1, 1024)) > 0 then 'application/pdf'
    when substr(bytes, 1, 4) = '\x504b0304'
        and position('mimetypeapplication/vnd.oasis.opendocument.text'::bytea in substr(bytes, 1, 200)) > 0
        then 'application/vnd.oasis.opendocument.text'
    when substr(bytes, 1, 4) = '\x504b0304' and position('word/document.xml'::bytea in bytes) > 0
        then 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
    else (
        select t.media_type
        from (values ('^(txt|text|log)$', 'text/plain'), ('^(md|markdown|mdown)$', 'text/markdown'),
            ('^(html?|xhtml)$', 'text/html')) as t (endings, media_type)
        where lower(substring(name from '\.([^./\\]+)$')) ~ t.endings
        union all
        select 'text/html' as media_type
        where encode(substr(bytes, 1, 512), 'escape') ~* '^\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html)\M'
        limit 1)
    end;

comment on function knowledge.media_type_of(text, bytea) is
    'What a file is, by its bytes and its name''s ending; null: nothing known.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.decode_text(bytes bytea, encoding text default 'utf-8')
    returns text
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_text  text;
    v_error text;
begin
    if pg_char_to_encoding(encoding::name) < 0 then
        perform access.refuse('QC220', format('"%s" is no encoding this server can read', encoding),
            'Save it as UTF-8.');
    end if;
    begin
        v_text := convert_from(bytes, encoding::name);
    exception
        when character_not_in_repertoire or untranslatable_character or undefined_object or feature_not_supported then
            get stacked diagnostics v_error = message_text;
            perform access.refuse('QC220', format('the text is not in %s: %s', upper(encoding), v_error),
                'Save it as UTF-8; a zero byte is no character of a text.');
    end;
    return ltrim(v_text, U&'\FEFF');
end
$$;

comment on function knowledge.decode_text(bytea, text) is
    'Bytes as text, without a byte order mark. Errors: QC220 they are not in that encoding.';
-- Granted to nobody: functions of this schema call it.

-- A text that has come for the version it was asked for; for an older one, or a document that is gone, it is thrown away.
create or replace function knowledge.put_content(
    workspace_id bigint, document_id uuid, version int, title text, content text
)
    returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_same boolean;
begin
    -- With the workspace goes its table, a little later.
    if not exists (select from knowledge.workspaces as w where w.workspace_id = put_content.workspace_id) then
        return false;
    end if;
    execute format($sql$
        with before as (
            select d.document_id, d.chunk_count > 0 and d.title = $3 and d.content = $4 as same
            from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.document_id = $1 and d.version = $2 and d.status in ('created', 'error')
            for update
        )
        update knowledge.documents_%1$s as d
        set title = $3, content = $4, status = case when b.same then 'processed' else 'processing' end, sqlstate = null,
            error = null, updated_at = now()
        from before as b
        where d.workspace_id = %1$s and d.document_id = b.document_id
        returning coalesce(b.same, false)$sql$, workspace_id)
    into v_same using document_id, version, title, content;
    if v_same is null then
        return false;
    elsif not v_same then
        perform knowledge.process_documents(workspace_id, array[document_id]);
    end if;
    return true;
end
$$;

comment on function knowledge.put_content(bigint, uuid, int, text, text) is
    'Gives a document the text that was made of its source, and has it processed; false when it is not wanted any more.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.put_error(workspace_id bigint, document_id uuid, version int, sqlstate text, error text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from knowledge.workspaces as w where w.workspace_id = put_error.workspace_id) then
        execute format($sql$
            update knowledge.documents_%1$s as d
            set status = 'error', sqlstate = $3, error = left($4, 1000), updated_at = now()
            where d.workspace_id = %1$s and d.document_id = $1 and d.version = $2 and d.status = 'created'$sql$, workspace_id)
        using document_id, version, sqlstate, error;
    end if;
end
$$;

comment on function knowledge.put_error(bigint, uuid, int, text, text) is
    'Writes on a document why its text did not come.';
-- Granted to nobody: functions of this schema call it.

-- The bytes are in the job until it ends, and nowhere after.
create or replace function knowledge.convert_document(
    workspace knowledge.workspaces, document_id uuid, title text, media_type text, bytes bytea, html text
)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_version int;
begin
    execute format($sql$
        select d.version from knowledge.documents_%1$s as d
        where d.workspace_id = %1$s and d.document_id = $1 and d.status = 'created'$sql$, workspace.workspace_id)
    into v_version using document_id;
    if v_version is not null then
        perform queue.enqueue('convert', jsonb_strip_nulls(jsonb_build_object('workspace_id', workspace.workspace_id,
                'document_id', document_id, 'version', v_version, 'title', title, 'media_type', media_type, 'to', 'markdown',
                'text', knowledge.html_to_convert(html),
                'base64', case when html is null then translate(encode(bytes, 'base64'), E'\n', '') end)),
            'knowledge.receive_text', key => format('knowledge.convert:%s:%s', document_id, v_version),
            tenant_id => workspace.tenant_id, max_attempts => 3, on_failure => 'knowledge.conversion_failed');
    end if;
end
$$;

comment on function knowledge.convert_document(knowledge.workspaces, uuid, text, text, bytea, text) is
    'Has a document that waits for its text converted, once a version.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.receive_text(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_payload jsonb := queue.payload_of(receive_text.job_id);
begin
    perform queue.forget(job_id, '{text,base64}');
    if btrim(coalesce(result ->> 'text', ''), E' \t\r\n\f' || U&'\00A0\FEFF') = '' then
        perform knowledge.put_error((v_payload ->> 'workspace_id')::bigint, (v_payload ->> 'document_id')::uuid,
            (v_payload ->> 'version')::int, 'QC503', 'no text was found in it');
        return;
    end if;
    perform knowledge.put_content((v_payload ->> 'workspace_id')::bigint, (v_payload ->> 'document_id')::uuid,
        (v_payload ->> 'version')::int, v_payload ->> 'title', result ->> 'text');
end
$$;

comment on function knowledge.receive_text(bigint, jsonb) is
    'Continuation: takes in what a file was converted to; one without text has status error, QC503.';
-- Granted to nobody: queue.finish calls it.

create or replace function knowledge.conversion_failed(job_id bigint, failure jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.put_error((p.payload ->> 'workspace_id')::bigint, (p.payload ->> 'document_id')::uuid,
        (p.payload ->> 'version')::int, coalesce(failure ->> 'sqlstate', 'QC502'),
        coalesce(failure ->> 'error', 'the conversion was ' || (failure ->> 'state')))
    from (select failure -> 'payload' as payload) as p;
end;

comment on function knowledge.conversion_failed(bigint, jsonb) is
    'Continuation of a failure: the document has status error, with the reason, QC502 where it has no code of its own.';
-- Granted to nobody: the queue calls it.

create or replace function knowledge.add_file(
    workspace text, name text, bytes bytea, key text default null, media_type text default null, title text default null,
    url text default null, language text default null, metadata jsonb default '{}', access_level int default 0,
    access_groups text[] default '{}', occurred_at timestamptz default null, parent_id uuid default null
)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.workspace_to_fill(workspace);
    v_found     text := knowledge.media_type_of(name, bytes);
    v_type      text := coalesce(lower(btrim(split_part(media_type, ';', 1))), v_found);
    v_hash      bytea := sha256(bytes);
    v_html      text;
    v_title     text;
    v_text      text;
    v_id        uuid;
begin
    if nullif(btrim(name), '') is null or bytes is null then
        perform access.refuse('22004', 'a file has a name and bytes');
    elsif bytes = '' then
        perform access.refuse('QC220', format('the file "%s" is empty', name));
    elsif length(bytes) > knowledge.max_file_size() then
        perform access.refuse('QC220', format('the file "%s" has %s bytes, and may have %s', name, length(bytes),
            knowledge.max_file_size()), 'Add its parts, with one parent_id.');
    elsif v_type is null or v_type not in ('text/plain', 'text/markdown', 'text/html', 'application/pdf',
        'application/vnd.oasis.opendocument.text', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document')
    then
        perform access.refuse('QC219', format('what "%s" is, %s, cannot be read', name, coalesce(v_type, 'unknown')),
            'Text, Markdown, HTML, PDF, DOCX and ODT can; media_type says so where the name''s ending does not.');
    elsif v_type like 'application/%' and v_type is distinct from v_found then
        perform access.refuse('QC219', format('"%s" is no %s', name, v_type), 'Its bytes say otherwise: it may be broken.');
    end if;

    if key is null then
        execute format($sql$
            select d.document_id from knowledge.documents_%1$s as d
            where d.workspace_id = %1$s and d.source_hash = $1 and d.kind = 'file' and d.audience_id = $2
                and not exists (
                    select from knowledge.documents_%1$s as o where o.workspace_id = %1$s and o.key = $3)
            order by d.created_at limit 1$sql$, v_workspace.workspace_id)
        into v_id using v_hash, knowledge.audience(v_workspace.tenant_id, access_level, access_groups), name;
        if v_id is not null then
            return v_id;
        end if;
    end if;

    if v_type like 'application/%' then
        v_title := coalesce(title, name);
    elsif v_type = 'text/html' then
        v_html := knowledge.html_of(bytes, media_type);
        v_title := coalesce(title, (
            select h.title from knowledge.html_head(knowledge.without_scripts(v_html), 'http://file/') as h), name);
    else
        v_title := coalesce(title, name);
        v_text := knowledge.decode_text(bytes);
    end if;
    v_id := knowledge.put_document(v_workspace, 'file', coalesce(key, name), v_title, v_text, null, url, language, metadata,
        access_level, access_groups, occurred_at, parent_id, v_hash);
    if v_text is null then
        perform knowledge.convert_document(v_workspace, v_id, v_title, v_type, bytes, v_html);
    end if;
    return v_id;
end
$$;

comment on function knowledge.add_file(
    text, text, bytea, text, text, text, text, text, jsonb, int, text[], timestamptz, uuid) is
    'Adds a file: text, Markdown, HTML, PDF, DOCX or ODT, 20 MB at most. Text is found from commit on; of all else a
converter makes text first, and what was there before is found until then. Its key is its name unless given; without one,
bytes that the workspace has as another file, for the same audience, are recognised, and that document is returned.
Errors: QC401-QC403, QC405 not an organizer or service, QC215 workspace, QC219 no type that can be read, QC220 empty, too
large or not in its encoding, 22004 no name or bytes, 22023 language, metadata or level.';

grant execute on function knowledge.add_file(
    text, text, bytea, text, text, text, text, text, jsonb, int, text[], timestamptz, uuid) to concierge_app;
