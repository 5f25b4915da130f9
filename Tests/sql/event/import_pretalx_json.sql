-- pretalx talks in the forms its API, its schedule widget and its users give them.
begin;
select no_plan();

create function test.import(document text, event_slug text default 'conf', time_zone text default 'Europe/Berlin') returns jsonb language plpgsql as $$
declare
    v_report jsonb;
begin
    perform test.act_as('acme', 'olga');
    v_report := event.import_schedule(document, event_slug, time_zone);
    perform test.act_as_superuser();
    return v_report - '{event_id}'::text[];
end
$$;

create view test.sessions as
    select s.*, e.slug, s.session_start at time zone e.time_zone as starts, s.session_end - s.session_start as length,
        array(select p.name from event.session_speakers as l join event.speakers as p using (speaker_id) where l.session_id = s.session_id order by l.position) as speakers
    from event.event_speakers as s join event.events as e using (event_id) where s.cancelled_at is null;

-- The widget: numbers for rooms and tracks, codes for speakers, breaks between the talks.
select is(test.import('{"talks": [
        {"code": "AAA", "id": 1, "title": "First", "abstract": "Short & sweet", "speakers": ["SP1", "SP2"], "track": 7, "start": "2027-05-03T10:00:00+02:00", "end": "2027-05-03T10:45:00+02:00",
         "room": 3, "duration": 30, "updated": "2027-01-01T00:00:00Z", "state": null, "content_locale": "en", "do_not_record": null},
        {"code": "BBB", "id": 2, "title": "Second", "speakers": [], "track": null, "start": "2027-05-03T11:00:00+02:00", "end": "2027-05-03T11:30:00+02:00", "room": 99, "duration": 30},
        {"id": 3, "title": {"en": "Coffee", "de": "Kaffee"}, "start": "2027-05-03T10:30:00Z", "end": "2027-05-03T12:45:00+02:00", "room": 3, "slot_type": "break"},
        {"id": 4, "title": "", "start": "2027-05-03T16:00:00Z", "end": "2027-05-03T16:30:00Z", "room": 3, "slot_type": "break"}],
    "version": "1.0", "schedule_id": 1, "timezone": "Europe/Berlin", "event_start": "2027-05-03", "event_end": "2027-05-04",
    "tracks": [{"id": 7, "name": {"en": "Tools", "de": "Werkzeug"}, "color": "#ff0000"}],
    "rooms": [{"id": 3, "name": {"en": "Red", "de": "Rot"}, "description": ""}, {"id": 4, "name": "Unused"}],
    "speakers": [{"code": "SP1", "name": "Ada", "avatar": null}, {"code": "SP2", "name": "Bob"}]}', 'widget', null),
    '{"event": "widget", "format": "pretalx JSON", "time_zone": "Europe/Berlin", "time_zone_from": "file", "sessions": 4, "added": 4, "changed": 0, "cancelled": 0, "unchanged": 0,
      "rooms": 2, "tracks": 1, "speakers": 2, "days": 1}', 'The widget''s form is imported');
select results_eq($q$ select source_key, session_title, room, track, language, abstract, length, speakers from test.sessions where slug = 'widget' order by session_start $q$, $q$ values
    ('AAA', 'First',  'Red', 'Tools', 'en', 'Short & sweet', interval '45 minutes', '{Ada,Bob}'::text[]),
    ('BBB', 'Second', '99',  null,    null, null,            '30 minutes',          '{}'),
    ('3',   'Coffee', 'Red', null,    null, null,            '15 minutes',          '{}'),
    ('4',   'Break',  'Red', null,    null, null,            '30 minutes',          '{}') $q$,
    'Numbers and codes are looked up; the slot says how long, not the submission; a break is a session');
select results_eq($q$ select starts_at, ends_at, version from event.events where slug = 'widget' $q$,
    $q$ values (timestamptz '2027-05-03 00:00+02', timestamptz '2027-05-05 00:00+02', '1.0') $q$, 'The event lasts to the end of its last day');

