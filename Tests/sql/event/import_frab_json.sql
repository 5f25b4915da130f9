-- frab's JSON with all that its writers leave out, add or write otherwise.
begin;
select no_plan();

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

create function test.frab(sessions jsonb, conference jsonb default '{}') returns text language sql as $$
    select jsonb_build_object('schedule', jsonb_build_object('conference', jsonb_build_object(
        'acronym', 'quirks', 'title', 'Quirks', 'time_zone_name', 'Europe/Berlin', 'days', jsonb_build_array(
            jsonb_build_object('date', '2027-05-03', 'rooms', jsonb_build_object('Red', sessions)))) || conference))::text
$$;

-- Imports one session and gives it back.
create function test.one(session jsonb) returns setof event.event_speakers language plpgsql as $$
begin
    perform test.import(test.frab(jsonb_build_array('{"guid": "one", "title": "One", "start": "10:00"}'::jsonb || session)));
    return query select s.* from event.event_speakers as s join event.events as e using (event_id) where e.slug = 'quirks' and s.source_key = 'one';
end
$$;

-- Imports one session with these persons and gives back their names.
create function test.speakers(persons jsonb) returns text[] language plpgsql as $$
declare
    v_session uuid;
begin
    select o.session_id into v_session from test.one(jsonb_build_object('persons', persons)) as o;
    return array(select p.name from event.session_speakers as l join event.speakers as p using (speaker_id) where l.session_id = v_session order by l.position);
end
$$;

-- All of it, once.
select is(test.import('{"$schema": "https://example.org/schema.json", "generator": {"name": "frab"}, "schedule": {"version": "Gacrux", "base_url": "https://example.org/2027/",
    "conference": {"acronym": "FULL", "title": "A full one", "start": "2027-05-03", "end": "2027-05-04", "daysCount": 2, "timeslot_duration": "00:15",
        "time_zone_name": "Europe/Berlin", "colors": {"primary": "#ffffff"},
        "tracks": [{"name": "Tools", "slug": "tools", "color": "#ff0000"}, {"name": "Unused", "color": null}, "Bare"],
        "rooms": [{"name": "Red", "guid": null, "capacity": 200}, {"name": "Closed"}],
        "days": [
            {"index": 1, "date": "2027-05-03", "day_start": "2027-05-03T09:00:00+02:00", "day_end": "2027-05-04T03:00:00+02:00", "rooms": {
                "Red": [{"id": 11, "guid": "g-11", "code": "ABCDEF", "logo": null, "date": "2027-05-03T10:00:00+02:00", "start": "10:00", "duration": "01:30", "room": "Red",
                    "slug": "full-11-first", "url": "https://example.org/11", "title": " First ", "subtitle": "of all", "track": "Tools", "type": "lecture", "language": "en",
                    "abstract": "<p>Short &amp; sweet</p>", "description": "Long", "recording_license": "", "do_not_record": true, "feedback_url": "x", "answers": [],
                    "persons": [{"id": 1, "guid": "p-1", "code": "XYZ", "name": "Ada Lang", "public_name": "Ada", "avatar": null, "biography": "Not kept", "answers": []}],
                    "links": [{"url": "x", "title": "y"}], "attachments": []}],
                "Blue": []}},
            {"index": 2, "date": "2027-05-04", "day_start": "2027-05-04T09:00:00+02:00", "day_end": "2027-05-05T03:00:00+02:00", "rooms": []}]}}}') - 'event_id',
    '{"event": "full", "format": "frab JSON", "time_zone": "Europe/Berlin", "time_zone_from": "file", "sessions": 1, "added": 1, "changed": 0, "cancelled": 0,
      "unchanged": 0, "rooms": 3, "tracks": 3, "speakers": 1, "days": 2}', 'A file with everything is imported');
select results_eq($q$ select slug::text, title, version, url, starts_at, ends_at from event.events where slug = 'full' $q$,
    $q$ values ('full', 'A full one', 'Gacrux', 'https://example.org/2027/', timestamptz '2027-05-03 00:00+02', timestamptz '2027-05-05 00:00+02') $q$,
    'The event is the conference, its slug the acronym in lower case');
select results_eq($q$ select s.source_key, s.session_title, s.subtitle, s.session_start, s.session_end, s.room, s.track, s.session_type, s.language, s.abstract, s.description, s.url
        from event.event_speakers as s join event.events as e using (event_id) where e.slug = 'full' $q$,
    $q$ values ('g-11', 'First', 'of all', timestamptz '2027-05-03 10:00+02', timestamptz '2027-05-03 11:30+02', 'Red', 'Tools', 'lecture', 'en', 'Short & sweet', 'Long', 'https://example.org/11') $q$,
    'The session has every field');
