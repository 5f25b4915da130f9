-- Attendees join at read: nothing is stored per attendee. With event and contractor given, the planner reaches one attendee
-- by key and scores the sessions of one hour.
drop view if exists event.v_recos_next_sessions cascade;
create view event.v_recos_next_sessions with (security_invoker) as
select
    a.event_id,
    a.contractor_id,
    s.session_id,
    s.session_title,
    s.session_start,
    s.session_end,
    s.room,
    s.track,
    s.speakers,
    s.url,
    event.match_score(contractor.features_of(c), event.tags_of(s)) as score,
    w.why
from event.event_attendees as a
join contractor.contractors as c using (contractor_id)
cross join lateral event.sessions_next(a.event_id) as s
cross join lateral event.explain_signals(event.match_signals(contractor.features_of(c), event.tags_of(s))) as w;

comment on view event.v_recos_next_sessions is
    'Sessions of the next 60 minutes for every attendee, with score in [0,1] and why. Ask for one event and contractor.';

grant select on event.v_recos_next_sessions to concierge_app;
