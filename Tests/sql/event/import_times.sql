-- When a session is: zones given, missing and contradicting; midnight; the two days a year that have no 24 hours.
begin;
select no_plan();
-- None of it may depend on how the caller's session shows or reads dates.
set local time zone 'America/Los_Angeles';
set local datestyle = 'SQL, DMY';

create function test.import(document text, event_slug text default null, time_zone text default null) returns jsonb language plpgsql as $$
declare
    v_report jsonb;
begin
    perform test.act_as('acme', 'olga');
    v_report := event.import_schedule(document, event_slug, time_zone);
    perform test.act_as_superuser();
    return v_report;
end
$$;

-- One day in one room, in frab JSON; the second argument adds to the conference or overrules it.
create function test.frab(sessions jsonb, conference jsonb default '{}') returns text language sql as $$
    select jsonb_build_object('schedule', jsonb_build_object('conference', jsonb_build_object(
        'acronym', 'times', 'title', 'Times', 'days', jsonb_build_array(
            jsonb_build_object('date', '2027-05-03', 'rooms', jsonb_build_object('Red', sessions)))) || conference))::text
$$;

create view test.sessions as
    select s.session_title as title, s.session_start at time zone e.time_zone as starts, s.session_end at time zone e.time_zone as ends,
        s.session_start, s.session_end, s.session_end - s.session_start as length, e.slug
    from event.event_speakers as s join event.events as e using (event_id) where s.cancelled_at is null;

-- The zone: the caller's, else the file's, else what the offsets of its times agree on.
select is(test.import(test.frab('[{"id": 1, "title": "A", "date": "2027-05-03T10:00:00+02:00"}]', '{"time_zone_name": "Europe/Berlin"}'))
        - '{event_id,added,changed,unchanged,cancelled,rooms,tracks,speakers,days,sessions}'::text[],
    '{"event": "times", "format": "frab JSON", "time_zone": "Europe/Berlin", "time_zone_from": "file"}', 'A file may name its zone');
select is(test.import(test.frab('[{"id": 1, "title": "A", "start": "10:00"}]', '{"time_zone_name": "Europe/Berlin"}'), 'times', 'America/New_York')
        ->> 'time_zone_from', 'caller', 'The caller''s zone wins');
select is((select session_start from test.sessions where slug = 'times'), timestamptz '2027-05-03 14:00Z', 'and local times are read in it');
select is(test.import(test.frab('[{"id": 1, "title": "A", "date": "2027-05-03T10:00:00+02:00"}]'))
        ->> 'time_zone', 'Etc/GMT-2', 'Without a zone it is the offset all times share');
select is(test.import(test.frab('[{"id": 1, "title": "A", "date": "2027-05-03T10:00:00-05:00"}]'))
        ->> 'time_zone', 'Etc/GMT+5', 'also west of Greenwich');
select is((select starts from test.sessions where slug = 'times'), timestamp '2027-05-03 10:00', 'In it, the local time is the file''s');
select is(test.import(test.frab('[{"id": 1, "title": "A", "date": "2027-05-03T10:00:00-05:00"}, {"id": 2, "title": "B", "date": "2027-05-03T10:00:00+01:00"}]'))
        ->> 'time_zone', 'UTC', 'Times that share none are shown in UTC');
select is((select count(distinct session_start) from test.sessions where slug = 'times'), 2::bigint, 'and are different instants');
select throws_ok($q$ select test.import(test.frab('[{"id": 1, "title": "A", "start": "10:00"}]')) $q$, 'QC203',
    'the schedule names no time zone and its times have no offset', 'Without zone and offset it is refused');
select throws_ok($q$ select test.import(test.frab('[]', '{"time_zone_name": "Mars/Olympus"}')) $q$, 'QC203',
    '"Mars/Olympus" is no time zone this server knows', 'So is a zone that is none');
select lives_ok($q$ select test.import(test.frab('[]', '{"time_zone_name": "Mars/Olympus"}'), null, 'Europe/Berlin') $q$, 'unless the caller knows better');
select throws_ok($q$ select test.import(test.frab('[]', '{"time_zone_name": "Europe/Berlin"}'), null, $z$CET$z$) $q$, 'QC203',
    '"CET" is no time zone this server knows', 'An abbreviation is no zone: its summer is unknown');