select results_eq($q$ select p.source_key, p.name from event.speakers as p join event.events as e using (event_id) where e.slug = 'full' $q$,
    $q$ values ('p-1', 'Ada') $q$, 'The speaker has the public name, and nothing that was not asked for');
select results_eq($q$ select t.name, t.color from event.tracks as t join event.events as e using (event_id) where e.slug = 'full' order by 1 $q$,
    $q$ values ('Bare', null), ('Tools', '#ff0000'), ('Unused', null) $q$, 'Tracks are kept with their colors, used or not');

-- Nothing at all.
select is(test.import('{"schedule": {"conference": {"acronym": "bare", "time_zone_name": "UTC", "days": []}}}') - 'event_id',
    '{"event": "bare", "format": "frab JSON", "time_zone": "UTC", "time_zone_from": "file", "sessions": 0, "added": 0, "changed": 0, "cancelled": 0,
      "unchanged": 0, "rooms": 0, "tracks": 0, "speakers": 0, "days": 0}', 'A conference without sessions is one');
select is((select title from event.events where slug = 'bare'), 'bare', 'and is called by its acronym if it has no title');
select is(test.import('{"schedule": {"conference": {"days": [{"rooms": []}]}}}', 'given', 'UTC') ->> 'event', 'given', 'Slug and zone may both be the caller''s');
select is(test.import(test.frab('[]', '{"acronym": "Ünïcode Conf / 2027"}')) ->> 'event', 'unicode-conf-2027', 'An acronym becomes a slug');

-- Fields missing, empty, null, or of another type.
select is((select session_title from test.one('{}')), 'One', 'Title and start are enough');
select is((select room from test.one('{}')), 'Red', 'The room is the one it is listed under');
select is((select room from test.one('{"room": "Blue"}')), 'Blue', 'unless it names another');
select is((select track from test.one('{"track": ""}')), null, 'An empty track is none');
select is((select track from test.one('{"track": {"en": "Tools", "de": "Werkzeug"}}')), 'Tools', 'Of a name in languages, the English one');
select is((select track from test.one('{"track": {"en": "", "fr": "Outils", "de": "Werkzeug"}}')), 'Werkzeug', 'else the first that is not empty');
select is((select track from test.one('{"track": {"id": 4, "name": "Tools"}}')), 'Tools', 'or the name');
select is((select session_title from test.one('{"title": "", "subtitle": "Second"}')), 'Second', 'Without a title it is its subtitle');
select is((select session_title from test.one('{"title": null, "slug": "one-slug"}')), 'one-slug', 'else its slug');
select is((select session_title from test.one('{"title": 42}')), '42', 'A number is a title too');
select is((select session_title from test.one('{"title": "R&amp;D &#x2019;27 <em>live</em>"}')), 'R&D ’27 live', 'Titles are rid of markup like abstracts');
select is((select subtitle from test.one('{"subtitle": "R&amp;D"}')), 'R&D', 'so are subtitles');
select is((select abstract from test.one('{"abstract": {"en": "English", "de": "Deutsch"}}')), 'English', 'A text in languages is read like a name');
select is((select session_end - session_start from test.one('{"duration": 45}')), interval '45 minutes', 'A duration may be minutes');
select is((select session_end - session_start from test.one('{"duration": "", "end": "2027-05-03T10:20:00+02:00"}')), interval '20 minutes', 'or an end instead');
select is((select session_end - session_start from test.one('{"duration": null}')), interval '0', 'A session without a length is a point');
select is((select session_start from test.one('{"date": "2027-05-04", "start": "9:00"}')), timestamptz '2027-05-04 09:00+02', 'A date and a time of day make an instant');
select is((select session_start from test.one('{"date": "2027-05-03T10:00:00+02:00", "start": "nonsense"}')), timestamptz '2027-05-03 10:00+02', 'An instant needs no start');
select is((select topics from test.one('{"tags": ["Pricing", {"tag": "job costing"}, "", null, "goal:Grow Revenue"]}')), '{job-costing,pricing}', 'Tags are words');
select is((select goals from test.one('{"tags": null, "keywords": ["goal:Grow Revenue"]}')), '{grow-revenue}', 'Keywords are tags; those with a namespace go where it says');

-- Persons.
select is(test.speakers('[{"name": "Ada"}]'), '{Ada}', 'Somebody may speak');
select is(test.speakers(null), '{}', 'Nobody may speak');
select is(test.speakers('[{"full_public_name": "Ada"}, "Bob", {"id": 3, "public_name": "", "name": "Cem"}, {"name": {"en": "Dora"}}]'), '{Ada,Bob,Cem,Dora}',
    'Names come under four names');
