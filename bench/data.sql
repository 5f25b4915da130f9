-- Twenty-one conferences, one every twelve hours, so that three of them are on at this moment. The first is
-- asked about: 60 rooms, in each one session after the other, begun eight hours ago and done in nine, so that
-- at every instant 60 sessions run and 60 start within the hour. Deterministic but for ids and the hour.
set search_path = pg_catalog, pg_temp;
select setseed(0.5);

select access.create_token_key('bench');
select access.create_tenant('bench-' || n, 'Bench ' || n) from generate_series(0, 3) as n;
select access.create_person('bench-0', 'app', 'The app', '{service}');

-- Words as sessions and people use them: texts drawn from one subject are alike, those of two are not.
create temp table subject as
select row_number() over () - 1 as n, s.name, string_to_array(s.words, ' ') as words
from (values
    ('Building Science',
        'insulation air-sealing blower-door moisture ventilation attic envelope retrofits windows drafts'),
    ('Heat Pumps',
        'heat-pumps cold-climate load-calculation commissioning refrigerant ducts electrification defrost sizing rebates'),
    ('Grow the Business',
        'margins pricing estimating leads referrals hiring onboarding cash-flow marketing reviews'),
    ('Tools',
        'quickbooks jobber scheduling drones scanning cameras laser-levels batteries apps tablets'),
    ('Safety',
        'ladders silica lead-paint asbestos training insurance incident scaffolds respirators heat'),
    ('Design',
        'kitchens baths cabinets tile lighting accessibility layouts finishes islands color'),
    ('Solar',
        'solar inverters storage panels wiring permits interconnection batteries mounting shade'),
    ('Roofing',
        'roofs shingles flashing gutters hail metal underlayment ice-dams skylights warranties')
) as s (name, words);

create temp table wording as
select w.n, s.name as track, s.words[1 + w.n % 3 : 3 + w.n % 3] as topics,
    (select string_agg(drawn.word, ' ') from (
        select case when i is null or random() < 0.7 then s.words[1 + (random() * 9)::int]
                    else (array['plan','crew','client','budget','season','permit','winter','county','house',
                        'field'])[1 + (random() * 9)::int]
               end as word
        from generate_series(1, 14 + w.n % 5) as i) as drawn) as text
from generate_series(0, 399) as w (n)
join subject as s on s.n = w.n % 8;

create temp table text_of as
select w.*, model.embed_offline(w.text) as embedding from wording as w;
create unique index on text_of (n);
analyze text_of;

create temp table conference as
select n, gen_random_uuid() as event_id, t.tenant_id, date_trunc('hour', now()) - interval '8 hours'
        + case when n = 0 then 0 else n - 10.5 end * interval '12 hours' as opens
from generate_series(0, 20) as n
join access.tenants as t on t.slug = 'bench-' || case when n = 0 then 0 else n % 4 end;

insert into event.events (event_id, tenant_id, slug, title, time_zone, starts_at, ends_at)
select event_id, tenant_id, 'bench-' || n, 'Conference ' || n,
    (array['America/Denver', 'Europe/Berlin', 'UTC'])[1 + n % 3], opens, opens + interval '18 hours'
from conference;

insert into event.rooms (event_id, tenant_id, name, zone)
select event_id, tenant_id, 'Room ' || r, chr(65 + r % 6)
from conference cross join generate_series(1, 60) as r;

insert into event.tracks (event_id, tenant_id, name)
select event_id, tenant_id, s.name from conference cross join subject as s;

-- In room r the session k starts on the quarter hour that r falls on, and lasts until the next one.
insert into event.event_speakers (
    tenant_id, event_id, source_key, session_title, session_start, session_end, room, track, session_type,
    language, abstract, url, topics, goals, roles, audience, regions, revenue_bands, embedding)
