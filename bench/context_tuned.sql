-- The same facts as chat.context in one statement, as someone writes it who has measured the plain one
-- (context_plain.sql): one look at the sessions for both facets, every index we have, one round trip. Neither
-- explains its scores ("why" is left out). Parameters: event_id, contractor_id.
with e as (
    select * from event.events where event_id = %(event_id)s
), c as (
    select * from contractor.contractors where contractor_id = %(contractor_id)s
), session as (
    select s.session_id, s.session_title, s.session_start, s.session_end, s.room, r.zone as room_zone,
        s.track, s.url, string_agg(p.name, ', ' order by l.position) as speakers,
        event.match_score(contractor.features_of(c), row(lower(s.track), s.topics, s.goals, s.roles,
            s.audience, s.regions, s.revenue_bands, s.embedding)::event.tag_set) as score,
        s.session_start at time zone e.time_zone <= now() at time zone e.time_zone as started
    from e
    join event.event_speakers as s using (event_id)
    join contractor.contractors as c on c.contractor_id = %(contractor_id)s
    left join event.rooms as r on r.event_id = s.event_id and r.name = s.room
    left join event.session_speakers as l on l.session_id = s.session_id
    left join event.speakers as p on p.speaker_id = l.speaker_id
    where s.cancelled_at is null
        and s.session_end at time zone e.time_zone > now() at time zone e.time_zone
        and s.session_start at time zone e.time_zone
            <= (now() at time zone e.time_zone) + interval '60 minutes'
    group by s.session_id, r.zone, c.contractor_id, e.time_zone
), sponsor as (
    select s.sponsor_id, s.key, s.name, s.tier, s.booth, s.booth_zone, s.topics, s.offers, s.url,
        0.55 * coalesce(l.likeness / nullif(max(l.likeness) over (), 0), 0)
        + 0.2 * case s.tier when 'platinum' then 1 when 'gold' then 0.7 when 'silver' then 0.4 else 0.2 end
        + 0.2 * case when s.booth_zone = (
                select room_zone from session where not started
                order by score desc, session_start, session_title, session_id limit 1) then 1 else 0 end
        + 0.05 * case when s.topics && c.tech_stack then 1 else 0 end as score
    from e
    join event.event_sponsors as s using (event_id)
    cross join c
    cross join lateral (
        select coalesce(greatest(
            1 - (c.embedding operator(extensions.<=>) s.embedding), 0), 0) as likeness) as l
)
select jsonb_build_object(
    'contractor', (
        select jsonb_build_object('id', c.contractor_id, 'name', c.name,
            'features', to_jsonb(contractor.features_of(c)) - 'embedding',
            'action_items', (
                select coalesce(jsonb_agg(i order by i.due_at nulls last, i.created_at, i.action_item_id),
                    '[]')
                from (select a.action_item_id, a.title, a.details, a.due_at, a.status, a.created_at
                      from contractor.contractor_action_items as a
                      where a.contractor_id = c.contractor_id and a.event_id = e.event_id
                          and a.status in ('open', 'in_progress')
                      order by a.due_at nulls last, a.created_at, a.action_item_id limit 12) as i))
        from c),
    'event', jsonb_build_object('id', e.event_id, 'slug', e.slug, 'title', e.title,
        'time_zone', e.time_zone, 'clock', now(),
        'status', event.status_at(e.starts_at, e.ends_at, e.follow_up_days, now()),
        'now_sessions', (select coalesce(jsonb_agg(t), '[]') from (
            select * from session where started
            order by score desc, session_start, session_title, session_id limit 12) as t),
        'next60_sessions', (select coalesce(jsonb_agg(t), '[]') from (
            select * from session where not started
            order by score desc, session_start, session_title, session_id limit 12) as t),
        'sponsor_shortlist', (select coalesce(jsonb_agg(t), '[]') from (
            select * from sponsor order by score desc, name, sponsor_id limit 12) as t)))
from e
