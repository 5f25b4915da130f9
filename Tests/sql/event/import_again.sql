-- A schedule imported again is an update: what is new is added, what differs is changed, what is gone is cancelled, and what
-- is the same is not written.
begin;
select no_plan();

-- The counts that matter here, as text: added changed cancelled unchanged.
create function test.import(document text, tenant text default 'acme') returns text language plpgsql as $$
declare
    v_report jsonb;
begin
    perform test.act_as(tenant, 'olga');
    v_report := event.import_schedule(document);
    perform test.act_as_superuser();
    return format('+%s ~%s -%s =%s', v_report ->> 'added', v_report ->> 'changed', v_report ->> 'cancelled', v_report ->> 'unchanged');
end
$$;

create function test.frab(sessions jsonb, conference jsonb default '{}') returns text language sql as $$
    select jsonb_build_object('schedule', jsonb_build_object('version', 'v1', 'conference', jsonb_build_object(
        'acronym', 'AGAIN', 'title', 'Again', 'time_zone_name', 'Europe/Berlin', 'days', jsonb_build_array(
            jsonb_build_object('date', '2027-05-03', 'rooms', jsonb_build_object('Red', sessions)))) || conference))::text
$$;

-- Two sessions, of which a test changes one field of the second.
create function test.two(change jsonb default '{}') returns text language sql as $$
    select test.frab(jsonb_build_array(
        '{"guid": "one", "title": "One", "start": "10:00", "duration": "00:30", "track": "Tools", "persons": [{"id": 1, "name": "Ada"}]}'::jsonb,
        '{"guid": "two", "title": "Two", "start": "11:00", "duration": "00:30", "track": "Tools", "abstract": "On tools", "tags": ["pricing", "goal:Grow"],
          "persons": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}]}'::jsonb || change))
$$;

create view test.sessions as
    select d.* from event.session_details as d join event.events as e using (event_id) where e.slug = 'again';

create function test.row_versions() returns text language sql as $$
    select md5(string_agg(v, '|' order by v)) from (
        select 'event' || ctid from event.events          union all select 'day'     || ctid from event.event_days
        union all select 'room'    || ctid from event.rooms            union all select 'track'   || ctid from event.tracks
        union all select 'session' || ctid from event.event_speakers   union all select 'speaker' || ctid from event.speakers
        union all select 'link'    || ctid from event.session_speakers union all select 'mark'    || ctid from event.dirty_marks
        union all select 'audit'   || ctid from access.audit_log) as r (v)
$$;

-- The same again.
select is(test.import(test.two()), '+2 ~0 -0 =0', 'The first time, all is added');
create temporary table before on commit drop as select test.row_versions() as versions;
select is(test.import(test.two()), '+0 ~0 -0 =2', 'The second time nothing is');
select is(test.row_versions(), (select versions from before), 'and no row is written, no mark made, nothing noted in the trail');

-- One thing at a time, there and back.
create function test.there_and_back(change jsonb, what text) returns setof text language plpgsql as $$
declare
    v_session uuid := (select session_id from test.sessions where session_title = 'Two');
    v_marks   int  := (select count(*) from event.dirty_marks);
begin
    return next is(test.import(test.two(change)), '+0 ~1 -0 =1', format('%s: one session is changed', what));
    return next ok((select count(*) from event.dirty_marks) > v_marks, format('%s: reads know at once', what));
    return next ok(exists (select from test.sessions where session_id = v_session), format('%s: it is the same session', what));
    return next is(test.import(test.two()), '+0 ~1 -0 =1', format('%s: and changed back', what));
end
$$;
select test.there_and_back('{"title": "Two and a half"}', 'Title');
select test.there_and_back('{"subtitle": "A subtitle"}', 'Subtitle');
select test.there_and_back('{"start": "12:00"}', 'Start');
select test.there_and_back('{"duration": "00:45"}', 'Duration');
select test.there_and_back('{"room": "Blue"}', 'Room');
select test.there_and_back('{"track": "People"}', 'Track');
select test.there_and_back('{"track": null}', 'No track');
select test.there_and_back('{"abstract": "On other tools"}', 'Abstract');
select test.there_and_back('{"description": "At length"}', 'Description');
select test.there_and_back('{"language": "de"}', 'Language');
select test.there_and_back('{"type": "workshop"}', 'Type');
select test.there_and_back('{"url": "https://example.org/two"}', 'Address');
select test.there_and_back('{"tags": ["pricing", "goal:Shrink"]}', 'Tags');
select test.there_and_back('{"persons": [{"id": 1, "name": "Ada"}]}', 'A speaker less');
select test.there_and_back('{"persons": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}, {"id": 3, "name": "Cem"}]}', 'A speaker more');
select test.there_and_back('{"persons": [{"id": 2, "name": "Bob"}, {"id": 1, "name": "Ada"}]}', 'Speakers in another order');
select test.there_and_back('{"persons": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Robert"}]}', 'A speaker renamed');
select test.there_and_back('{"persons": []}', 'No speakers');
select is(test.import(test.two('{"subtitle": "", "recording_license": "x", "persons": [{"id": 1, "name": "Ada", "biography": "B"}, {"id": 2, "name": "Bob"}]}')),
    '+0 ~0 -0 =2', 'What is not kept changes nothing');
