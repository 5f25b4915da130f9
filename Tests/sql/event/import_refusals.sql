-- What import_schedule refuses, in which words and under which code. Whatever is refused has changed nothing.
begin;
select no_plan();

-- The outcome of an import as "CODE sentence", by anyone, with any token.
create function test.outcome(document text, event_slug text default null, time_zone text default 'UTC', tenant text default 'acme', subject text default 'olga')
    returns text language plpgsql as $$
declare
    v_outcome text;
begin
    begin
        perform test.act_as(tenant, subject);
        v_outcome := 'imported ' || (event.import_schedule(document, event_slug, time_zone) ->> 'sessions');
    exception when others then
        v_outcome := sqlstate || ' ' || sqlerrm;
    end;
    perform test.act_as_superuser();
    return v_outcome;
end
$$;

create function test.frab(sessions text, conference text default '') returns text language sql as $$
    select format('{"schedule": {"conference": {"acronym": "fair", "title": "Fair", %s "days": [{"date": "2027-05-03", "rooms": {"Red": %s}}]}}}', conference, sessions)
$$;
create function test.xml(content text) returns text language sql as $$
    select format('<schedule><conference><acronym>fair</acronym></conference><day date="2027-05-03"><room name="Red">%s</room></day></schedule>', content)
$$;

-- An event with a session that every refused file would change or cancel: they all say they are the fair's.
select is(test.outcome(test.frab('[{"id": 1, "title": "Stands", "start": "10:00"}]')), 'imported 1', 'At first the fair has one session');
create function test.contents() returns text language sql as $$
    select md5(string_agg(v, '|' order by v)) from (
        select 'event' || e from event.events as e             union all select 'day' || d     from event.event_days as d
        union all select 'room' || r    from event.rooms as r           union all select 'track' || t   from event.tracks as t
        union all select 'session' || s from event.event_speakers as s  union all select 'speaker' || p from event.speakers as p
        union all select 'link' || l    from event.session_speakers as l union all select 'mark' || m   from event.dirty_marks as m
        union all select 'audit' || a   from access.audit_log as a) as x (v)
$$;
create temporary table before on commit drop as select test.contents() as contents;

-- Not a schedule.
select is(test.outcome(document, 'fair'), refusal, sentence)
from (values
    (null,             '22004 a document is required',                                               'Null'),
    ('',               'QC205 the document is empty',                                                'An empty text'),
    (E'\uFEFF \r\n\t', 'QC205 the document is empty',                                                'Space alone'),
    ('{}',             'QC205 the document is no schedule this server can read',                     'An empty object'),
    ('[]',             'QC205 the document is no schedule this server can read',                     'An empty list'),
    ('null',           'QC205 the document is no schedule this server can read',                     'JSON null'),
    ('42',             'QC205 the document is no schedule this server can read',                     'A number'),
    ('"schedule"',     'QC205 the document is no schedule this server can read',                     'A word that happens to be a key'),
    ('{"a": 1}',       'QC205 the document is no schedule this server can read',                     'Another document'),
    ('%PDF-1.7',       'QC204 the schedule is malformed at line 1: Token "%" is invalid.',           'A PDF'),
    ('BEGIN:VCALENDAR' || E'\r\n' || 'END:VCALENDAR', 'QC204 the schedule is malformed at line 1: Token "BEGIN" is invalid.', 'A calendar'),
    ('<html><body>404 Not Found</body></html>', 'QC204 the schedule is malformed at /: the root element is not <schedule>', 'A page that says it is not there'),
    ('<schedules><schedule/></schedules>',      'QC204 the schedule is malformed at /: the root element is not <schedule>', 'XML with another root')
) as t (document, refusal, sentence);

