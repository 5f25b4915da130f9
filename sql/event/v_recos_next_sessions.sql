-- Attendees join at read: nothing is stored per attendee. With event and contractor given, the planner
-- reaches one attendee by key and scores the sessions of one hour.
create or replace view event.v_recos_next_sessions with (security_invoker) as
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
    event.weigh_signals(g.value) as score,
    event.explain_score(g.value) as why
from event.event_attendees as a
join contractor.contractors as c using (contractor_id)
cross join lateral event.sessions_next(a.event_id) as s
cross join lateral (
    select event.match_signals(contractor.features_of(c), event.tags_of(s)) as value offset 0) as g;

comment on view event.v_recos_next_sessions is
    'Sessions of the next 60 minutes for every attendee, with score in [0,1] and why. Ask for one
event and contractor.';

grant select on event.v_recos_next_sessions to concierge_app;

-- What this view and the rankings called before explanations were plain expressions.
drop function if exists event.explain_signals(real[], double precision),
    event.explain_parts(text[], real[], real[], double precision);
