-- A table as text: each line is a row, and the first one, the header, stands over all of them.
create or replace function knowledge.cut_rows(content text, unit text, size int)
    returns table (ordinal int, starts_at int, ends_at int, heading text)
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    with line as (
        select l.n, btrim(l.line, E' \t\r') as line,
            (sum(length(l.line) + 1) over (order by l.n) - length(l.line) - 1
                + length(l.line) - length(ltrim(l.line, E' \t\r')))::int as starts_at
        from regexp_split_to_table(content, '\n') with ordinality as l (line, n)
    ), header as (
        select l.n, l.line from line as l where l.line <> '' order by l.n limit 1
    )
    select (row_number() over (order by l.n, c.ordinal) - 1)::int, l.starts_at + c.starts_at, l.starts_at + c.ends_at,
        h.line
    from line as l
    join header as h on l.n > h.n
    cross join lateral knowledge.chunk_text(l.line, 'recursive', unit, size, 0) as c
    where l.line <> '';
end;

comment on function knowledge.cut_rows(text, text, int) is
    'A chunk a line, but for the first, which is the heading of each; a line larger than a chunk is cut.';
-- Granted to nobody: functions of this schema call it.

-- Where the subject changes: between neighbouring sentences whose vectors are further apart than three quarters of all
-- neighbours are, once a chunk has a quarter of its size.
create or replace function knowledge.cut_semantic(content text, vectors extensions.vector[], unit text, size int)
    returns table (ordinal int, starts_at int, ends_at int, heading text)
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_starts  int[];
    v_ends    int[];
    v_near    float8[];
    v_limit   float8;
    v_from    int := 1;
    v_size    int;
    v_last    int;
begin
    select array_agg(s.starts_at order by s.starts_at), array_agg(s.ends_at order by s.starts_at)
    into v_starts, v_ends from knowledge.sentences(content) as s;
    if v_starts is null then
        return;
    end if;
    select array_agg(coalesce(1 - (vectors[i] operator(extensions.<=>) vectors[i + 1]), 0) order by i)
    into v_near from generate_series(1, cardinality(v_starts) - 1) as i;
    select percentile_cont(0.25) within group (order by n) into v_limit from unnest(v_near) as n;

    ordinal := 0;
    heading := '';
    v_last := cardinality(v_starts);
    for i in 1..v_last loop
        v_size := knowledge.measure(substr(content, v_starts[v_from] + 1, v_ends[i] - v_starts[v_from]), unit);
        if i < v_last
            and knowledge.measure(substr(content, v_starts[v_from] + 1, v_ends[i + 1] - v_starts[v_from]), unit) <= size
            and not (v_near[i] <= v_limit and v_size * 4 >= size)
        then
            continue;
        end if;
        -- One sentence that is larger than a chunk is cut like any text.
        for starts_at, ends_at in
            select v_starts[v_from] + c.starts_at, v_starts[v_from] + c.ends_at
            from knowledge.chunk_text(substr(content, v_starts[v_from] + 1, v_ends[i] - v_starts[v_from]),
                case when v_size <= size then 'whole' else 'recursive' end, unit, size, 0) as c
        loop
            return next;
            ordinal := ordinal + 1;
        end loop;
        v_from := i + 1;
    end loop;
end
$$;

comment on function knowledge.cut_semantic(text, extensions.vector[], text, int) is
    'Chunks that end where the subject changes; vectors are those of the sentences, in their order.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.measure(content text, unit text)
    returns int
    language sql immutable strict parallel safe
return case unit when 'tokens' then (octet_length(content) + 3) / 4 else length(content) end;

comment on function knowledge.measure(text, text) is 'How large a text is: tokens, a quarter of its bytes, or characters.';
-- Granted to nobody: functions of this schema call it.

-- The vectors of a text's sentences: by the offline model at once, of others those that are known; null where one is not.
create or replace function knowledge.sentence_vectors(workspace knowledge.workspaces, content text)
    returns extensions.vector[]
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_model   text := (select g.model from knowledge.generations as g
                       where g.workspace_id = workspace.workspace_id and g.state in ('serving', 'filling')
                       order by g.state = 'filling' desc limit 1);
    v_vectors extensions.vector[];
    v_missing bigint;
begin
    if v_model is null then
        return null;
    elsif v_model = 'offline' then
        return array(
            select model.embed_offline(substr(content, s.starts_at + 1, s.ends_at - s.starts_at))
            from knowledge.sentences(content) as s order by s.starts_at);
    end if;
    select array_agg(q.embedding order by s.starts_at), count(*) filter (where q.embedding is null)
    into v_vectors, v_missing
    from knowledge.sentences(content) as s
    left join knowledge.query_vectors as q on q.tenant_id = workspace.tenant_id and q.model = v_model
        and q.query_hash = sha256(convert_to(substr(content, s.starts_at + 1, s.ends_at - s.starts_at), 'UTF8'));
    return case when v_missing = 0 then v_vectors end;