-- Broken before it is read.
select is(test.outcome(document, 'fair'), refusal, sentence)
from (values
    (E'{"schedule":\n {"conference":\n  {"days": [', 'QC204 the schedule is malformed at line 3: The input string ended unexpectedly.', 'JSON cut off'),
    (E'{"schedule":\n {"conference":\n  {"days": [}]}}}', 'QC204 the schedule is malformed at line 3: Expected JSON value, but found "}".', 'A bracket too few'),
    (E'\n\n{"schedule": tru}', 'QC204 the schedule is malformed at line 3: Token "tru" is invalid.', 'Lines are counted from the first, also an empty one'),
    (test.frab('[{"id": 1, "title": "A\u0000", "start": "10:00"}]'), 'QC204 the schedule is malformed at line 1: \u0000 cannot be converted to text.', 'A NUL character'),
    (test.frab('[{"id": 1, "title": "\ud83d", "start": "10:00"}]'), 'QC204 the schedule is malformed at line 1: Unicode low surrogate must follow a high surrogate.', 'Half a character'),
    (test.frab('[{"id": 1e999999}]'), 'QC204 the schedule is malformed at the document: value overflows numeric format', 'A number without end')
) as t (document, refusal, sentence);
select matches(test.outcome(repeat('[', 1000000), 'fair'), '^QC204 the schedule is malformed at the document: stack depth limit exceeded', 'A million brackets');

-- The parser's own words differ from version to version; the line does not.
select is(left(test.outcome(document, 'fair'), length(refusal)), refusal, sentence)
from (values
    (E'<schedule>\n<conference></schedule>', 'QC204 the schedule is malformed at line 2: Opening and ending tag mismatch', 'Tags that do not match'),
    (E'<?xml version="1.0"?>\n<schedule>\n<title>R&D</title></schedule>', 'QC204 the schedule is malformed at line 3: ', 'A bare ampersand'),
    (E'\n\n<?xml version="1.0"?>\n<schedule>\n<title>R&D</title></schedule>', 'QC204 the schedule is malformed at line 5: ', 'Lines are counted from the first'),
    (E'<schedule>\n<title>&nbsp;</title></schedule>', 'QC204 the schedule is malformed at line 2: ', 'An entity of HTML'),
    ('<schedule/><schedule/>', 'QC204 the schedule is malformed at line 1: ', 'Two roots'),
    ('<', 'QC204 the schedule is malformed at line 1: ', 'A bracket alone'),
    ('<schedule>&#0;</schedule>', 'QC204 the schedule is malformed at line 1: ', 'A NUL character in XML'),
    ('<schedule>' || repeat('<a>', 100000), 'QC204 the schedule is malformed at line 1: ', 'A hundred thousand elements inside each other')
) as t (document, refusal, sentence);

-- Entities: nothing outside is read, nothing inside multiplies.
select is(test.outcome('<!DOCTYPE schedule [<!ENTITY x SYSTEM "file:///etc/passwd">]>' || test.xml('<event id="1"><title>&x;</title><start>10:00</start></event>')),
    'QC204 the schedule is malformed at the document type: it declares entities, which are not read', 'An entity that reads a file');
select is(test.outcome('<!DOCTYPE schedule [<!ENTITY % x SYSTEM "http://example.org/x.dtd"> %x;]>' || test.xml('')),
    'QC204 the schedule is malformed at the document type: it declares entities, which are not read', 'One that reads an address');
select is(test.outcome('<!DOCTYPE schedule [<!ENTITY a "ha">' || (
        select string_agg(format('<!ENTITY %s "%s">', chr(97 + n), repeat(format('&%s;', chr(96 + n)), 10)), '') from generate_series(1, 9) as n) || ']>'
        || test.xml('<event id="1"><title>&j;</title><start>10:00</start></event>')),
    'QC204 the schedule is malformed at the document type: it declares entities, which are not read', 'A billion laughs');
select is(test.outcome('<!-- <schedule --><!DOCTYPE schedule [<!ENTITY x SYSTEM "file:///etc/passwd">]>' || test.xml('<event id="1"><title>[&x;]</title><start>10:00</start></event>'), 'hidden'),
    'imported 1', 'A declaration hidden behind a comment');