select throws_ok($q$ select test.import(test.frab('[]'), null, '') $q$, 'QC203', null, 'Nor is an empty text');

-- Midnight.
select test.import(test.frab('[
    {"id": 1, "title": "Late",      "start": "23:30", "duration": "01:30"},
    {"id": 2, "title": "Later",     "start": "00:30", "duration": "01:00"},
    {"id": 3, "title": "Latest",    "start": "3:59:00", "duration": "00:02"},
    {"id": 4, "title": "Breakfast", "start": "04:00", "duration": "01:00"},
    {"id": 5, "title": "Two days",  "start": "12:00", "duration": "1:12:00"},
    {"id": 6, "title": "A point",   "start": "12:00"},
    {"id": 7, "title": "Nothing",   "start": "12:00", "duration": ""},
    {"id": 8, "title": "Until",     "date": "2027-05-03T12:00:00+02:00", "end": "2027-05-04T01:00:00+02:00"}
]', '{"time_zone_name": "Europe/Berlin", "day_change": "04:00"}'), 'night');
select results_eq($q$ select title, starts, ends from test.sessions where slug = 'night' order by starts, title $q$, $q$ values
    ('Breakfast', timestamp '2027-05-03 04:00', timestamp '2027-05-03 05:00'),
    ('A point',   '2027-05-03 12:00', '2027-05-03 12:00'),
    ('Nothing',   '2027-05-03 12:00', '2027-05-03 12:00'),
    ('Two days',  '2027-05-03 12:00', '2027-05-05 00:00'),
    ('Until',     '2027-05-03 12:00', '2027-05-04 01:00'),
    ('Late',      '2027-05-03 23:30', '2027-05-04 01:00'),
    ('Later',     '2027-05-04 00:30', '2027-05-04 01:30'),
    ('Latest',    '2027-05-04 03:59', '2027-05-04 04:01') $q$,
    'The small hours belong to the day before; a session crosses midnight in one piece; without a length it is a point');

-- Clocks go forward: 28 March 2027 in Berlin has no 02:30.
select test.import(test.frab('[]', '{"time_zone_name": "Europe/Berlin", "start": "2027-03-28", "end": "2027-03-28", "days": [{"date": "2027-03-28", "rooms": {"Red": [
    {"id": 1, "title": "Before", "start": "01:30", "duration": "00:20"},
    {"id": 2, "title": "Across", "start": "01:30", "duration": "02:00"},
    {"id": 3, "title": "After",  "start": "03:30", "duration": "01:00"},
    {"id": 4, "title": "A day",  "start": "00:00", "duration": "P1D"}]}}]}'), 'spring');
select results_eq($q$ select title, starts, ends, length from test.sessions where slug = 'spring' order by title $q$, $q$ values
    ('A day',  timestamp '2027-03-28 00:00', timestamp '2027-03-29 01:00', interval '24 hours'),
    ('Across', '2027-03-28 01:30', '2027-03-28 04:30', '2 hours'),
    ('After',  '2027-03-28 03:30', '2027-03-28 04:30', '1 hour'),
    ('Before', '2027-03-28 01:30', '2027-03-28 01:50', '20 minutes') $q$,
    'A length is what passes, whatever clocks show');
select results_eq($q$ select e.ends_at - e.starts_at, d.ends_at - d.starts_at from event.events as e join event.event_days as d using (event_id) where e.slug = 'spring' $q$,
    -- To the end of the session of 24 hours, which is an hour past the day's own end.
    $q$ values (interval '24 hours', interval '23 hours') $q$, 'The day has 23 hours');

-- And back: 31 October 2027 has 02:30 twice.
select test.import(test.frab('[]', '{"time_zone_name": "Europe/Berlin", "start": "2027-10-31", "end": "2027-10-31", "days": [{"date": "2027-10-31", "rooms": {"Red": [
    {"id": 1, "title": "Before", "start": "01:30", "duration": "00:20"},
    {"id": 2, "title": "Across", "start": "01:30", "duration": "02:00"},
    {"id": 3, "title": "First",  "date": "2027-10-31T02:30:00+02:00", "duration": "00:10"},
    {"id": 4, "title": "Second", "date": "2027-10-31T02:30:00+01:00", "duration": "00:10"},
    {"id": 5, "title": "After",  "start": "03:30", "duration": "01:00"}]}}]}'), 'autumn');
