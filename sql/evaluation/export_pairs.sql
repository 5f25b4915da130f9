-- Lines to fine-tune a model with. Only of those who agreed, only what stood up, and once more without what is private: rules may
-- have been added since.
create or replace function evaluation.export_pairs(
    since timestamptz default '-infinity', until timestamptz default 'infinity', agent text default null, min_rating int default 1
)
    returns setof text
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select jsonb_build_object('messages', jsonb_build_array(
            jsonb_build_object('role', 'system', 'content', concat_ws(E'\n\n',
                model.fill_in(p, chat.prompt_values(t, p.variables)), chat.house_rules())),
            jsonb_build_object('role', 'user', 'content', access.redact_for(t.tenant_id,
                chat.messages_for(t, null, t.bundle -> 'items') #>> '{0,content}')),
            jsonb_build_object('role', 'assistant', 'content', access.redact_for(t.tenant_id, t.answer))),
        'metadata', jsonb_build_object('turn_id', t.turn_id, 'agent', a.name, 'agent_version', a.version,
            'prompt_version', p.version, 'model', t.answered_by, 'rating', t.rating))::text
    from chat.turns as t
    join model.agent_versions as a on a.agent_version_id = t.agent_version_id
    join model.prompt_versions as p on p.prompt_version_id = t.prompt_version_id
    join chat.consents as c on c.person_id = t.person_id and c.withdrawn_at is null
    where t.tenant_id = (select access.tenant_id()) and (select access.has_role('organizer', 'service'))
        and t.state = 'done' and t.raw_answer is not null and t.answered_by <> 'offline'
        -- What was given again was said to somebody else, who may not have agreed.
        and t.known_from is null
        and t.asked_at >= since and t.asked_at < until
        and (export_pairs.agent is null or a.name = export_pairs.agent)
        and coalesce(t.rating, 0) >= min_rating
    order by t.asked_at, t.turn_id;
end;

comment on function evaluation.export_pairs(timestamptz, timestamptz, text, int) is
    'JSON lines for supervised fine-tuning, {"messages": [system, user, assistant], "metadata"}: turns of the caller''s tenant that a model
answered for the first time, whose answer stood up, rated min_rating or better (0: unrated ones, too), of people who agreed (chat.consent), redacted once
more. For organizers and services; nothing for others. Errors: QC401-QC403.';

grant execute on function evaluation.export_pairs(timestamptz, timestamptz, text, int) to concierge_app;