select is((select session_title from event.event_speakers join event.events using (event_id) where slug = 'hidden'), '[]', 'reads nothing either');
select is(left(test.outcome('<!-- <schedule --><!DOCTYPE schedule [<!ENTITY a "ha">' || (
        select string_agg(format('<!ENTITY %s "%s">', chr(97 + n), repeat(format('&%s;', chr(96 + n)), 10)), '') from generate_series(1, 9) as n) || ']>'
        || test.xml('<event id="1"><title>&j;</title><start>10:00</start></event>')), 43),
    'QC204 the schedule is malformed at line 1: ', 'and does not multiply');
delete from event.events where slug = 'hidden';
update before set contents = test.contents();

-- Another shape than the format's, by path.
select is(test.outcome(document), 'QC204 the schedule is malformed at ' || problem, sentence)
from (values
    ('{"schedule": {"conference": "x"}}',                                  'schedule.conference: an object is expected, not string',                          'A conference that is a text'),
    ('{"schedule": {"conference": {"acronym": "fair"}}}',                  'schedule.conference: it has no days',                                             'A conference that does not speak of days'),
    ('{"schedule": {"conference": {"acronym": "fair", "days": {}}}}',      'schedule.conference.days: an array is expected, not object',                      'Days that are no list'),
    ('{"schedule": {"conference": {"acronym": "fair", "days": ["x"]}}}',   'schedule.conference.days[0]: an object is expected, not string',                  'A day that is a text'),
    ('{"schedule": {"conference": {"acronym": "fair", "days": [{"date": "2027-02-30"}]}}}', 'schedule.conference.days[0].date: "2027-02-30" is no date',      'A day that is none'),
    ('{"schedule": {"conference": {"acronym": "fair", "days": [{"date": "2027-05-03", "rooms": ["Red"]}]}}}', 'schedule.conference.days[0].rooms: an object is expected, not array', 'Rooms that are a list'),
    ('{"schedule": {"conference": {"acronym": "fair", "days": [], "rooms": {}}}}', 'schedule.conference.rooms: an array is expected, not object',             'Rooms of the conference that are none'),
    ('{"schedule": {"conference": {"acronym": "fair", "days": [], "tracks": "x"}}}', 'schedule.conference.tracks: an array is expected, not string',          'Tracks that are a text'),
    (test.frab('{"id": 1, "title": "A", "start": "10:00"}'),               'schedule.conference.days[0].rooms."Red": an array is expected, not object',       'Sessions that are no list'),
    (test.frab('["A"]'),                                                   'schedule.conference.days[0].rooms."Red"[0]: an object is expected, not string',   'A session that is a text'),
    (test.frab('[null]'),                                                  'schedule.conference.days[0].rooms."Red"[0]: a session has no title',              'A session that is nothing'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "persons": "Ada"}]'), 'schedule.conference.days[0].rooms."Red"[0].persons: an array is expected, not string', 'Persons that are a text'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "tags": "x"}]'), 'schedule.conference.days[0].rooms."Red"[0].tags: an array is expected, not string', 'Tags that are a text')
) as t (document, problem, sentence);

