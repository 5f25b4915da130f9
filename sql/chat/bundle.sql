-- What an answer may be drawn from, as items with short names that an answer cites. Facets have their share of the room: sessions cannot
-- push documents out, nor the other way round.
create or replace function chat.items_of(pack text, context jsonb, question text)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    with known as (
        select (context #>> '{contractor,id}')::uuid as contractor_id, (context #>> '{event,id}')::uuid as event_id,
            context #>> '{event,time_zone}' as zone
    ), item as (
        select c.n, c.kind, c.id, c.title, c.line, c.url, null::jsonb as why
        from jsonb_to_recordset(model.citations(pack, context)) as c (n int, kind text, id text, title text, line text, url text)
        union all
        select row_number() over (order by p.score desc, p.name, p.partner_id)::int as n, 'partner' as kind, p.partner_id::text as id,
            p.name as title, concat_ws(', ', p.category, p.description) as line, null as url, p.why
        from known as k cross join lateral contractor.partner_match(k.contractor_id, 5) as p
        where pack = 'partner'
        union all
        select row_number() over (order by l.score desc, l.title, l.learning_item_id)::int as n, 'learning' as kind,
            l.learning_item_id::text as id, l.title,
            concat_ws(', ', l.kind || coalesce(' by ' || l.creator, ''), 'begin with "' || (l.chapter ->> 'title') || '"',
                'at ' || to_char(make_interval(secs => (l.chapter ->> 'starts_at')::float8), 'HH24:MI:SS'),
                'page ' || (l.chapter ->> 'page')) as line, l.url, l.why
        from known as k cross join lateral contractor.learning(k.contractor_id, question, 5) as l
        where pack = 'learning'
        union all
        select a.step as n, 'plan_step' as kind, a.step::text as id, a.title,
            concat_ws(', ', 'by ' || to_char(a.due_at at time zone k.zone, 'Dy DD Mon HH24:MI'), a.details) as line, null as url, a.why
        from known as k cross join lateral contractor.action_plan(k.contractor_id, k.event_id) as a
        where pack = 'plan'
        union all
        select 1 as n, 'event' as kind, e.event_id::text as id, e.title,
            format('%s; from %s to %s', replace(context #>> '{event,status}', '_', ' '),
                to_char(e.starts_at at time zone k.zone, 'Dy DD Mon YYYY HH24:MI'),
                to_char(e.ends_at at time zone k.zone, 'Dy DD Mon YYYY HH24:MI')) as line, null as url, null as why
        from known as k cross join lateral event.require(k.event_id) as e
        where pack = 'status'
    )
    select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', i.kind, 'of', i.id, 'title', i.title,
        'text', i.line, 'url', i.url, 'why', i.why)) order by i.n), '[]')
    from item as i;
end;

comment on function chat.items_of(text, jsonb, text) is
    'What there is of a pack (now, next, sponsors, action_items, partner, learning, plan, status) for a ConciergeContext, as items of a
bundle.';
-- Granted to nobody: chat.make_bundle calls it.

-- In PL/pgSQL, whose plans notice a workspace that came in the same transaction.
create or replace function chat.document_items(
    workspace text, question text, query_embedding extensions.vector, max_results int, budget int
)
    returns jsonb
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_workspace_id bigint := (knowledge.require_workspace(workspace)).workspace_id;
    v_items        jsonb;
begin
    with found as (
        select s.*, row_number() over (order by s.score desc, s.chunk_id) as place
        from knowledge.search(workspace, question, query_embedding, max_results => max_results) as s
        -- A vector that was made of words, and shares none, is near by chance.
        where s.lexical_score > 0 or query_embedding is not null
    ), sentence as (
        -- Of a question with its answer the answer, once.
        select distinct on (case when f.answer is null then c.starts_at end, c.document_id) c.*, f.document_key, f.title, f.heading,
            f.answer, f.url
        from knowledge.compress(workspace, question, array(select f.chunk_id from found as f order by f.place), budget) as c
        join found as f using (chunk_id)
        order by case when f.answer is null then c.starts_at end, c.document_id, c.score desc
    )
    select coalesce(jsonb_agg(jsonb_build_object('kind', 'document', 'of', s.document_id, 'chunk_id', s.chunk_id,
            'title', concat_ws(', ', coalesce(nullif(s.title, ''), s.document_key), nullif(s.heading, '')),
            'text', coalesce(s.answer, s.content), 'url', s.url, 'starts_at', s.starts_at, 'ends_at', s.ends_at,
            'before', right(left(d.content, s.starts_at), 80), 'after', substr(d.content, s.ends_at + 1, 80),
            'score', s.score) order by s.score desc, s.place, s.starts_at), '[]')
    into v_items
    from sentence as s
    join knowledge.documents as d on d.workspace_id = v_workspace_id and d.document_id = s.document_id;
    return v_items;
