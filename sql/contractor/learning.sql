create or replace function contractor.import_learning(document jsonb)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id uuid := access.tenant_id();
    v_wrong     text;
    v_count     bigint;
begin
    perform access.require_role('organizer');
    if jsonb_typeof(document) is distinct from 'array' then
        perform access.refuse('QC205', 'learning items are a JSON array', 'Each has key, kind and title; see contractor.learning_items.');
    end if;
    select format('[%s].chapters[%s]', i.place - 1, c.place - 1) into v_wrong
    from jsonb_array_elements(document) with ordinality as i (item, place)
    cross join lateral jsonb_array_elements(case when jsonb_typeof(i.item -> 'chapters') = 'array' then i.item -> 'chapters'
        else '[]' end) with ordinality as c (chapter, place)
    where nullif(c.chapter ->> 'title', '') is null or coalesce(jsonb_typeof(c.chapter -> 'starts_at'), 'number') <> 'number'
        or coalesce(jsonb_typeof(c.chapter -> 'page'), 'number') <> 'number' or (c.chapter ->> 'starts_at')::numeric < 0
    limit 1;
    if v_wrong is not null then
        perform access.refuse('QC204', format('a learning item is malformed at %s', v_wrong),
            'A chapter is {"title", "starts_at": seconds or "page": number}.');
    end if;
    insert into contractor.learning_items as l (tenant_id, key, kind, title, creator, url, topics, goals, description, chapters,
        embedding)
    select v_tenant_id, i.key, i.kind, i.title, i.creator, i.url, event.lower_words(i.topics), event.lower_words(i.goals),
        i.description, coalesce(i.chapters, '[]'),
        model.embed_offline(concat_ws(' ', i.title, array_to_string(i.topics, ' '), array_to_string(i.goals, ' '), i.description))
    from jsonb_to_recordset(document) as i (key text, kind text, title text, creator text, url text, topics text[], goals text[],
        description text, chapters jsonb)
    on conflict (tenant_id, key) do update
        set kind = excluded.kind, title = excluded.title, creator = excluded.creator, url = excluded.url,
            topics = excluded.topics, goals = excluded.goals, description = excluded.description,
            chapters = excluded.chapters, embedding = excluded.embedding;
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

comment on function contractor.import_learning(jsonb) is
    'Adds or updates the tenant''s learning items by their keys, from an array of {key, kind, title, creator, url, topics, goals,
description, chapters[{title, starts_at or page}]}; returns how many. Errors: QC401-QC403, QC204 malformed, QC205, QC405, 23502, 23514.';

grant execute on function contractor.import_learning(jsonb) to concierge_app;

-- Where to begin: the chapter whose title is nearest to what is asked, else to what the contractor is after.
create or replace function contractor.best_chapter(chapters jsonb, about extensions.vector)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select c.chapter
    from jsonb_array_elements(chapters) with ordinality as c (chapter, place)
    order by coalesce(1 - (model.embed_offline(c.chapter ->> 'title') operator(extensions.<=>) about), 0) desc, c.place
    limit 1;
end;

comment on function contractor.best_chapter(jsonb, extensions.vector) is 'Of chapters the one that is nearest; the first where none is.';

grant execute on function contractor.best_chapter(jsonb, extensions.vector) to concierge_app;

create or replace function contractor.learning(contractor_id uuid, question text default null, max_items int default 5)
    returns table (
        learning_item_id uuid, key text, kind text, title text, creator text, url text, chapter jsonb,
        score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_topic      extensions.vector := model.embed_offline(case when question is not null then chat.topic(question) end);
    v_about      extensions.vector := coalesce(v_topic, v_contractor.embedding);
begin
    return query
        select l.learning_item_id, l.key::text, l.kind, l.title, l.creator, l.url, contractor.best_chapter(l.chapters, v_about),
            w.score, event.explain_sum('{goal,similarity,tech_stack}', array[v.goal, v.likeness, v.tools]::real[], '{0.3,0.5,0.2}')
        from contractor.learning_items as l
        cross join lateral (
            select
                case when v_contractor.goal = any (l.goals) then 1 else 0 end::double precision as goal,
                coalesce(greatest(1 - (v_about operator(extensions.<=>) l.embedding), 0), 0) as likeness,
                case when l.topics && v_contractor.tech_stack then 1 else 0 end::double precision as tools
        ) as v
        cross join lateral (select 0.3 * v.goal + 0.5 * v.likeness + 0.2 * v.tools as score) as w
        where l.tenant_id = v_contractor.tenant_id
        order by w.score desc, l.title, l.learning_item_id
        limit max_items;
end
$$;

comment on function contractor.learning(uuid, text, int) is
    'What a contractor had better read, hear or watch, best first: goal 0.3, likeness to the question''s topic, or else to their
profile, 0.5, tools they use 0.2, with score in [0,1], why, and the chapter to begin with {title, starts_at or page}.
Errors: 22004 null, QC202 unknown contractor, QC405 someone else''s.';

grant execute on function contractor.learning(uuid, text, int) to concierge_app;