-- A value that is none, by path.
select is(test.outcome(document), 'QC204 the schedule is malformed at ' || problem, sentence)
from (values
    (test.frab('[{"id": 1, "start": "10:00"}]'),                                    'schedule.conference.days[0].rooms."Red"[0]: a session has no title',              'No title'),
    (test.frab('[{"id": 1, "title": " ", "start": "10:00"}]'),                      'schedule.conference.days[0].rooms."Red"[0]: a session has no title',              'A title of space'),
    (test.frab('[{"id": 1, "title": "<br>", "start": "10:00"}]'),                   'schedule.conference.days[0].rooms."Red"[0]: a session has no title',              'A title of tags'),
    (test.frab('[{"id": 1, "title": "A"}]'),                                        'schedule.conference.days[0].rooms."Red"[0]: a session has no start',              'No start'),
    (test.frab('[{"id": 1, "title": "A", "start": "ten"}]'),                        'schedule.conference.days[0].rooms."Red"[0]: "2027-05-03Tten" is no date and time', 'A start that is none'),
    (test.frab('[{"id": 1, "title": "A", "start": "25:00"}]'),                      'schedule.conference.days[0].rooms."Red"[0]: "2027-05-03T25:00" is no date and time', 'An hour that is none'),
    (test.frab('[{"id": 1, "title": "A", "date": "2027-02-30T10:00:00+02:00"}]'),   'schedule.conference.days[0].rooms."Red"[0]: "2027-02-30T10:00:00+02:00" is no date and time', 'A date that is none'),
    (test.frab('[{"id": 1, "title": "A", "date": "2027-05-03T10:00:00+25:00"}]'),   'schedule.conference.days[0].rooms."Red"[0]: "2027-05-03T10:00:00+25:00" is no date and time', 'An offset that is none'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "duration": "an hour"}]'), 'schedule.conference.days[0].rooms."Red"[0]: "an hour" is no duration',          'A duration that is none'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "duration": -30}]'),     'schedule.conference.days[0].rooms."Red"[0]: "-30" is no duration',                'A duration below zero'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "end": "late"}]'),       'schedule.conference.days[0].rooms."Red"[0]: "late" is no date and time',          'An end that is none'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "end": "2027-05-03T09:00"}]'), 'schedule.conference.days[0].rooms."Red"[0]: a session ends before it starts', 'An end before the start'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "persons": [{"id": 1}]}]'), 'schedule.conference.days[0].rooms."Red"[0]: a person has no name',             'A person without a name'),
    (test.frab('[{"id": 1, "title": "A", "start": "10:00", "persons": [{"id": 1, "name": " "}]}]'), 'schedule.conference.days[0].rooms."Red"[0]: a person has no name', 'A name of space'),
    (test.frab(format('[{"id": 1, "title": "A", "start": "10:00", "room": "%s"}]', repeat('x', 501))), 'schedule.conference.days[0].rooms."Red"[0]: the name of a room or track is longer than 500 characters', 'A room that is an essay'),
    (test.frab(format('[{"id": 1, "title": "A", "start": "10:00", "persons": ["%s"]}]', repeat('x', 501))), 'schedule.conference.days[0].rooms."Red"[0]: the name of a person is longer than 500 characters', 'A name that is an essay'),
    (test.frab('[]', format('"rooms": [{"name": "%s"}],', repeat('x', 501))),       'the list of rooms: a name is longer than 500 characters',                         'A room of the conference that is an essay'),
    (test.xml('<event id="1"><title>A</title><start>ten</start></event>'),          '/schedule/day[@date="2027-05-03"]/room[@name="Red"]/event[@id="1"]: "2027-05-03Tten" is no date and time', 'In XML by XPath'),
    (test.xml('<event guid="g"><start>10:00</start></event>'),                      '/schedule/day[@date="2027-05-03"]/room[@name="Red"]/event[@guid="g"]: a session has no title', 'with the guid where there is no id'),
    (test.xml('<event id="1"><title>A</title><start>10:00</start></event><event><title>B</title></event>'), '(//event)[2]: a session has no start', 'and by number where there is neither'),
    (test.xml('<event id="1"><title>A</title><start>10:00</start><persons><person id="2"/></persons></event>'), '/schedule/day[@date="2027-05-03"]/room[@name="Red"]/event[@id="1"]: a person has no name', 'A person without a name in XML'),
    (replace(test.xml('<event id="1"><title>A</title><start>10:00</start></event>'), '2027-05-03', '3 May 2027'), '/schedule/day[1]/@date: "3 May 2027" is no date', 'A day in words')
) as t (document, problem, sentence);