select is(test.import(test.two('{"tags": ["goal:grow", "Pricing", "pricing "]}')), '+0 ~0 -0 =2', 'Nor do tags that mean the same');
select results_eq($q$ select session_title, speakers, topics, goals from test.sessions order by 1 $q$,
    $q$ values ('One', '{Ada}'::text[], '{}'::text[], '{}'::text[]), ('Two', '{Ada,Bob}', '{pricing}', '{grow}') $q$, 'In the end all is as in the beginning');
select is(test.import(test.frab('[{"guid": "two", "title": "Two", "start": "11:00", "duration": "00:30", "track": "Tools", "abstract": "On tools", "tags": ["pricing", "goal:Grow"],
    "persons": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}]},
    {"guid": "one", "title": "One", "start": "10:00", "duration": "00:30", "track": "Tools", "persons": [{"id": 1, "name": "Ada"}]}]')),
    '+0 ~0 -0 =2', 'Nor does another order in the file');

-- The conference around the sessions.
select is(test.import(replace(test.two(), '"v1"', '"v2"')), '+0 ~0 -0 =2', 'A new version of the same changes no session');
select is((select version from event.events where slug = 'again'), 'v2', 'but is noted');
select is(test.import(test.frab('[]', '{"title": "Again, renamed"}')), '+0 ~0 -2 =0', 'An empty schedule cancels all');
select is((select title from event.events where slug = 'again'), 'Again, renamed', 'and may rename the event');
select is(test.import(test.frab('[]')), '+0 ~0 -0 =0', 'Nothing is cancelled twice');
select is(test.import(test.two()), '+0 ~2 -0 =0', 'What comes back stands again, and counts as changed');

-- Gone, and back.
create temporary table two on commit drop as select session_id from test.sessions where session_title = 'Two';
create function test.exact_titles(at timestamptz) returns text[] language plpgsql as $$
declare
    v_titles text[];
begin
    perform test.act_as('acme', 'anna');
    perform test.freeze(at);
    v_titles := array(select n.session_title from event.sessions_now((select event_id from event.events where slug = 'again')) as n order by 1);
    perform test.act_as_superuser();
    return v_titles;
end
$$;
select is(test.exact_titles('2027-05-03 11:10+02'), '{Two}', 'At ten past eleven the second is on');
select is(test.import(test.frab('[{"guid": "one", "title": "One", "start": "10:00", "duration": "00:30", "track": "Tools", "persons": [{"id": 1, "name": "Ada"}]}]')),
    '+0 ~0 -1 =1', 'A session that vanished is cancelled');
select is(test.exact_titles('2027-05-03 11:10+02'), '{}', 'The very next read does not have it');
select ok((select cancelled_at is not null from event.event_speakers join two using (session_id)), 'Its row stays, so that notes about it do');
select is(test.import(test.two()), '+0 ~1 -0 =1', 'Back again, it is changed');
select is(test.exact_titles('2027-05-03 11:10+02'), '{Two}', 'and on');
select ok((select session_id = (select session_id from two) from test.sessions where session_title = 'Two'), 'It is the same session as before');
select is((select speakers from test.sessions where session_title = 'Two'), '{Ada,Bob}', 'with the same speakers');

-- What nobody imported is nobody's to cancel.
insert into event.event_speakers (tenant_id, event_id, session_title, session_start, session_end)
select tenant_id, event_id, 'By hand', '2027-05-03 12:00+02', '2027-05-03 12:30+02' from event.events where slug = 'again';
select is(test.import(test.two()), '+0 ~0 -0 =2', 'A session made by hand is not the file''s');
select is(test.exact_titles('2027-05-03 12:10+02'), '{"By hand"}', 'and stands');

-- Speakers: one row each, known by key, else by name; dropped when nothing refers to them.
select results_eq($q$ select p.source_key, p.name from event.speakers as p join event.events as e using (event_id) where e.slug = 'again' order by 1 $q$,
    $q$ values ('1', 'Ada'), ('2', 'Bob') $q$, 'Each speaker is there once; those who came and went are gone');
