-- Pentabarf's XML as frab, pretalx, wafer, c3voc and FOSDEM write it: each leaves something else out.
begin;
select no_plan();

create function test.import(document text, event_slug text default null, time_zone text default null) returns jsonb language plpgsql as $$
declare
    v_report jsonb;
begin
    perform test.act_as('acme', 'olga');
    v_report := event.import_schedule(document, event_slug, time_zone);
    perform test.act_as_superuser();
    return v_report - '{event_id,format}'::text[];
end
$$;

create view test.sessions as
    select s.*, e.slug, s.session_start at time zone e.time_zone as starts, s.session_end - s.session_start as length,
        array(select p.name from event.session_speakers as l join event.speakers as p using (speaker_id) where l.session_id = s.session_id order by l.position) as speakers
    from event.event_speakers as s join event.events as e using (event_id) where s.cancelled_at is null;

-- One event in one room on one day; a test gives what is inside.
create function test.one(content text) returns setof test.sessions language plpgsql as $$
begin
    perform test.import(format('<schedule><conference><acronym>quirks</acronym><time_zone_name>Europe/Berlin</time_zone_name></conference>
        <day date="2027-05-03"><room name="Red"><event id="1"><title>One</title><start>10:00</start>%s</event></room></day></schedule>', content));
    return query select * from test.sessions where slug = 'quirks';
end
$$;

-- All of it, as c3voc writes it.
select is(test.import('<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<?xml-stylesheet type="text/xsl" href="x.xsl"?>
<!-- made by hand -->
<schedule xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="https://example.org/schema.xsd">
  <generator name="concierge" version="1"/>
  <version>v 1.2</version>
  <conference>
    <acronym>FULL</acronym><title>A full &amp; whole one</title>
    <start>2027-05-03T07:30:00+00:00</start><end>2027-05-03T17:45:00+00:00</end><days>1</days>
    <timeslot_duration>00:10</timeslot_duration><time_zone_name>Europe/Berlin</time_zone_name>
    <url>https://example.org/full</url><base_url>https://example.org/</base_url>
    <track color="#F9B000" name="Art &amp; Beauty" slug="art-beauty"/>
  </conference>
  <day date="2027-05-03" start="2027-05-03T07:30:00+00:00" end="2027-05-04T06:00:00+02:00" index="1">
    <room name="Hall &quot;1&quot;" guid="r-1">
      <event guid="g-1" id="11" code="ABC">
        <date>2027-05-03T10:00:00+02:00</date><start>10:00</start><duration>01:30</duration>
        <room>Hall &quot;1&quot;</room><slug>full-11-first</slug><url>https://example.org/11</url>
        <title> First
            talk </title><subtitle/><track>Art &amp; Beauty</track><type>Talk</type><language>de, en</language>
        <recording><license>CC BY</license><optout>false</optout></recording>
        <abstract>&lt;p&gt;Short &amp;amp; sweet&lt;/p&gt;</abstract>
        <description><![CDATA[<ul><li>one</li><li>two &lt; three</li></ul>]]></description>
        <persons><person guid="p-1" id="1" contact="ada@example.org">Ada Lang</person><person guid="p-2" id="2"> Bob  Gray </person></persons>
        <links><link href="https://example.org/">x</link></links><attachments/>
        <tags><tag>pricing</tag><tag>goal:grow</tag></tags>
      </event>
    </room>
    <room name="Hall 2"/>
  </day>
</schedule>'),
    '{"event": "full", "time_zone": "Europe/Berlin", "time_zone_from": "file", "sessions": 1, "added": 1, "changed": 0, "cancelled": 0, "unchanged": 0,
      "rooms": 2, "tracks": 1, "speakers": 2, "days": 1}', 'A file with everything is imported');
select results_eq($q$ select slug::text, title, version, url, starts_at, ends_at from event.events where slug = 'full' $q$,
    $q$ values ('full', 'A full & whole one', 'v 1.2', 'https://example.org/full', timestamptz '2027-05-03 07:30Z', timestamptz '2027-05-03 17:45Z') $q$, 'The event is the conference');
select results_eq($q$ select source_key, session_title, subtitle, session_start, session_end, room, track, session_type, language, abstract, description, url, topics, goals, speakers
        from test.sessions where slug = 'full' $q$,
    $q$ values ('g-1', 'First talk', null, timestamptz '2027-05-03 10:00+02', timestamptz '2027-05-03 11:30+02', 'Hall "1"', 'Art & Beauty', 'Talk', 'de, en', 'Short & sweet',
        E'- one\n- two < three', 'https://example.org/11', '{pricing}'::text[], '{grow}'::text[], '{"Ada Lang","Bob Gray"}'::text[]) $q$, 'The session has every field');
select results_eq($q$ select t.name, t.color from event.tracks as t join event.events as e using (event_id) where e.slug = 'full' $q$,
    $q$ values ('Art & Beauty', '#F9B000') $q$, 'A track is named by its attribute');
select ok(not exists (select from event.speakers as p where p::text like '%example.org%'), 'An e-mail address beside a name is not kept');

-- frab of old: no date in the event, no zone, seconds in all times; a session after midnight belongs to the day before.
select is(test.import('<schedule><conference><title>Old</title><acronym>old</acronym><start>2027-05-03</start><end>2027-05-04</end>
        <day_change>04:00:00</day_change><timeslot_duration>00:15:00</timeslot_duration></conference>
    <day index="1" date="2027-05-03"><room name="Red">
        <event id="1"><start>23:30:00</start><duration>01:00:00</duration><room>Red</room><title>Late</title></event>
        <event id="2"><start>00:30:00</start><duration>00:30:00</duration><room>Red</room><title>Later</title></event></room></day></schedule>', null, 'Europe/Berlin')
    ->> 'time_zone_from', 'caller', 'A file of old has no zone: the caller says it');
select results_eq($q$ select session_title, starts, length from test.sessions where slug = 'old' order by starts $q$, $q$ values
    ('Late', timestamp '2027-05-03 23:30', interval '1 hour'), ('Later', '2027-05-04 00:30', '30 minutes') $q$, 'The small hours are the next date');
select is((select ends_at from event.events where slug = 'old'), timestamptz '2027-05-05 00:00+02', 'An end that is a date is the end of that day');
select throws_ok($q$ select test.import('<schedule><conference><acronym>old</acronym></conference><day date="2027-05-03"><room name="Red"><event id="1"><title>A</title><start>10:00</start></event></room></day></schedule>') $q$,
    'QC203', 'the schedule names no time zone and its times have no offset', 'and without one it is refused');

-- wafer: no acronym, one item in several rooms, a track for those that have none.
select is(test.import('<schedule><generator name="wafer" version="0.15"/><version></version><conference><title>Wafer Conf</title><days>1</days><time_zone_name>Europe/Berlin</time_zone_name><acronym></acronym></conference>
    <day date="2027-05-03" start="2027-05-03T09:00:00+02:00" end="2027-05-03T18:00:00+02:00" index="1">
        <room name="Red"><event id="5" guid="g-5"><date>2027-05-03T12:00:00+02:00</date><duration>01:00</duration><room>Red</room><title>Lunch</title><type/><persons/></event></room>
        <room name="Blue"><event id="5" guid="g-5"><date>2027-05-03T12:00:00+02:00</date><duration>01:00</duration><room>Blue</room><title>Lunch</title><type/></event></room></day></schedule>', 'wafer-2027')
    - '{time_zone,time_zone_from,unchanged,changed,cancelled,days}'::text[],
    '{"event": "wafer-2027", "sessions": 2, "added": 2, "rooms": 2, "tracks": 0, "speakers": 0}', 'An item held in two rooms at once is a session in each');
select set_eq($q$ select source_key, room from test.sessions where slug = 'wafer-2027' $q$, $q$ values ('g-5', 'Blue'), ('g-5#2', 'Red') $q$, 'which keep their keys, by room');
select results_eq($q$ select title, version, url from event.events where slug = 'wafer-2027' $q$, $q$ values ('Wafer Conf', null::text, null::text) $q$, 'What is empty is null');

-- pretalx: bounds of a day without an offset. FOSDEM: tracks beside the conference, named by their content.
select test.import('<schedule><tracks><track online_qa="true">Keynotes</track><track>APIs &amp; friends</track></tracks>
    <conference><acronym>tracks</acronym><time_zone_name>Europe/Berlin</time_zone_name></conference>
    <day index="1" date="2027-05-03" start="2027-05-03T04:00:00" end="2027-05-04T03:59:00"/><day index="2" start="2027-05-04T04:00:00+02:00" end="2027-05-05T03:59:00+02:00"/></schedule>');
select results_eq($q$ select d.date, d.starts_at, d.ends_at from event.event_days as d join event.events as e using (event_id) where e.slug = 'tracks' order by 1 $q$, $q$ values
    (date '2027-05-03', timestamptz '2027-05-03 04:00+02', timestamptz '2027-05-04 03:59+02'), ('2027-05-04', '2027-05-04 04:00+02', '2027-05-05 03:59+02') $q$,
    'A day without an offset is local, one without a date has that of its start');
select set_eq($q$ select t.name from event.tracks as t join event.events as e using (event_id) where e.slug = 'tracks' $q$, array['Keynotes', 'APIs & friends'], 'Tracks beside the conference count');

-- Nothing at all.
select is(test.import('<schedule><conference><acronym>bare</acronym></conference></schedule>', null, 'UTC')
    - '{time_zone,time_zone_from}'::text[],
    '{"event": "bare", "sessions": 0, "added": 0, "changed": 0, "cancelled": 0, "unchanged": 0, "rooms": 0, "tracks": 0, "speakers": 0, "days": 0}', 'A conference without days is one');
select is(test.import('<schedule/>', 'given', 'UTC') ->> 'event', 'given', 'even without a conference, when the caller names it');

-- Fields missing or empty.
select is((select session_title from test.one('')), 'One', 'Title and start are enough');
select is((select room from test.one('')), 'Red', 'The room is the one it stands in');
select is((select room from test.one('<room>Blue</room>')), 'Blue', 'unless it names another');
select is((select track from test.one('<track>  </track>')), null, 'An empty track is none');
select is((select length from test.one('<duration></duration>')), interval '0', 'An empty duration is none');
select is((select length from test.one('<end>2027-05-03T10:20:00+02:00</end>')), interval '20 minutes', 'An end will do');
select is((select speakers from test.one('')), '{}', 'Nobody may speak');
select is((select speakers from test.one('<persons/>')), '{}', 'also expressly');
select is((select speakers from test.one('<persons><person>Ada</person><person>Bob</person><person>Ada</person></persons>')), '{Ada,Bob}', 'Without a key the name is the key');
select is((select speakers from test.one('<persons><person id="2">Ada</person><person id="1">Ada</person></persons>')), '{Ada,Ada}', 'With one, two people may have one name');
select is((select speakers from test.one('<persons><person>A<!-- . -->da &amp; Co <b>Ltd</b></person></persons>')), '{"Ada & Co Ltd"}', 'A name is the text of its element');
select is((select starts from test.one('<date>2027-05-04</date>')), timestamp '2027-05-04 10:00', 'A date and a start make an instant');
select is((select topics from test.one('<keywords><keyword>Job Costing</keyword><keyword> </keyword></keywords>')), '{job-costing}', 'Keywords are tags');
select is((select source_key from test.one('<slug>x</slug>')), '1', 'A session is known by its id');
select is((select abstract from test.one('<abstract>it&#x2019;s 1 &lt; 2 &#38; 3</abstract>')), 'it’s 1 < 2 & 3', 'Entities are characters');
select is((select abstract from test.one('<abstract>it&amp;#x2019;s &amp;nbsp;&amp;amp; more</abstract>')), 'it’s  & more', 'also those of HTML inside XML');
select is((select abstract from test.one(E'<abstract>one\r\ntwo</abstract>')), E'one\ntwo', 'Lines of Windows are lines');
select is((select subtitle from test.one('<subtitle>Über 日本語 🎉 שלום</subtitle>')), 'Über 日本語 🎉 שלום', 'Any script, emoji, and texts from right to left');
select is((select abstract from test.one('<abstract>''; drop table event.events; -- $$ %s \\1</abstract>')), '''; drop table event.events; -- $$ %s \\1', 'A text is never a statement');

-- Byte order mark, declaration in another encoding, an event that stands in no room.
select is(test.import(E'\uFEFF' || '<?xml version="1.0" encoding="ISO-8859-1"?>' || E'\r\n' ||
    '<schedule><conference><acronym>odd</acronym></conference><day date="2027-05-03"><event guid="x"><title>Größe</title><date>2027-05-03T10:00:00+02:00</date></event></day></schedule>')
    ->> 'time_zone', 'Etc/GMT-2', 'The encoding a file once had is no matter, nor is a byte order mark');
select results_eq($q$ select session_title, room from test.sessions where slug = 'odd' $q$, $q$ values ('Größe', null::text) $q$, 'An event outside any room is a session without one');
select is(test.import('<!DOCTYPE schedule><schedule><conference><acronym>odd</acronym></conference></schedule>', null, 'UTC') ->> 'cancelled', '1', 'A document type without entities is no matter');

-- A large one.
create function test.large() returns text language sql as $$
    select '<schedule><conference><acronym>large</acronym><time_zone_name>UTC</time_zone_name></conference>' || (
        select string_agg(format('<day date="%s">%s</day>', date '2027-05-03' + d, (
            select string_agg(format('<room name="Room %s">%s</room>', r, (
                select string_agg(format('<event id="%s"><title>Talk %s</title><start>%s:00</start><duration>01:00</duration><abstract>%s</abstract><persons><person id="%s">Speaker %s</person></persons></event>',
                    (d * 50 + r) * 20 + i, i, to_char(i, 'FM00'), repeat('&lt;p&gt;Many words.&lt;/p&gt; ', 10), r, r), '') from generate_series(0, 19) as i)), '')
            from generate_series(1, 50) as r)), '')
        from generate_series(0, 4) as d) || '</schedule>'
$$;
select is(test.import(test.large()) - '{event,time_zone,time_zone_from}'::text[],
    '{"sessions": 5000, "added": 5000, "changed": 0, "cancelled": 0, "unchanged": 0, "rooms": 50, "tracks": 0, "speakers": 50, "days": 5}', 'Five thousand sessions are imported');

select * from finish();
rollback;