-- The hint says what to do, and how many other sessions have problems.
create function test.hint(document text) returns text language plpgsql as $$
declare
    v_hint text;
begin
    perform test.outcome(document);
    perform set_config('request.jwt', access.issue_token('acme', 'olga'), true);
    perform event.import_schedule(document, null, 'UTC');
    return null;
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return v_hint;
end
$$;
select is(test.hint(test.frab('[{"id": 1}]')), 'Nothing was changed. Correct the file, or export it again, and import it whole.', 'A refusal says that nothing was changed');
select is(test.hint(test.frab('[{"id": 1}, {"id": 2}]')), 'One more session has a problem. Nothing was changed.', 'It counts one other problem');
select is(test.hint(test.frab('[{"id": 1}, {"id": 2}, {"id": 3, "title": "A", "start": "10:00"}, {"id": 4}]')), '2 more sessions have problems. Nothing was changed.', 'and several');

-- No name, no zone.
select is(test.outcome('{"schedule": {"conference": {"days": []}}}'), 'QC205 the schedule does not name its event', 'A conference without an acronym');
select is(test.outcome('{"schedule": {"conference": {"acronym": "日本語", "days": []}}}'), 'QC205 the schedule does not name its event', 'An acronym no slug can be made of');
select is(test.outcome('{"schedule": {"conference": {"acronym": "fair", "days": []}}}', ' - '), 'QC205 the schedule does not name its event', 'A slug that is none');
select is(test.outcome(test.frab('[]'), null, 'Mars/Olympus'), 'QC203 "Mars/Olympus" is no time zone this server knows', 'A zone of another planet');
select is(test.outcome(test.frab('[]'), null, 'CET'), 'QC203 "CET" is no time zone this server knows', 'An abbreviation');
select is(test.outcome(test.frab('[]'), null, '+02:00'), 'QC203 "+02:00" is no time zone this server knows', 'An offset');
select is(test.outcome(test.frab('[]'), null, null), 'QC203 the schedule names no time zone and its times have no offset', 'None at all');

-- Who may.
select is(test.outcome(test.frab('[]'), subject => 'anna'), 'QC405 this needs role organizer', 'An attendee may not import');
select is(test.outcome(test.frab('[]'), subject => 'sam'), 'QC405 this needs role organizer', 'Nor may a service');
select is(test.outcome('%PDF', subject => 'anna'), 'QC405 this needs role organizer', 'Who may not is told so first, whatever the file');
select test.act_as('acme', 'olga');
select set_config('request.jwt', '', true);
select throws_ok('select event.import_schedule(''{}'')', 'QC401', null, 'Without a token nobody may');
select set_config('request.jwt', 'not.a.token', true);
select throws_ok('select event.import_schedule(''{}'')', 'QC403', null, 'Nor with one that is none');
select test.act_as_superuser();
select throws_ok($q$ set local role concierge_app; select * from event.read_schedule('{}') $q$, '42501', null, 'The parts of the importer are nobody''s to call');
reset role;

select is(test.contents(), (select contents from before), 'After all this nothing has changed');
select results_eq($q$ select s.session_title from event.event_speakers as s join event.events as e using (event_id) where e.slug = 'fair' and cancelled_at is null $q$, array['Stands'],
    'and the session stands');

-- The other tenant has a fair too.
select is(test.outcome(test.frab('[{"id": 1, "title": "Theirs", "start": "10:00"}]'), tenant => 'globex'), 'imported 1', 'The other tenant imports its own');
select test.act_as('acme', 'anna');
select results_eq('select session_title from event.event_speakers', array['Stands'], 'and neither sees the other''s');
select test.act_as('globex', 'anna');
select results_eq('select session_title from event.event_speakers', array['Theirs'], 'in either direction');
select test.act_as_superuser();

select * from finish();
rollback;