select c.tenant_id, c.event_id, 's-' || k, initcap(left(t.text, 40)) || ' ' || k,
    x.start, x.start + interval '1 hour', 'Room ' || 1 + k % 60,
    t.track, 'talk', 'en', repeat(t.text || '. ', 3), 'https://example.com/sessions/' || k, t.topics,
    array[(array['enter-energy-retrofits', 'grow-revenue', 'reduce-risk', 'hire', 'new-tools'])
        [1 + (random() * 4)::int]],
    case when random() < 0.5
         then array[(array['owner', 'estimator', 'crew-lead', 'designer'])[1 + (random() * 3)::int]]
         else '{}' end,
    case when random() < 0.4 then array['small', 'medium'] else '{}' end,
    case when random() < 0.2 then array['mountain'] else '{}' end,
    case when random() < 0.2 then array['1m-5m'] else '{}' end,
    t.embedding
from conference as c
cross join generate_series(0, 999) as k
cross join lateral (
    select c.opens + (k / 60) * interval '1 hour' + (k % 4) * interval '15 minutes' as start) as x
join text_of as t on t.n = (k * 7 + c.n * 13) % 400;

insert into event.speakers (event_id, tenant_id, source_key, name)
select event_id, tenant_id, 'p-' || p, 'Speaker ' || p
from conference cross join generate_series(1, 700) as p;

-- One to three speakers a session.
insert into event.session_speakers (session_id, speaker_id, event_id, tenant_id, position)
select s.session_id, p.speaker_id, s.event_id, s.tenant_id, i
from event.event_speakers as s
cross join lateral (select substr(s.source_key, 3)::int as k) as x
cross join generate_series(0, x.k % 3) as i
join event.speakers as p on p.event_id = s.event_id and p.source_key = 'p-' || 1 + (x.k * 3 + i) % 700;

insert into event.event_sponsors (
    tenant_id, event_id, key, name, tier, booth, booth_zone, topics, offers, description, url, embedding)
select c.tenant_id, c.event_id, 'sponsor-' || p.n, 'Sponsor ' || p.n,
    (array['platinum', 'gold', 'silver', 'bronze'])[1 + p.n % 4],
    chr(65 + p.n % 6) || p.n, chr(65 + p.n % 6), t.topics,
    '[{"title": "Show price", "details": "Twelve percent off one order."}]',
    t.text, 'https://example.com/sponsors/' || p.n, t.embedding
from conference as c
cross join generate_series(1, 40) as p (n)
join text_of as t on t.n = (p.n * 11 + c.n) % 400;

-- 20,000 attendees of the first conference.
insert into contractor.contractors (
    tenant_id, key, name, company, goal, role, revenue_band, team_size, region, tech_stack,
    preferred_tracks, profile, embedding)
select c.tenant_id, 'attendee-' || a.n, 'Attendee ' || a.n, 'Company ' || a.n,
    (array['enter-energy-retrofits', 'grow-revenue', 'reduce-risk', 'hire', 'new-tools'])[1 + a.n % 5],
    (array['owner', 'estimator', 'crew-lead', 'designer'])[1 + a.n % 4],
    (array['under-1m', '1m-5m', 'over-5m'])[1 + a.n % 3], 1 + a.n % 60,
    (array['mountain', 'southwest', 'midwest', 'northeast'])[1 + (random() * 3)::int],
    t.topics, array[lower(t.track), lower((select o.name from subject as o where o.n = a.n / 8 % 8))],
    t.text, t.embedding
from conference as c
cross join generate_series(1, 20000) as a (n)
join text_of as t on t.n = a.n % 400
where c.n = 0;

insert into event.event_attendees (event_id, contractor_id, tenant_id)
select c.event_id, a.contractor_id, a.tenant_id
from conference as c join contractor.contractors as a using (tenant_id)
where c.n = 0;

insert into contractor.contractor_action_items (
    tenant_id, contractor_id, event_id, title, due_at, created_at, updated_at)
select a.tenant_id, a.contractor_id, a.event_id, 'Call back booth ' || i, now() + i * interval '1 day',
    now(), now()
from event.event_attendees as a cross join generate_series(1, 3) as i;
