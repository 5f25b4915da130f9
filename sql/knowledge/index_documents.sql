-- Takes the chunks of a document away, with all that was made of them. What was counted is to be counted off.
create or replace function knowledge.remove_chunks(workspace_id bigint, document_ids uuid[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_generation_id bigint;
begin
    execute format($sql$
        with gone as (
            delete from knowledge.chunks_%1$s as c
            where c.workspace_id = %1$s and c.document_id = any ($1) returning c.chunk_id
        ), weighed as (
            delete from knowledge.lexical_%1$s as l using gone as g
            where l.workspace_id = %1$s and l.chunk_id = g.chunk_id
        ), words as (
            delete from knowledge.chunk_words_%1$s as w using gone as g
            where w.workspace_id = %1$s and w.chunk_id = g.chunk_id
            returning w.chunk_id, w.words, w.length
        ), never_counted as (
            delete from knowledge.uncounted as u using gone as g
            where u.workspace_id = %1$s and u.chunk_id = g.chunk_id and u.lexemes is null
            returning u.chunk_id
        ), never_embedded as (
            -- One that is asked for is still waited for: another chunk may have the text.
            delete from knowledge.pending_vectors as p using gone as g
            where p.chunk_id = g.chunk_id and p.failed is not null
                and p.generation_id in (
                    select o.generation_id from knowledge.generations as o where o.workspace_id = %1$s)
        )
        insert into knowledge.uncounted (workspace_id, chunk_id, lexemes, length)
        select %1$s, w.chunk_id, tsvector_to_array(w.words), w.length
        from words as w
        where not exists (select from never_counted as n where n.chunk_id = w.chunk_id)$sql$, workspace_id)
    using document_ids;
    for v_generation_id in
        select g.generation_id from knowledge.generations as g where g.workspace_id = remove_chunks.workspace_id
    loop
        execute format('delete from knowledge.embeddings_%s where document_id = any ($1)', v_generation_id)
        using document_ids;
        execute format($sql$
            delete from knowledge.document_embeddings_%1$s
            where generation_id = %1$s and document_id = any ($1)$sql$, v_generation_id)
        using document_ids;
    end loop;
end
$$;

comment on function knowledge.remove_chunks(bigint, uuid[]) is 'Takes the chunks of documents away.';
-- Granted to nobody: functions of this schema call it.

-- Which of the workspace's languages a text is in: the one whose commonest words it has the most of. They are what
-- its configuration takes out as stop words.
create or replace function knowledge.language_of(content text, languages text[])
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
return case when cardinality(languages) = 1 then languages[1] else (
    select g.language
    from unnest(languages) with ordinality as g (language, place)
    cross join lateral (
        select ts_count.all_words - ts_count.kept as stopped
        from (
            select knowledge.length(to_tsvector('simple', left(content, 20000))) as all_words,
                knowledge.length(to_tsvector(g.language::regconfig, left(content, 20000))) as kept
        ) as ts_count
    ) as s
    order by s.stopped desc, g.place
    limit 1) end;

comment on function knowledge.language_of(text, text[]) is 'The likeliest of the languages; the first where none is.';
-- Granted to nobody: functions of this schema call it.

-- Many at once, in one statement: what a statement costs is paid once, and the words of all go into the index together.
create or replace function knowledge.index_documents(workspace_id bigint, document_ids uuid[])
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
#variable_conflict use_variable
declare
    v_workspace  knowledge.workspaces := (
        select w from knowledge.workspaces as w where w.workspace_id = index_documents.workspace_id);
    v_generation knowledge.generations;
    v_average    real := (
        select s.average_length from knowledge.statistics as s where s.workspace_id = index_documents.workspace_id);
    v_chunk_ids  bigint[];
begin
    -- Two that index one document take turns; the second sees what the first has made of it.
    execute format($sql$
        select from knowledge.documents_%1$s as d
        where d.workspace_id = $1 and d.document_id = any ($2) order by d.document_id for update$sql$, workspace_id)
    using workspace_id, document_ids;
    perform knowledge.remove_chunks(workspace_id, document_ids);
    perform knowledge.note_change(workspace_id);
    execute format($sql$
        with told as materialized (
            select d.document_id, d.title, d.content, d.audience_id,
                coalesce(d.language, knowledge.language_of(d.content, $3)) as language
            from knowledge.documents_%1$s as d
            where d.workspace_id = $1 and d.document_id = any ($2)
        ), cut as materialized (
            select t.document_id, t.audience_id, t.language, c.ordinal, c.starts_at, c.ends_at, c.heading, p.content,
                knowledge.indexed_text(t.title, c.heading, p.content) as whole, nextval('knowledge.chunk_id') as chunk_id
            from told as t
            cross join lateral knowledge.cut($4, t.content) as c
            cross join lateral substr(t.content, c.starts_at + 1, c.ends_at - c.starts_at) as p (content)
        ), stored as (
            insert into knowledge.chunks_%1$s (workspace_id, chunk_id, document_id, tenant_id, ordinal, starts_at, ends_at,
                content, heading, content_hash)
            select $1, c.chunk_id, c.document_id, $8, c.ordinal, c.starts_at, c.ends_at, c.content, c.heading,
                sha256(convert_to(c.whole, 'UTF8'))
            from cut as c
        ), worded as materialized (
            select c.chunk_id, c.document_id, c.audience_id, knowledge.words(c.whole, c.language) as words from cut as c
        ), kept as (
            insert into knowledge.chunk_words_%1$s (workspace_id, chunk_id, length, words)
            select $1, w.chunk_id, knowledge.length(w.words), w.words from worded as w
        ), indexed as (
            insert into knowledge.lexical_%1$s (workspace_id, chunk_id, document_id, audience_id, weights)
            select $1, w.chunk_id, w.document_id, w.audience_id, knowledge.weights(w.words, $5, $6, $7)
            from worded as w
        ), noted as (
            insert into knowledge.uncounted (workspace_id, chunk_id)
            select $1, c.chunk_id from cut as c
        ), counted as (
            select c.document_id, count(*) as chunk_count from cut as c group by c.document_id
        ), done as (
            update knowledge.documents_%1$s as d
            set language = t.language, status = 'processed', error = null, sqlstate = null,
                chunk_count = coalesce(n.chunk_count, 0)
            from told as t
            left join counted as n on n.document_id = t.document_id
            where d.workspace_id = $1 and d.document_id = t.document_id
        )
        select array_agg(c.chunk_id order by c.chunk_id) from cut as c$sql$, workspace_id)
    into v_chunk_ids
    using workspace_id, document_ids, v_workspace.languages, v_workspace, v_workspace.bm25_k1, v_workspace.bm25_b,
        v_average, v_workspace.tenant_id;

    if v_chunk_ids is not null then
        for v_generation in
            select * from knowledge.generations as g
            where g.workspace_id = index_documents.workspace_id and g.state in ('filling', 'serving')
        loop
            perform knowledge.embed_chunks(v_generation, v_chunk_ids);
        end loop;
    end if;
    if v_workspace.chunking = 'semantic' then
        perform knowledge.ask_for_sentences(v_workspace, d) from unnest(document_ids) as d
        where v_workspace.generation_id is not null;
    end if;
    perform knowledge.have_words_counted(workspace_id);
end
$$;

comment on function knowledge.index_documents(bigint, uuid[]) is
    'Cuts documents'' contents into chunks, and makes words and vectors of them, in place of what there was.';
-- Granted to nobody: functions of this schema call it.