select is(test.speakers('[{"id": 2, "name": "B"}, {"id": 1, "name": "A"}, {"id": 2, "name": "B"}]'), '{B,A}', 'in the order of the file, each once');
select is(test.speakers('[{"code": "X", "name": "Ada", "avatar": "x", "biography": "y"}, {"guid": null, "code": "Y", "name": "Ada"}]'), '{Ada,Ada}',
    'Two people may have one name');

-- Every script.
select results_eq($q$ select session_title, abstract from test.one('{"title": "Über 日本語 und 🎉", "abstract": "שלום עולם — مرحبا"}') $q$,
    $q$ values ('Über 日本語 und 🎉', 'שלום עולם — مرحبا') $q$, 'Any script, emoji, and texts from right to left');
select is((select session_title from test.one('{"title": "\ud83c\udf89 caf\u00e9"}')), '🎉 café', 'also when escaped');
select is((select session_title from test.one('{"title": "''; drop table event.events; -- $$ %s %1$I \\"}')), '''; drop table event.events; -- $$ %s %1$I \', 'A title is never a statement or a format');
select is((select room from test.one('{"room": "Saal \"1\" [''x'']"}')), 'Saal "1" [''x'']', 'nor is a room');

-- Byte order mark, line ends, space around.
select is(test.import(E'\uFEFF\r\n\t ' || test.frab('[{"id": 1, "title": "A", "start": "10:00", "abstract": "one\r\ntwo"}]') || E'\r\n') ->> 'sessions', '1',
    'A byte order mark and lines of Windows are no matter');
select is((select abstract from event.event_speakers as s join event.events as e using (event_id) where e.slug = 'quirks' and s.source_key = '1'), E'one\ntwo',
    'and lines end as they should');

-- Rooms and days.
select is(test.import(test.frab('[]', '{"acronym": "rooms", "days": [
        {"date": "2027-05-03", "rooms": {"Red": [{"id": 1, "title": "A", "start": "10:00", "duration": "02:00"}, {"id": 2, "title": "B", "start": "11:00", "duration": "02:00"}], " Blue ": [], "": [{"id": 3, "title": "C", "start": "10:00"}]}},
        {"date": "2027-05-04", "rooms": {"Red": null, "Green": [{"id": 4, "title": "D", "start": "10:00", "room": ""}]}},
        {"date": "2027-05-05"}]}')) - '{event_id,event,format,time_zone,time_zone_from,tracks,speakers}'::text[],
    '{"sessions": 4, "added": 4, "changed": 0, "cancelled": 0, "unchanged": 0, "rooms": 3, "days": 3}',
    'Sessions may overlap, a room may have none or no name, a day may have no rooms');
select results_eq($q$ select s.source_key, s.room from event.event_speakers as s join event.events as e using (event_id) where e.slug = 'rooms' order by 1 $q$,
    $q$ values ('1', 'Red'), ('2', 'Red'), ('3', null), ('4', 'Green') $q$, 'and each is where it is');

-- A large one: five thousand sessions on five days in fifty rooms.
create function test.large() returns text language sql as $$
    select jsonb_build_object('schedule', jsonb_build_object('conference', jsonb_build_object('acronym', 'large', 'time_zone_name', 'UTC', 'days', (
        select jsonb_agg(jsonb_build_object('date', date '2027-05-03' + d, 'rooms', (
            select jsonb_object_agg('Room ' || r, (
                select jsonb_agg(jsonb_build_object('id', (d * 50 + r) * 20 + i, 'title', format('Talk %s/%s/%s', d, r, i), 'start', to_char(i, 'FM00') || ':00', 'duration', '01:00',
                    'track', 'Track ' || i, 'abstract', repeat('Many words. ', 20), 'persons', jsonb_build_array(jsonb_build_object('id', r, 'name', 'Speaker ' || r))))
                from generate_series(0, 19) as i))
            from generate_series(1, 50) as r)))
        from generate_series(0, 4) as d))))::text
$$;
select is(test.import(test.large()) - '{event_id,event,format,time_zone,time_zone_from}'::text[],
    '{"sessions": 5000, "added": 5000, "changed": 0, "cancelled": 0, "unchanged": 0, "rooms": 50, "tracks": 20, "speakers": 50, "days": 5}', 'Five thousand sessions are imported');
select is(test.import(test.large()) ->> 'unchanged', '5000', 'and again, unchanged');

select * from finish();
rollback;
