-- What a reader sees of a session. Both materialized views and every exact read select from here, so that the
-- cached and the computed row cannot differ.
create or replace view event.session_details with (security_invoker) as
select
    s.session_id,
    s.tenant_id,
    s.event_id,
    s.session_title,
    s.session_start,
    s.session_end,
    s.room,
    r.zone as room_zone,
    s.track,
    s.session_type,
    s.language,
    s.abstract,
    s.url,
    coalesce((
        select array_agg(p.name order by l.position)
        from event.session_speakers as l
        join event.speakers as p using (speaker_id)
        where l.session_id = s.session_id
    ), '{}') as speakers,
    s.topics,
    s.goals,
    s.roles,
    s.audience,
    s.regions,
    s.revenue_bands,
    s.embedding
from event.event_speakers as s
left join event.rooms as r on r.event_id = s.event_id and r.name = s.room
where s.cancelled_at is null;

comment on view event.session_details is 'Sessions that stand, with room zone and speakers'' names in order.';

grant select on event.session_details to concierge_app;

-- The same for readers in a hurry: as session_details, but the token is checked once, not for each of
-- its four tables.
create or replace view event.tenant_sessions with (security_barrier) as
select d.* from event.session_details as d where d.tenant_id = (select access.tenant_id());

comment on view event.tenant_sessions is 'session_details, the signed-in tenant''s rows.';

grant select on event.tenant_sessions to concierge_app;