select is(test.import(test.two('{"persons": [{"name": "Ada"}, {"name": "Bob"}, {"name": "Ada"}]}')), '+0 ~1 -0 =1', 'Without a key, the name is the key');
select is((select speakers from test.sessions where session_title = 'Two'), '{Ada,Bob}', 'and a name twice in one session is one speaker');
select is(test.import(test.two('{"persons": [{"name": "Ada"}, {"name": "Bob"}]}')), '+0 ~0 -0 =2', 'so that naming it once changes nothing');
select is(test.import(test.two('{"persons": ["Ada", "Bob"]}')), '+0 ~0 -0 =2', 'nor does naming it without an object');

-- Keys: a talk held twice has one code; guid and id may collide; a code may look like a repeat.
create function test.keys(sessions text) returns text language plpgsql as $$
begin
    return test.import(test.frab(sessions::jsonb, '{"acronym": "keys"}'));
end
$$;
create view test.keyed as
    select s.source_key, s.session_title, to_char(s.session_start at time zone 'Europe/Berlin', 'HH24:MI') as starts
    from event.event_speakers as s join event.events as e using (event_id) where e.slug = 'keys' and s.cancelled_at is null;

select is(test.keys('[{"code": "ABC", "title": "Held twice", "start": "14:00"}, {"code": "ABC", "title": "Held twice", "start": "10:00"}]'), '+2 ~0 -0 =0',
    'A talk held twice is two sessions');
select set_eq('select * from test.keyed', $q$ values ('ABC', 'Held twice', '10:00'), ('ABC#2', 'Held twice', '14:00') $q$, 'The earlier has the code');
select is(test.keys('[{"code": "ABC", "title": "Held twice", "start": "10:00"}, {"code": "ABC", "title": "Held twice", "start": "14:00"}]'), '+0 ~0 -0 =2',
    'whichever the file has first');
select is(test.keys('[{"code": "ABC", "title": "Held twice", "start": "10:00"}]'), '+0 ~0 -1 =1', 'Held once, the second is cancelled');
select is(test.keys('[{"code": "ABC", "title": "A", "start": "10:00"}, {"code": "ABC", "title": "B", "start": "11:00"}, {"code": "ABC#2", "title": "C", "start": "12:00"},
    {"code": "ABC#2#2", "title": "D", "start": "13:00"}]'), '+2 ~2 -0 =0', 'A code that looks like a repeat has a key of its own');
select set_eq('select * from test.keyed', $q$ values ('ABC', 'A', '10:00'), ('ABC#2', 'B', '11:00'), ('ABC#2#1', 'C', '12:00'), ('ABC#2#2#1', 'D', '13:00') $q$,
    'and is never the second of another');
select is(test.keys('[{"guid": "7", "title": "By guid", "start": "10:00"}, {"id": 7, "title": "By id", "start": "11:00"}]'), '+2 ~0 -4 =0',
    'A guid and an id that are alike are two sessions');
select is(test.keys('[{"id": 7, "title": "By id", "start": "11:00"}, {"guid": "7", "title": "By guid", "start": "10:00"}]'), '+0 ~0 -0 =2', 'and stay so');
select is(test.keys('[{"title": "Nameless", "start": "10:00"}, {"title": "Nameless", "start": "11:00"}]'), '+2 ~0 -2 =0', 'Without any key, time, place and title are one');
select is(test.keys('[{"title": "Nameless", "start": "10:00"}, {"title": "Nameless", "start": "11:00"}]'), '+0 ~0 -0 =2', 'which holds while they do');
select is(test.keys(jsonb_build_array(jsonb_build_object('guid', repeat('long ', 2000), 'title', 'Long key', 'start', '10:00'))::text), '+1 ~0 -2 =0',
    'A key of ten thousand characters is a key');
select is(test.keys(jsonb_build_array(jsonb_build_object('guid', repeat('long ', 2000), 'title', 'Long key', 'start', '10:00'))::text), '+0 ~0 -0 =1', 'the same one again');

-- Two tenants may each have an event of that name.
select is(test.import(test.two(), 'globex'), '+2 ~0 -0 =0', 'Another tenant''s event of the same name is another event');
select is((select count(*)::int from event.events where slug = 'again'), 2, 'so that there are two');

-- Nothing is known of it yet: no sessions, days or bounds. It stands where it stood.
select test.import(test.frab('[]', '{"acronym": "unknown", "days": []}'));
update event.events set starts_at = '2027-01-01Z', ends_at = '2027-01-01Z' where slug = 'unknown';
select test.import(test.frab('[]', '{"acronym": "unknown", "days": []}'));
select is((select starts_at from event.events where slug = 'unknown'), timestamptz '2027-01-01Z', 'An event without any date is not moved to the present again and again');

select * from finish();
rollback;