-- The API: a list of submissions, of which some have no slot yet, some are off, and some have several.
select is(test.import('{"count": 7, "next": null, "previous": null, "results": [
        {"code": "AAA", "title": "First", "state": "confirmed", "track": {"en": "Tools"}, "submission_type": {"en": "Talk", "de": "Vortrag"}, "submission_type_id": 1, "duration": 30, "answers": [],
         "speakers": [{"code": "SP1", "name": "Ada", "biography": "Not kept", "avatar": null, "email": "ada@example.org"}], "tags": ["pricing"], "tag_ids": [1],
         "slot": {"room_id": 3, "room": {"en": "Red"}, "start": "2027-05-03T10:00:00+02:00", "end": "2027-05-03T10:30:00+02:00"}},
        {"code": "BBB", "title": "Accepted, not placed", "state": "accepted", "slot": null, "speakers": []},
        {"code": "CCC", "title": "Placed nowhere", "state": "confirmed", "slot": {"room": null, "start": null, "end": null}, "speakers": []},
        {"code": "DDD", "title": "Called off", "state": "canceled", "slot": {"room": "Red", "start": "2027-05-03T11:00:00+02:00", "end": "2027-05-03T11:30:00+02:00"}, "speakers": []},
        {"code": "EEE", "title": "Twice", "state": "confirmed", "submission_type": {"id": 1, "name": {"en": "Workshop"}}, "duration": 30, "speakers": null, "slots": [
            {"id": 1, "room": {"id": 3, "name": {"en": "Red"}}, "start": "2027-05-03T14:00:00+02:00", "end": "2027-05-03T14:30:00+02:00"},
            {"id": 2, "room": {"id": 4, "name": {"en": "Blue"}}, "start": "2027-05-04T14:00:00+02:00", "end": "2027-05-04T14:30:00+02:00"}]},
        {"code": "FFF", "title": "No slots", "state": "confirmed", "slots": []},
        {"code": "GGG", "title": "Flat", "start": "2027-05-03T15:00:00+02:00", "duration": 20, "room": "Red", "speakers": [{"code": null, "name": "Cem"}]}]}')
    - '{time_zone,time_zone_from}'::text[],
    '{"event": "conf", "format": "pretalx JSON", "sessions": 4, "added": 4, "changed": 0, "cancelled": 0, "unchanged": 0, "rooms": 2, "tracks": 1, "speakers": 2, "days": 2}',
    'The API''s form is imported');
select results_eq($q$ select source_key, session_title, session_type, room, starts, length, speakers from test.sessions where slug = 'conf' order by session_start $q$, $q$ values
    ('AAA',   'First', 'Talk',     'Red',  timestamp '2027-05-03 10:00', interval '30 minutes', '{Ada}'::text[]),
    ('EEE',   'Twice', 'Workshop', 'Red',  '2027-05-03 14:00', '30 minutes', '{}'),
    ('GGG',   'Flat',  null,       'Red',  '2027-05-03 15:00', '20 minutes', '{Cem}'),
    ('EEE#2', 'Twice', 'Workshop', 'Blue', '2027-05-04 14:00', '30 minutes', '{}') $q$,
    'What has a place in time is a session, as often as it has one; what is off is none');
select is((select topics from test.sessions where slug = 'conf' and source_key = 'AAA'), '{pricing}', 'Tags are kept');
select ok(not exists (select from event.speakers as p where p::text like '%example.org%'), 'An e-mail address is not');

-- A bare list, and a grid of days, minutes and rooms.
select is(test.import('[{"code": "AAA", "title": "First", "slot": {"start": "2027-05-03T10:00:00+02:00", "end": "2027-05-03T10:30:00+02:00"}}]', 'bare', null) ->> 'time_zone', 'Etc/GMT-2',
    'A list may stand alone; its zone is that of its times');