end
$$;

comment on function knowledge.sentence_vectors(knowledge.workspaces, text) is
    'One vector a sentence; null unless all of them are known.';
-- Granted to nobody: functions of this schema call it.

-- Until a model has said where sentences part, a text is found as it is cut otherwise.
create or replace function knowledge.cut(workspace knowledge.workspaces, content text)
    returns table (ordinal int, starts_at int, ends_at int, heading text)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_vectors extensions.vector[];
begin
    if workspace.chunking = 'rows' then
        return query select * from knowledge.cut_rows(content, workspace.chunk_unit, workspace.chunk_size);
        return;
    elsif workspace.chunking = 'semantic' then
        v_vectors := knowledge.sentence_vectors(workspace, content);
        if v_vectors is not null then
            return query
            select * from knowledge.cut_semantic(content, v_vectors, workspace.chunk_unit, workspace.chunk_size);
            return;
        end if;
    end if;
    return query
    select * from knowledge.chunk_text(content,
        case workspace.chunking when 'semantic' then 'recursive' else workspace.chunking end,
        workspace.chunk_unit, workspace.chunk_size, workspace.chunk_overlap);
end
$$;

comment on function knowledge.cut(knowledge.workspaces, text) is 'A text in chunks, as its workspace wants it cut.';
-- Granted to nobody: functions of this schema call it.

-- Asks the model of a workspace for the sentences of a document; the answer has it cut again.
create or replace function knowledge.ask_for_sentences(workspace knowledge.workspaces, document_id uuid)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_generation knowledge.generations := (
        select g from knowledge.generations as g
        where g.workspace_id = workspace.workspace_id and g.state in ('serving', 'filling')
        order by g.state = 'filling' desc limit 1);
    v_texts      jsonb;
begin
    execute format($sql$
        select jsonb_agg(distinct t.text)
        from knowledge.documents_%1$s as d
        cross join lateral knowledge.sentences(d.content) as s
        cross join lateral substr(d.content, s.starts_at + 1, s.ends_at - s.starts_at) as t (text)
        left join knowledge.query_vectors as q on q.tenant_id = $2 and q.model = $3
            and q.query_hash = sha256(convert_to(t.text, 'UTF8'))
        where d.workspace_id = %1$s and d.document_id = $1 and q.query_hash is null$sql$, workspace.workspace_id)
    into v_texts using document_id, workspace.tenant_id, v_generation.model;
    if v_texts is not null and v_generation.model <> 'offline' then
        perform model.enqueue_embed(v_generation.model, v_generation.dimensions,
            jsonb_build_object('generation_id', v_generation.generation_id, 'document_id', document_id), v_texts,
            jsonb_build_object('tenant_id', v_generation.tenant_id, 'workspace_id', v_generation.workspace_id),
            'knowledge.receive_sentences', 'knowledge.give_up_sentences', key => format('knowledge.sentences:%s', document_id),
            on_conflict => 'replace');
    end if;
end
$$;

comment on function knowledge.ask_for_sentences(knowledge.workspaces, uuid) is
    'Asks a model for the vectors of a document''s sentences that are not known.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.give_up_sentences(job_id bigint, failure jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select model.close_call(give_up_sentences.job_id, failure -> 'payload', null, failure);
end;

comment on function knowledge.give_up_sentences(bigint, jsonb) is
    'On failure of embed: the document stays as it is cut; the call is noted.';
-- Granted to nobody: the queue calls it.

create or replace function knowledge.receive_sentences(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_payload    jsonb := queue.payload_of(receive_sentences.job_id);
    v_generation knowledge.generations := (
        select g from knowledge.generations as g where g.generation_id = (v_payload ->> 'generation_id')::bigint);
begin
    if v_generation is null then
        return;
    end if;
    perform knowledge.check_count(v_payload -> 'texts', result -> 'embeddings', 'vectors');
    perform model.close_call(job_id, v_payload, result);
    insert into knowledge.query_vectors (tenant_id, model, query_hash, embedding)
    select v_generation.tenant_id, v_generation.model, sha256(convert_to(i.text, 'UTF8')),
        knowledge.check_vector((o.output::text)::extensions.vector, v_generation.dimensions)
    from jsonb_array_elements_text(v_payload -> 'texts') with ordinality as i (text, place)
    join jsonb_array_elements(result -> 'embeddings') with ordinality as o (output, place) using (place)
    where o.output <> 'null'
    order by 3
    on conflict (tenant_id, model, query_hash) do update set made_at = now();
    perform knowledge.process_documents(v_generation.workspace_id, array[(v_payload ->> 'document_id')::uuid]);
end
$$;

comment on function knowledge.receive_sentences(bigint, jsonb) is
    'Continuation of embed: keeps the vectors of sentences, and has their document cut again.
Errors, which count against the job: QC501 too few, QC217 no vector of the generation''s.';
-- Granted to nobody: queue.finish calls it.
