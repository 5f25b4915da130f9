-- The documents' part of a ConciergeContext.
create or replace function chat.top_docs(workspace text, question text)
    returns jsonb
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(jsonb_agg(jsonb_build_object('document_id', s.document_id, 'chunk_id', s.chunk_id, 'title', s.title,
        'heading', s.heading, 'content', coalesce(s.answer, s.content), 'url', s.url, 'starts_at', s.starts_at,
        'ends_at', s.ends_at, 'score', s.score, 'lexical_score', s.lexical_score) order by s.score desc, s.chunk_id), '[]')
    from knowledge.search(workspace, question, max_results => 12) as s;
end;

comment on function chat.top_docs(text, text) is
    'At most 12 passages of a workspace, best first, as chat.context holds them under general.top_docs.
Errors: those of knowledge.search.';

grant execute on function chat.top_docs(text, text) to concierge_app;

-- Volatile for what a search of documents keeps for the next one; the context itself is read in one snapshot.
create or replace function chat.ask(question text, event_id uuid, contractor_id uuid, workspace text default null)
    returns jsonb
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_intent  text := chat.intent(question);
    v_context jsonb;
    v_reply   record;
begin
    if nullif(btrim(question), '') is null then
        perform access.refuse('22004', 'a question is required',
            'Ask, for example, ''What should I see next?''.');
    elsif length(question) > 4000 then
        perform access.refuse('QC208', 'a question has at most 4000 characters', 'Shorten it.');
    end if;

    v_context := chat.context(event_id, contractor_id, question,
        case when workspace is not null then chat.top_docs(workspace, question) else '[]' end);
    if v_intent = 'unknown' and workspace is not null then
        v_intent := 'documents';
        select d ->> 'answer' as answer, d -> 'citations' as citations into v_reply
        from knowledge.cite(workspace, question, array(
            select (t ->> 'chunk_id')::bigint
            from jsonb_array_elements(v_context #> '{general,top_docs}') with ordinality as e (t, n)
            where (t ->> 'lexical_score')::real > 0
            order by n
            limit 5)) as d;
    else
        select a.answer, a.citations into v_reply from model.answer_offline(v_intent, v_context) as a;
    end if;
    return jsonb_build_object('intent', v_intent, 'answer', v_reply.answer, 'citations', v_reply.citations,
        'provider', 'offline', 'clock', v_context #> '{event,clock}');
end
$$;

comment on function chat.ask(text, uuid, uuid, text) is
    'Answers a contractor''s question about an event from chat.context alone, and from the documents of a workspace
where one is named: {intent, answer, citations: [{n, kind, id, title, line, url}], provider, clock}; a citation of a
document says where, too: {chunk_id, starts_at, ends_at, before, after}. Intents: now, next, sponsors,
action_items; anything else is looked for in the documents (documents), or gets an honest "nothing on that".
Errors: 22004 null or empty, QC201 event, QC202 contractor, QC208 too long, QC215 workspace, QC405 someone else''s.';

grant execute on function chat.ask(text, uuid, uuid, text) to concierge_app;
