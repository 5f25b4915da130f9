create or replace function chat.requested_action(message text)
    returns jsonb
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select jsonb_build_object('name', p.value, 'text', left(btrim(m.part[1], E' \t\n.!'), 200))
    from chat.message_patterns as p
    cross join lateral regexp_match(message, p.pattern, 'i') as m (part)
    where p.facet = 'action' and btrim(m.part[1], E' \t\n.!') <> ''
    order by p.weight desc, p.pattern_id
    limit 1;
end;

comment on function chat.requested_action(text) is 'What a message asks to be done, by patterns: {name, text}; null for nothing.';
-- Granted to nobody: chat.plan_by_rules calls it.

-- Rules first: they cost nothing, and can be read. sure says that no model needs to look.
create or replace function chat.plan_by_rules(
    message text, has_event boolean, has_documents boolean, has_agent boolean
)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    -- Materialized, or every mention of what the message wants would have its patterns read once more.
    with found as materialized (
        select chat.intent(message) as intent, chat.classify(message) as class,
            case when has_event then chat.requested_action(message) end as action
    ), wanted as (
        select f.action, case
                when f.action is not null then 'action'
                when f.class = 'small_talk' then 'small_talk'
                when f.intent = 'unknown' and has_documents then 'documents'
                when not has_event then case when has_documents then 'documents' else 'unknown' end
                else f.intent end as intent
        from found as f
    )
    select jsonb_build_object('by', 'rules', 'intent', w.intent, 'sure', w.intent not in ('unknown', 'documents'),
        'packs', case
            when w.intent = 'small_talk' then '[]'
            when w.intent = 'action' then '["action_items"]'
            when w.intent in ('unknown', 'documents')
                then to_jsonb(array_remove(array[case when has_documents then 'documents' end], null))
            -- A model may make something of both.
            else jsonb_build_array(w.intent) || case when has_documents and has_agent then '["documents"]' else '[]'::jsonb end end,
        'action', w.action)
    from wanted as w;
end;

comment on function chat.plan_by_rules(text, boolean, boolean, boolean) is
    'What a message wants: {by, intent, sure, packs[], action{name, text}}; intents are small_talk, action, now, next, sponsors,
action_items, partner, learning, plan, status, documents and unknown.';
-- Granted to nobody: turns call it.
