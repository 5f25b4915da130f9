-- Security invoker: row-level security decides which events can be named at all.
create or replace function event.event_id(slug text)
    returns uuid
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event_id uuid := (
        select e.event_id
        from event.events as e
        where e.slug = lower(event_id.slug) and e.tenant_id = (select access.tenant_id()));
begin
    if v_event_id is null then
        perform access.refuse('QC201', format('there is no event "%s"', slug),
            'Events are listed in event.events.');
    end if;
    return v_event_id;
end
$$;

comment on function event.event_id(text) is
    'The id of the event with this slug. Errors: QC201 unknown event.';

grant execute on function event.event_id(text) to concierge_app;

create or replace function event.require(event_id uuid)
    returns event.events
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event event.events;
begin
    if event_id is null then
        perform access.refuse('22004', 'an event is required',
            'Pass event_id, for example event.event_id(''my-conference'').');
    end if;
    -- Definer, so that the token is checked once: the tenant is named here, a policy would ask for it again.
    select e.* into v_event from event.events as e
    where e.event_id = require.event_id and e.tenant_id = (select access.tenant_id());
    if v_event.event_id is null then
        perform access.refuse('QC201', format('there is no event %s', event_id),
            'Events are listed in event.events.');
    end if;
    return v_event;
end
$$;

comment on function event.require(uuid) is
    'The event, if the signed-in person''s tenant has it. Errors: 22004 null, QC201 unknown event.';

grant execute on function event.require(uuid) to concierge_app;