select is(test.import('{"schedule": {"2027-05-03": {"600": {"1": {"code": "AAA", "title": "First", "slot": {"room": {"fr": "Rouge"}, "start": "2027-05-03T10:00:00", "end": "2027-05-03T10:30:00"}}, "2": {"code": "BBB", "title": "Second", "start": "2027-05-03T10:00:00"}}, "630": {}, "660": []},
        "2027-05-04": {}}, "sprints": [], "extra": {}}', 'grid') - '{time_zone,time_zone_from,format}'::text[],
    '{"event": "grid", "sessions": 2, "added": 2, "changed": 0, "cancelled": 0, "unchanged": 0, "rooms": 1, "tracks": 0, "speakers": 0, "days": 2}', 'A grid has days, minutes and rooms, empty ones too');
select is((select room from test.sessions where slug = 'grid' and source_key = 'AAA'), 'Rouge', 'A room has the name it has');
select is(test.import('{"event": "NAMED", "name": {"en": "A named one"}, "timezone": "UTC", "date_from": "2027-05-03", "date_to": "2027-05-03", "results": []}', null, null) ->> 'event', 'named',
    'A list may name its event');

-- What would silently lose sessions is refused.
create function test.refusal(document text) returns text language plpgsql as $$
begin
    perform test.import(document);
    return 'imported';
exception when others then
    return sqlstate || ' ' || sqlerrm;
end
$$;
select is(test.refusal(document), refusal, sentence)
from (values
    ('{"count": 2, "next": "https://example.org/?page=2", "previous": null, "results": []}', 'QC204 the schedule is malformed at next: this is one page of several', 'One page of several'),
    ('{"count": 2, "next": null, "previous": "https://example.org/?page=1", "results": []}', 'QC204 the schedule is malformed at next: this is one page of several', 'The last page of several'),
    ('{"results": [{"code": "AAA", "title": "First", "slots": [12, 13]}]}', 'QC204 the schedule is malformed at results[0].slots: an object is expected, not number', 'Slots that are only numbers'),
    ('{"results": {"AAA": {}}}', 'QC204 the schedule is malformed at results: an array is expected, not object', 'Results that are no list'),
    ('{"talks": ["AAA"]}', 'QC204 the schedule is malformed at talks[0]: an object is expected, not string', 'Talks that are only codes'),
    ('[1, 2]', 'QC204 the schedule is malformed at talks[0]: an object is expected, not number', 'A list of something else'),
    ('[{"name": "Ada"}]', 'QC204 the schedule is malformed at talks[0]: a session has no title', 'A list of people'),
    ('{"schedule": "v1"}', 'QC204 the schedule is malformed at schedule: an object is expected, not string', 'A schedule that is a text'),
    ('{"schedule": {"version": "v1"}}', 'QC204 the schedule is malformed at schedule."version": an object is expected, not string', 'A schedule without a conference'),
    ('{"schedule": {"2027-05-03": {"600": {"1": "AAA"}}}}', 'QC204 the schedule is malformed at schedule."2027-05-03"."600"."1": an object is expected, not string', 'A grid of codes'),
    ('{"schedule": {"2027-02-30": {}}}', 'QC204 the schedule is malformed at schedule."2027-02-30": "2027-02-30" is no date', 'A day that is none'),
    ('{"talks": [{"code": "AAA", "title": "First", "start": "2027-05-03T10:00", "speakers": ["SP1"]}]}', 'QC204 the schedule is malformed at talks[0]: a person has no name', 'A speaker whose code nothing explains'),
    ('{"talks": [{"code": "AAA", "title": "First", "start": "2027-05-03T10:00", "speakers": "SP1"}]}', 'QC204 the schedule is malformed at talks[0].speakers: an array is expected, not string', 'Speakers that are no list'),
    ('{"talks": [{"code": "AAA", "title": "First", "start": "2027-05-03T10:00", "end": "2027-05-03T09:00"}]}', 'QC204 the schedule is malformed at talks[0]: a session ends before it starts', 'A session that ends before it starts')
) as t (document, refusal, sentence);

select * from finish();
rollback;