end
$$;

comment on function chat.document_items(text, text, extensions.vector, int, int) is
    'The sentences of a workspace''s best passages, so many at most, that say most about a question, with their place in their document:
items of a bundle, the best first, of so many tokens together.';
-- Granted to nobody: chat.make_bundle calls it.

create or replace function chat.known_vector(turn chat.turns, conversation chat.conversations)
    returns extensions.vector
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select knowledge.known_query_vector(w.slug, turn.question)
        from knowledge.workspaces as w where w.workspace_id = conversation.workspace_id);
end
$$;

comment on function chat.known_vector(chat.turns, chat.conversations) is
    'The vector of a question, if the model of its workspace was asked for it before; null without a workspace. Errors: QC401-QC403.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.make_bundle(
    turn chat.turns, conversation chat.conversations, query_embedding extensions.vector
)
    returns jsonb
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_packs   text[] := array(select jsonb_array_elements_text(turn.plan -> 'packs'));
    v_agent   model.agent_versions := chat.agent_of(turn);
    v_slug    text := (select w.slug::text from knowledge.workspaces as w where w.workspace_id = conversation.workspace_id);
    v_context jsonb;
    v_items   jsonb := '[]'::jsonb;
    v_pack    text;
begin
    if conversation.event_id is not null then
        v_context := chat.context(conversation.event_id, conversation.contractor_id, turn.question);
    end if;
    foreach v_pack in array v_packs loop
        v_items := v_items || case
            when v_pack = 'documents' and v_slug is not null then chat.document_items(v_slug, turn.question, query_embedding,
                coalesce((v_agent.retrieval ->> 'max_results')::int, 6),
                coalesce((v_agent.retrieval ->> 'budget_tokens')::int, 1200))
            when v_pack <> 'documents' and v_context is not null then chat.items_of(v_pack, v_context, turn.question)
            else '[]' end;
    end loop;
    return jsonb_build_object('clock', turn.clock, 'time_zone', v_context #>> '{event,time_zone}',
        'event', v_context #> '{event,title}', 'status', v_context #> '{event,status}',
        'contractor', v_context #> '{contractor,name}', 'items', (
            select coalesce(jsonb_agg(i.item || jsonb_build_object('id', i.letter || i.n) order by i.place), '[]')
            from (
                select f.item, f.place, l.letter, row_number() over (partition by l.letter order by f.place) as n
                from (
                    -- What two packs have in common is there once.
                    select distinct on (e.item ->> 'kind', e.item ->> 'of', e.item ->> 'starts_at') e.item, e.place
                    from jsonb_array_elements(v_items) with ordinality as e (item, place)
                    order by e.item ->> 'kind', e.item ->> 'of', e.item ->> 'starts_at', e.place
                ) as f
                cross join lateral (
                    select case f.item ->> 'kind' when 'session' then 'S' when 'sponsor' then 'P' when 'action_item' then 'A'
                        when 'partner' then 'M' when 'learning' then 'L' when 'plan_step' then 'T' when 'event' then 'E'
                        else 'D' end as letter) as l
            ) as i));
end
$$;

comment on function chat.make_bundle(chat.turns, chat.conversations, extensions.vector) is
    'What the answer of a turn may be drawn from: {clock, time_zone, event, status, contractor, items[{id, kind, of, title, text, url,
…}]}. Errors: those of chat.context and knowledge.search.';
-- Granted to nobody: turns call it.
