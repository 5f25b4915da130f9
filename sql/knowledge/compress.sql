-- Extractive: sentences are chosen, none is written. Each is scored by BM25 like a chunk, with the length of an ordinary
-- sentence in place of an ordinary chunk's.
create or replace function knowledge.compress(
    workspace text, query text, chunk_ids bigint[], budget int default 200
)
    returns setof knowledge.sentence
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
#variable_conflict use_variable
declare
    v_workspace knowledge.workspaces := knowledge.require_workspace(workspace);
    v_vector    extensions.sparsevec;
begin
    if query is null or chunk_ids is null or budget is null then
        perform access.refuse('22004', 'a query, chunks and a budget are required');
    end if;
    select m.query_vector into v_vector
    from knowledge.read_query(query, v_workspace.languages) as r
    cross join lateral knowledge.match_words(v_workspace.workspace_id, r.lexemes, r.counts, null, '{}', '', null, null, 0) as m;

    return query execute format($sql$
        with chosen as (
            select a.place, c.chunk_id, c.document_id, c.starts_at, c.content, d.language
            from unnest($1) with ordinality as a (chunk_id, place)
            join knowledge.chunks_%1$s as c on c.workspace_id = %1$s and c.chunk_id = a.chunk_id
            join knowledge.documents_%1$s as d on d.workspace_id = %1$s and d.document_id = c.document_id
            where d.audience_id = any ($2)
        ), sentence as (
            -- Chunks overlap: a sentence counts once, where it was found best.
            select distinct on (c.document_id, c.starts_at + s.starts_at) c.place, c.document_id, c.chunk_id, c.language,
                substr(c.content, s.starts_at + 1, s.ends_at - s.starts_at) as content,
                c.starts_at + s.starts_at as starts_at, c.starts_at + s.ends_at as ends_at
            from chosen as c
            cross join lateral knowledge.sentences(c.content) as s
            -- A heading says where it stands, and not what is so.
            where substr(c.content, s.starts_at + 1, 7) !~ '^#{1,6} '
            order by c.document_id, c.starts_at + s.starts_at, c.place
        ), scored as (
            select s.*, coalesce((- (knowledge.weights(knowledge.words(s.content, s.language), $4, $5, 20)
                operator(extensions.<#>) $3))::real, 0) as score
            from sentence as s
        ), budgeted as (
            select s.*, sum((octet_length(s.content) + 3) / 4) over (order by s.score desc, s.place, s.starts_at) as spent,
                row_number() over (order by s.score desc, s.place, s.starts_at) as rank
            from scored as s
        )
        select b.place::int, b.document_id, b.chunk_id, b.content, b.starts_at, b.ends_at, b.score
        from budgeted as b
        -- The best one in any case; and what has no word of the query only when nothing has.
        where b.rank = 1 or b.spent <= $6 and b.score > 0
        order by b.place, b.starts_at$sql$, v_workspace.workspace_id)
    using chunk_ids, knowledge.my_audiences(), v_vector, v_workspace.bm25_k1, v_workspace.bm25_b, budget;
end
$$;

comment on function knowledge.compress(text, text, bigint[], int) is
    'The sentences of some chunks that say most about a query, up to so many tokens (a quarter of the bytes), in the order
of the chunks, with their place in the document. Errors: QC401-QC403, QC215, 22004.';

grant execute on function knowledge.compress(text, text, bigint[], int) to concierge_app;

-- The offline answerer for documents: says what they say, in their words, and shows where.
create or replace function knowledge.cite(workspace text, question text, chunk_ids bigint[], sentences int default 3)
    returns jsonb
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
    set jit = off
as $$
declare
    v_workspace knowledge.workspaces := knowledge.require_workspace(workspace);
    v_citations jsonb;
begin
    execute format($sql$
        select coalesce(jsonb_agg(jsonb_build_object('n', b.n, 'kind', 'document', 'id', b.document_id,
                'chunk_id', b.chunk_id, 'title', coalesce(nullif(d.title, ''), d.key, d.kind), 'url', d.url,
                'line', coalesce(d.answer, b.content), 'starts_at', b.starts_at, 'ends_at', b.ends_at,
                'before', right(left(d.content, b.starts_at), 80), 'after', substr(d.content, b.ends_at + 1, 80))
            order by b.n), '[]')
        from (
            select c.*, row_number() over (order by c.score desc, c.place, c.starts_at) as n,
                max(c.score) over () as best
            from knowledge.compress($1, $2, $3, 400) as c
        ) as b
        join knowledge.documents_%1$s as d on d.workspace_id = %1$s and d.document_id = b.document_id
        -- What says less than half as much as the best is about something else.
        where b.n <= $4 and b.score >= b.best / 2$sql$, v_workspace.workspace_id)
    into v_citations using workspace, question, coalesce(chunk_ids, '{}'), sentences;
    return jsonb_build_object('answer', case
            when v_citations = '[]' then 'I find nothing on that.'
            else (
                select string_agg(format('%s [%s]', regexp_replace(c ->> 'line', '\s+', ' ', 'g'), c ->> 'n'), ' '
                    order by (c ->> 'n')::int)
                from jsonb_array_elements(v_citations) as c) end,
        'citations', v_citations);
end
$$;

comment on function knowledge.cite(text, text, bigint[], int) is
    'Answers a question with the sentences of some chunks that say most about it: {answer, with [n] marks, citations: [{n,
kind, id, chunk_id, title, url, line, starts_at, ends_at, before, after}]}; offsets are code points of the document''s
content, before and after what stands around it there. Errors: those of knowledge.compress.';

grant execute on function knowledge.cite(text, text, bigint[], int) to concierge_app;

create or replace function knowledge.answer(
    workspace text, question text, query_embedding extensions.vector default null, filters jsonb default '{}',
    sentences int default 3
)
    returns jsonb
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.cite(workspace, question, (
        select array_agg(s.chunk_id order by s.score desc, s.chunk_id)
        from knowledge.search(workspace, question, query_embedding, filters, 5) as s
        -- A vector that was made of words, and shares none, is near by chance.
        where s.lexical_score > 0 or query_embedding is not null), sentences);
end;

comment on function knowledge.answer(text, text, extensions.vector, jsonb, int) is
    'Searches a workspace, and answers with what it finds, as knowledge.cite has it. Errors: those of knowledge.search.';

grant execute on function knowledge.answer(text, text, extensions.vector, jsonb, int) to concierge_app;
