-- Everything an answer may be drawn from, as one JSON value: what is not in here, no answerer, offline
-- or model, can say. At most 12 items a facet. Order and content follow from the tables, the clock and
-- the question alone.
create or replace function chat.context(
    event_id uuid, contractor_id uuid, question text default null, top_docs jsonb default '[]'
)
    returns jsonb
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_event      event.events           := event.require(event_id);
    v_features   contractor.feature_set := contractor.features_of(v_contractor);
    v_topic      extensions.vector      := model.embed_offline(
        case when question is not null then chat.topic(question) end);
    v_now        json;
    v_next       json;
begin
    select json_agg(r.item order by r.place) filter (where r.timeframe = 'now'),
        json_agg(r.item order by r.place) filter (where r.timeframe = 'next')
    into v_now, v_next
    from (
        select s.timeframe, s.place, json_build_object('session_id', s.session_id,
            'session_title', s.session_title, 'session_start', s.session_start, 'session_end', s.session_end,
            'room', s.room, 'room_zone', s.room_zone, 'track', s.track,
            'speakers', s.speakers, 'url', s.url, 'score', s.score, 'why', s.why) as item
        from event.rank_sessions(v_event.event_id, v_features, 12, '{now,next}', v_topic) as s
    ) as r;

    -- Put together as text and parsed once: a jsonb is copied into each one around it.
    return json_build_object(
        'contractor', json_build_object(
            'id', v_contractor.contractor_id,
            'name', v_contractor.name,
            'features', to_jsonb(v_features) - 'embedding',
            'action_items', (
                select coalesce(json_agg(i order by i.due_at nulls last, i.created_at, i.action_item_id),
                    '[]')
                from (
                    select a.action_item_id, a.title, a.details, a.due_at, a.status, a.created_at
                    from contractor.contractor_action_items as a
                    where a.contractor_id = v_contractor.contractor_id and a.event_id = v_event.event_id
                        and a.status in ('open', 'in_progress')
                    order by a.due_at nulls last, a.created_at, a.action_item_id
                    limit 12) as i)),
        'general', json_build_object('top_docs', top_docs),
        'event', json_build_object(
            'id', v_event.event_id,
            'slug', v_event.slug,
            'title', v_event.title,
            'time_zone', v_event.time_zone,
            'clock', access.clock(),
            'status', event.status_at(v_event.starts_at, v_event.ends_at, v_event.follow_up_days,
                access.clock()),
            'now_sessions', coalesce(v_now, '[]'),
            'next60_sessions', coalesce(v_next, '[]'),
            'sponsor_shortlist', (
                select coalesce(json_agg(s order by s.score desc, s.name, s.sponsor_id), '[]')
                from event.rank_sponsors(v_event.event_id, v_features, 12, v_next #>> '{0,room_zone}',
                    v_topic) as s)))::jsonb;
end
$$;

comment on function chat.context(uuid, uuid, text, jsonb) is
    'The ConciergeContext: {contractor{id, name, features, action_items}, general{top_docs}, event{id, slug,
title, time_zone, clock, status, now_sessions, next60_sessions, sponsor_shortlist}}, at most 12 items a facet,
sessions and sponsors best first with score and why. The question, when given, brings what it names forward;
top_docs are passages the caller has found for it (chat.top_docs).
Errors: 22004 null, QC201 event, QC202 contractor, QC405 someone else''s.';

grant execute on function chat.context(uuid, uuid, text, jsonb) to concierge_app;

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
