-- The same facts as chat.context, as one would write them first: a query for each facet, the base tables
-- joined, local times compared, speakers collected with string_agg, the same score by the same
-- event.match_score, the same twelve best. They explain no score ("why" is left out). Each query is a round
-- trip; "-- :name" begins one. Parameters: event_id, contractor_id; near, the room zone of the best next
-- session, for the sponsors.

-- :contractor
select c.contractor_id, c.name, c.goal, c.role, c.revenue_band, c.team_size, c.region, c.tech_stack,
    c.preferred_tracks
from contractor.contractors as c
where c.contractor_id = %(contractor_id)s

-- :action_items
select a.action_item_id, a.title, a.details, a.due_at, a.status, a.created_at
from contractor.contractor_action_items as a
where a.contractor_id = %(contractor_id)s and a.event_id = %(event_id)s
    and a.status in ('open', 'in_progress')
order by a.due_at nulls last, a.created_at, a.action_item_id
limit 12

-- :event
select e.event_id, e.slug, e.title, e.time_zone, now() as clock,
    case when now() at time zone e.time_zone < e.starts_at at time zone e.time_zone then 'pre_event'
         when now() at time zone e.time_zone < e.ends_at at time zone e.time_zone then 'during_event'
         when now() at time zone e.time_zone
             < e.ends_at at time zone e.time_zone + e.follow_up_days * interval '1 day' then 'post_event'
         else 'past_event' end as status
from event.events as e
where e.event_id = %(event_id)s

-- :now_sessions
select s.session_id, s.session_title, s.session_start, s.session_end, s.room, r.zone as room_zone, s.track,
    s.url, string_agg(p.name, ', ' order by l.position) as speakers,
    event.match_score(contractor.features_of(c), row(lower(s.track), s.topics, s.goals, s.roles,
        s.audience, s.regions, s.revenue_bands, s.embedding)::event.tag_set) as score
from event.events as e
join event.event_speakers as s using (event_id)
join contractor.contractors as c on c.contractor_id = %(contractor_id)s
left join event.rooms as r on r.event_id = s.event_id and r.name = s.room
left join event.session_speakers as l on l.session_id = s.session_id
left join event.speakers as p on p.speaker_id = l.speaker_id
where e.event_id = %(event_id)s and s.cancelled_at is null
    and s.session_start at time zone e.time_zone <= now() at time zone e.time_zone
    and s.session_end at time zone e.time_zone > now() at time zone e.time_zone
group by s.session_id, r.zone, c.contractor_id
order by score desc, s.session_start, s.session_title, s.session_id
limit 12

-- :next60_sessions
select s.session_id, s.session_title, s.session_start, s.session_end, s.room, r.zone as room_zone, s.track,
    s.url, string_agg(p.name, ', ' order by l.position) as speakers,
    event.match_score(contractor.features_of(c), row(lower(s.track), s.topics, s.goals, s.roles,
        s.audience, s.regions, s.revenue_bands, s.embedding)::event.tag_set) as score
from event.events as e
join event.event_speakers as s using (event_id)
join contractor.contractors as c on c.contractor_id = %(contractor_id)s
left join event.rooms as r on r.event_id = s.event_id and r.name = s.room
left join event.session_speakers as l on l.session_id = s.session_id
left join event.speakers as p on p.speaker_id = l.speaker_id
where e.event_id = %(event_id)s and s.cancelled_at is null
    and s.session_start at time zone e.time_zone > now() at time zone e.time_zone
    and s.session_start at time zone e.time_zone <= (now() at time zone e.time_zone) + interval '60 minutes'
group by s.session_id, r.zone, c.contractor_id
order by score desc, s.session_start, s.session_title, s.session_id
limit 12

-- :sponsor_shortlist
select s.sponsor_id, s.key, s.name, s.tier, s.booth, s.booth_zone, s.topics, s.offers, s.url,
    0.55 * coalesce(l.likeness / nullif(max(l.likeness) over (), 0), 0)
    + 0.2 * case s.tier when 'platinum' then 1 when 'gold' then 0.7 when 'silver' then 0.4 else 0.2 end
    + 0.2 * case when s.booth_zone = %(near)s then 1 else 0 end
    + 0.05 * case when s.topics && c.tech_stack then 1 else 0 end as score
from event.event_sponsors as s
join contractor.contractors as c on c.contractor_id = %(contractor_id)s
cross join lateral (
    select coalesce(greatest(1 - (c.embedding operator(extensions.<=>) s.embedding), 0), 0) as likeness) as l
where s.event_id = %(event_id)s
order by score desc, s.name, s.sponsor_id
limit 12