select results_eq($q$ select title, starts, ends, length from test.sessions where slug = 'autumn' order by session_start, title $q$, $q$ values
    ('Across', timestamp '2027-10-31 01:30', timestamp '2027-10-31 02:30', interval '2 hours'),
    ('Before', '2027-10-31 01:30', '2027-10-31 01:50', '20 minutes'),
    ('First',  '2027-10-31 02:30', '2027-10-31 02:40', '10 minutes'),
    ('Second', '2027-10-31 02:30', '2027-10-31 02:40', '10 minutes'),
    ('After',  '2027-10-31 03:30', '2027-10-31 04:30', '1 hour') $q$, 'Two hours from half past one end at half past two');
select is((select session_start from test.sessions where slug = 'autumn' and title = 'Second')
        - (select session_start from test.sessions where slug = 'autumn' and title = 'First'), interval '1 hour', 'The same clock time twice is an hour apart');
select is((select ends_at - starts_at from event.events where slug = 'autumn'), interval '25 hours', 'The day has 25 hours');

-- What the conference says of its own bounds.
select test.import(test.frab('[{"id": 1, "title": "A", "start": "10:00", "duration": "01:00"}]',
    '{"time_zone_name": "Europe/Berlin", "start": "2027-05-03T09:00:00+02:00", "end": "2027-05-03T18:00:00+02:00"}'), 'bounds');
select results_eq($q$ select starts_at, ends_at from event.events where slug = 'bounds' $q$,
    $q$ values (timestamptz '2027-05-03 07:00Z', timestamptz '2027-05-03 16:00Z') $q$, 'An event begins and ends when its conference does');
select test.import(test.frab('[{"id": 1, "title": "A", "start": "08:00", "duration": "12:00"}]',
    '{"time_zone_name": "Europe/Berlin", "start": "2027-05-03T09:00:00+02:00", "end": "2027-05-03T18:00:00+02:00"}'), 'bounds');
select results_eq($q$ select starts_at, ends_at from event.events where slug = 'bounds' $q$,
    $q$ values (timestamptz '2027-05-03 06:00Z', timestamptz '2027-05-03 18:00Z') $q$, 'or with the first and last session, if these are earlier and later');
select test.import(test.frab('[{"id": 1, "title": "A", "start": "10:00", "duration": "01:00"}]', '{"time_zone_name": "Europe/Berlin", "start": "soon"}'), 'bounds');
select results_eq($q$ select starts_at, ends_at from event.events where slug = 'bounds' $q$,
    $q$ values (timestamptz '2027-05-03 08:00Z', timestamptz '2027-05-03 09:00Z') $q$, 'Without bounds it is its sessions');

-- Days.
select test.import(test.frab('[]', '{"time_zone_name": "Europe/Berlin", "days": [
    {"date": "2027-05-04", "day_start": "2027-05-04T09:00:00+02:00", "day_end": "2027-05-05T03:00:00+02:00", "rooms": {}},
    {"date": "2027-05-03", "day_start": "2027-05-03T06:00:00", "rooms": []},
    {"date": "2027-05-04", "day_end": "2027-05-05T04:00:00+02:00", "rooms": {}},
    {"day_start": "2027-05-04T23:00:00+00:00", "rooms": {}}]}'), 'days');
select results_eq($q$ select d.day_index, d.date, d.starts_at at time zone e.time_zone, d.ends_at at time zone e.time_zone
        from event.event_days as d join event.events as e using (event_id) where e.slug = 'days' order by 1 $q$, $q$ values
    (1, date '2027-05-03', timestamp '2027-05-03 06:00', timestamp '2027-05-04 00:00'),
    (2, '2027-05-04', '2027-05-04 09:00', '2027-05-05 04:00'),
    (3, '2027-05-05', '2027-05-05 01:00', '2027-05-06 00:00') $q$,
    'Days stand in order, once each, with their own bounds or from midnight to midnight; one without a date has that of its start');

select * from finish();
rollback;
