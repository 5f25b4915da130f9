-- Only during or after the event: before it there is nothing to act on. The rule stands here and not in a
-- prompt, so that no model can talk its way around it.
create or replace function contractor.create_action_item(
    contractor_id uuid, event_id uuid, title text, idempotency_key text,
    details text default null, due_at timestamptz default null
)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_event      event.events           := event.require(event_id);
    v_answer     jsonb;
    v_status     text;
    v_item       contractor.contractor_action_items;
begin
    v_answer := access.recall('create_action_item', idempotency_key, jsonb_build_object(
        'contractor_id', contractor_id, 'event_id', event_id, 'title', title, 'details', details,
        -- In one zone: the caller's may be another when the call is repeated.
        'due_at', due_at at time zone 'UTC'));
    if v_answer is not null then
        return v_answer;
    end if;

    v_status := event.status(v_event.event_id);
    if v_status not in ('during_event', 'post_event') then
        perform access.refuse('QC410',
            format('action items for "%s" cannot be made now: it is %s', v_event.slug, v_status),
            case v_status when 'pre_event'
                          then format('It starts at %s.', v_event.starts_at at time zone v_event.time_zone)
                          else format('They could be made until %s days after its end.',
                              v_event.follow_up_days) end);
    end if;
    if nullif(btrim(title), '') is null then
        perform access.refuse('22004', 'an action item needs a title',
            'Say in a few words what is to be done.');
    end if;

    insert into contractor.contractor_action_items (
        tenant_id, contractor_id, event_id, title, details, due_at, created_by, created_at, updated_at)
    values (v_contractor.tenant_id, v_contractor.contractor_id, v_event.event_id,
        btrim(create_action_item.title), create_action_item.details, create_action_item.due_at,
        access.person_id(), access.clock(), access.clock())
    returning * into v_item;
    return access.remember('create_action_item', idempotency_key, to_jsonb(v_item));
end
$$;

comment on function contractor.create_action_item(uuid, uuid, text, text, text, timestamptz) is
    'Adds an action item for a contractor, while the event is during_event or post_event; returns the row as
JSON. Errors: 22004 null contractor, event, title or key, QC201 event, QC202 contractor, QC405 someone
else''s, QC409 key reused, QC410 wrong time, 23514 title too long.';

grant execute on function contractor.create_action_item(uuid, uuid, text, text, text, timestamptz)
    to concierge_app;
