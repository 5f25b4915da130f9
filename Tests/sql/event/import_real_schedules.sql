-- Four published schedules as their tools wrote them. Every figure the importer reports is counted in the file a second way,
-- by expressions over its text, so that both would have to be wrong alike.
--
-- The files are beside the project and not part of it; without them this file skips. It prints no speaker's name.
-- data: sched_38c3/38c3-2024.xml.gz into c38
-- data: sched_fosdem2024/fosdem-2024.xml.gz into fosdem
-- data: sched_camp2019/camp2019.json.gz into camp
-- data: sched_pyconfr2024/pyconfr-2024.json.gz into pyconfr
begin;
select no_plan();

create function test.import(document text, event_slug text default null, time_zone text default null) returns jsonb language plpgsql as $$
declare
    v_report jsonb;
begin
    perform test.act_as('acme', 'olga');
    v_report := event.import_schedule(document, event_slug, time_zone);
    perform test.act_as_superuser();
    return v_report - 'event_id';
end
$$;

-- Every row version of the event tables, the trail and the marks: a row that is written again, even alike, is another version.
create function test.row_versions() returns text language sql as $$
    select md5(string_agg(v, '|' order by v)) from (
        select 'event' || ctid from event.events          union all select 'day'     || ctid from event.event_days
        union all select 'room'    || ctid from event.rooms            union all select 'track'   || ctid from event.tracks
        union all select 'session' || ctid from event.event_speakers   union all select 'speaker' || ctid from event.speakers
        union all select 'link'    || ctid from event.session_speakers union all select 'mark'    || ctid from event.dirty_marks
        union all select 'audit'   || ctid from access.audit_log) as r (v)
$$;

create view test.sessions as
    select s.*, e.slug, e.time_zone,
        (select count(*)::int from event.session_speakers as l where l.session_id = s.session_id) as speaker_count
    from event.event_speakers as s join event.events as e using (event_id);

-- Loads a file twice; the second time must write nothing.
create function test.loads_once(document text, expected jsonb, event_slug text default null) returns setof text language plpgsql as $$
declare
    v_versions text;
begin
    return next is(test.import(document, event_slug), expected || jsonb_build_object('added', expected -> 'sessions', 'unchanged', 0),
        format('%s: the report counts what the file holds', expected ->> 'event'));
    v_versions := test.row_versions();
    return next is(test.import(document, event_slug), expected || jsonb_build_object('added', 0, 'unchanged', expected -> 'sessions'),
        format('%s: loaded again, nothing is added, changed or cancelled', expected ->> 'event'));
    return next is(test.row_versions(), v_versions, format('%s: and no row was written, no mark and no audit entry', expected ->> 'event'));
end
$$;

-- 38C3: 1,007 sessions in c3voc XML, the conference's bounds in UTC, days that end at six in the morning.
create function test.c38() returns setof text language plpgsql as $$
declare
    v_body text := (select body from c38);
    v_xml  xml;
begin
    if v_body is null then
        return next skip('38c3: the file is not at hand');
        return;
    end if;
    v_xml := xmlparse(document v_body);

    return query select test.loads_once(v_body, jsonb_build_object(
        'event', '38c3', 'format', 'frab XML', 'time_zone', 'Europe/Berlin', 'time_zone_from', 'file',
        'sessions', (select count(*) from regexp_matches(v_body, '<event ', 'g')),
        'changed', 0, 'cancelled', 0,
        'rooms', (select count(distinct n::text) from unnest(xpath('/schedule/day/room/@name', v_xml)) as n),
        'tracks', (xpath('count(/schedule/conference/track)', v_xml))[1]::text::int,
        'speakers', (select count(distinct n::text) from unnest(xpath('//person/@guid', v_xml)) as n),
        'days', (xpath('count(/schedule/day)', v_xml))[1]::text::int));

    return next is((select count(*) from test.sessions where slug = '38c3'), 1007::bigint, '38c3 has 1,007 sessions');
    return next is((select count(distinct source_key) from test.sessions where slug = '38c3'), 1007::bigint, 'each under a key of its own');
    return next is((select count(distinct p.name) from event.speakers as p join event.events as e using (event_id) where e.slug = '38c3'),
        (select count(distinct normalized) from (select btrim(regexp_replace(n::text, '\s+', ' ', 'g')) as normalized
            from unnest(xpath('//person/text()', v_xml)) as n) as names),
        'Speakers have as many names as in the file');
    return next is((select sum(speaker_count) from test.sessions where slug = '38c3'),
        (xpath('count(//person)', v_xml))[1]::text::bigint, 'Every appearance of a speaker is kept');
    return next is((select count(*)::int from test.sessions where slug = '38c3' and speaker_count = 0),
        (xpath('count(//event[not(persons/person)])', v_xml))[1]::text::int, 'As many sessions have no speaker');
    return next is((select count(*)::int from test.sessions where slug = '38c3' and track is null),
        (xpath('count(//event[not(normalize-space(track))])', v_xml))[1]::text::int, 'As many have no track: an empty one is none');
    return next is((select count(*)::int from test.sessions where slug = '38c3' and language is null),
        (xpath('count(//event[not(normalize-space(language))])', v_xml))[1]::text::int, 'As many have no language');
    return next is((select count(distinct session_type) from test.sessions where slug = '38c3'), 24::bigint, 'There are 24 types');

    return next is((select starts_at from event.events where slug = '38c3'), timestamptz '2024-12-27 10:30+01',
        'The conference starts at 09:30 UTC, which is 10:30 in Hamburg');
    return next is((select ends_at from event.events where slug = '38c3'), (select max(session_end) from test.sessions where slug = '38c3'),
        'It ends with its last session, after the end the file declares');
    return next results_eq(
        $q$ select d.date, d.starts_at from event.event_days as d join event.events as e using (event_id) where e.slug = '38c3' order by d.day_index $q$,
        $q$ values (date '2024-12-27', timestamptz '2024-12-27 09:30+00'), ('2024-12-28', '2024-12-28 06:00+01'),
                   ('2024-12-29', '2024-12-29 06:00+01'), ('2024-12-30', '2024-12-30 06:00+01') $q$,
        'Days begin when the file says, in UTC or with an offset');
    return next results_eq(
        $q$ select session_start at time zone time_zone, session_end at time zone time_zone from test.sessions
            where slug = '38c3' and session_title like 'Operation Mindfuck%' order by session_start limit 1 $q$,
        $q$ values (timestamp '2024-12-27 23:50', timestamp '2024-12-28 00:50') $q$,
        'A session across midnight is one session');
    return next is((select count(*)::int from test.sessions
            where slug = '38c3' and (session_start at time zone time_zone)::date <> (session_end at time zone time_zone - interval '1 microsecond')::date),
        26, '26 sessions run across midnight');
    return next is((select max(session_end - session_start) from test.sessions where slug = '38c3'), interval '12 hours', 'The longest takes 12 hours');
    return next is((select max(on_now)::int from (
            select count(*) as on_now from test.sessions as a join test.sessions as b
                on b.slug = '38c3' and b.session_start <= a.session_start and b.session_end > a.session_start
            where a.slug = '38c3' group by a.session_id) as o),
        41, 'At most 41 are on at once');
    return next is((select count(*)::int from test.sessions as a join test.sessions as b on b.slug = a.slug and b.room = a.room
            and a.session_id < b.session_id and tstzrange(a.session_start, a.session_end) && tstzrange(b.session_start, b.session_end)
            where a.slug = '38c3'),
        2, 'Two pairs overlap in one room, as in the file: that is for people to sort out');
    return next ok(not exists (select from test.sessions where slug = '38c3' and concat(session_title, abstract, description) ~ '&(#[0-9]+|[a-z]+);'),
        'No entity is left in any text');
    return next is((select session_title from test.sessions where slug = '38c3' and source_key = '270fa44c-821a-577f-8ca3-33e8d4a8c2a7'),
        '38C3: Opening Ceremony', 'A session is known by its guid');
end
$$;
select test.c38();

-- FOSDEM: 876 sessions in 35 rooms, abstracts in HTML, tracks beside the conference.
create function test.fosdem() returns setof text language plpgsql as $$
declare
    v_body text := (select body from fosdem);
    v_xml  xml;
begin
    if v_body is null then
        return next skip('FOSDEM: the file is not at hand');
        return;
    end if;
    v_xml := xmlparse(document v_body);

    return query select test.loads_once(v_body, jsonb_build_object(
        'event', 'fosdem-2024', 'format', 'frab XML', 'time_zone', 'Europe/Brussels', 'time_zone_from', 'file',
        'sessions', (select count(*) from regexp_matches(v_body, '<event ', 'g')),
        'changed', 0, 'cancelled', 0,
        'rooms', (select count(distinct n::text) from unnest(xpath('/schedule/day/room/@name', v_xml)) as n),
        'tracks', (select count(*) from regexp_matches(v_body, '<track online_qa', 'g')),
        'speakers', (select count(distinct m[1]) from regexp_matches(v_body, '<person id="(\d+)">', 'g') as m),
        'days', 2));

    return next is((select count(*) from test.sessions where slug = 'fosdem-2024'), 876::bigint, 'FOSDEM has 876 sessions');
    return next is((select count(*) from event.rooms as r join event.events as e using (event_id) where e.slug = 'fosdem-2024'), 35::bigint, 'in 35 rooms');
    return next is((select count(distinct room) from test.sessions where slug = 'fosdem-2024'), 29::bigint, 'of which 29 are used');
    return next is((select count(*) from event.tracks as t join event.events as e using (event_id) where e.slug = 'fosdem-2024'), 67::bigint, 'and 67 tracks');
    return next is((select count(distinct track) from test.sessions where slug = 'fosdem-2024'), 65::bigint, 'of which 65 are used');
    return next is((select count(distinct p.name) from event.speakers as p join event.events as e using (event_id) where e.slug = 'fosdem-2024'), 942::bigint,
        '945 speakers have 942 names');
    return next is((select count(*)::int from test.sessions where slug = 'fosdem-2024' and speaker_count = 0), 6, 'Six sessions have no speaker');
    return next is((select count(*) from test.sessions where slug = 'fosdem-2024' and abstract is not null),
        (xpath('count(//event[normalize-space(abstract)])', v_xml))[1]::text::bigint, 'No abstract was lost with its tags');
    return next ok(not exists (select from test.sessions where slug = 'fosdem-2024'
            and concat(abstract, description) ~* '</?(p|a|ul|ol|li|em|strong|code|pre|br|h[1-6]|blockquote)( [^>]*)?/?>'),
        'No HTML is left in abstracts and descriptions');
    return next ok(not exists (select from test.sessions where slug = 'fosdem-2024' and concat(abstract, description) ~ '&(lt|gt|amp|quot|nbsp|hellip);'),
        'and no entity');
    return next is((select min(session_start at time zone time_zone) from test.sessions where slug = 'fosdem-2024'), timestamp '2024-02-03 09:30',
        'It opens at half past nine');
    return next is((select ends_at from event.events where slug = 'fosdem-2024'), timestamptz '2024-02-05 00:00+01',
        'An end without a time of day is the end of that day');
end
$$;
select test.fosdem();

-- The Chaos Communication Camp: frab JSON, two stages, days from nine to four in the morning.
create function test.camp() returns setof text language plpgsql as $$
declare
    v_body text := (select body from camp);
begin
    if v_body is null then
        return next skip('Camp 2019: the file is not at hand');
        return;
    end if;

    return query select test.loads_once(v_body, jsonb_build_object(
        'event', 'camp2019', 'format', 'frab JSON', 'time_zone', 'Europe/Berlin', 'time_zone_from', 'file',
        'sessions', (select count(*) from jsonb_path_query(v_body::jsonb, '$.schedule.conference.days[*].rooms.*[*]')),
        'changed', 0, 'cancelled', 0,
        'rooms', (select count(distinct k) from jsonb_path_query(v_body::jsonb, '$.schedule.conference.days[*].rooms') as r, jsonb_object_keys(r) as k),
        'tracks', (select count(distinct t) from jsonb_path_query(v_body::jsonb, '$.schedule.conference.days[*].rooms.*[*].track') as t),
        'speakers', (select count(distinct p) from jsonb_path_query(v_body::jsonb, '$.schedule.conference.days[*].rooms.*[*].persons[*].id') as p),
        'days', jsonb_array_length(v_body::jsonb #> '{schedule,conference,days}')));

    return next is((select count(*) from test.sessions where slug = 'camp2019'), 79::bigint, 'The camp has 79 sessions');
    return next is((select count(distinct p.name) from event.speakers as p join event.events as e using (event_id) where e.slug = 'camp2019'), 90::bigint,
        'by 90 speakers');
    return next results_eq(
        $q$ select language, count(*)::int from test.sessions where slug = 'camp2019' group by language order by language $q$,
        $q$ values ('de', 24), ('en', 55) $q$, '24 in German, 55 in English');
    return next results_eq(
        $q$ select session_start, session_end from test.sessions
            where slug = 'camp2019' and (session_start at time zone time_zone)::date <> (session_end at time zone time_zone)::date $q$,
        $q$ values (timestamptz '2019-08-22 23:00+02', timestamptz '2019-08-23 00:30+02') $q$, 'One runs across midnight');
    return next results_eq(
        $q$ select d.date, d.ends_at at time zone e.time_zone from event.event_days as d join event.events as e using (event_id)
            where e.slug = 'camp2019' and d.day_index = 5 $q$,
        $q$ values (date '2019-08-25', timestamp '2019-08-26 04:00') $q$, 'The fifth day ends at four the next morning');
    return next is((select ends_at from event.events where slug = 'camp2019'), timestamptz '2019-08-27 00:00+02', 'The camp ends with the closing day');
    return next is((select array_agg(c order by c) from (select unnest(array_agg(d.n)) as c from (
            select count(*)::int as n from test.sessions where slug = 'camp2019'
            group by (session_start at time zone time_zone - interval '4 hours')::date) as d) as x), array[9, 17, 17, 17, 19],
        '17, 17, 19, 17 and 9 sessions a day');
end
$$;
select test.camp();

-- PyConFR: pretalx talks by date, minute and room, without a time zone or a name.
create function test.pyconfr() returns setof text language plpgsql as $$
declare
    v_body text := (select body from pyconfr);
begin
    if v_body is null then
        return next skip('PyConFR: the file is not at hand');
        return;
    end if;

    return query select test.loads_once(v_body, jsonb_build_object(
        'event', 'pyconfr-2024', 'format', 'pretalx JSON', 'time_zone', 'Etc/GMT-1', 'time_zone_from', 'offsets',
        'sessions', (select count(*) from jsonb_path_query(v_body::jsonb, '$.schedule.*.*.*.code')),
        'changed', 0, 'cancelled', 0,
        'rooms', (select count(distinct r) from jsonb_path_query(v_body::jsonb, '$.schedule.*.*.*.slot.room.fr') as r),
        'tracks', 0,
        'speakers', (select count(distinct c) from jsonb_path_query(v_body::jsonb, '$.schedule.*.*.*.speakers[*].code') as c),
        'days', 2), 'PyConFR 2024');

    return next is((select count(*) from test.sessions where slug = 'pyconfr-2024'), 68::bigint, 'PyConFR has 68 sessions');
    return next results_eq(
        $q$ select language, count(*)::int from test.sessions where slug = 'pyconfr-2024' group by language order by language $q$,
        $q$ values ('en', 18), ('fr', 50) $q$, '18 in English, 50 in French');
    return next results_eq(
        $q$ select (session_start at time zone time_zone)::date, count(*)::int from test.sessions where slug = 'pyconfr-2024' group by 1 order by 1 $q$,
        $q$ values (date '2024-11-02', 38), ('2024-11-03', 30) $q$, '38 on Saturday, 30 on Sunday');
    return next is((select array_agg(distinct session_type order by session_type)::text from test.sessions where slug = 'pyconfr-2024' and session_type like '%lenary%'),
        '{Plenary,"Short plenary"}', 'Of two languages the English name is taken');
    return next is((select session_end - session_start from test.sessions where slug = 'pyconfr-2024' and source_key = 'JDQLRV'), interval '30 minutes',
        'A session is known by its code, and ends when its slot does');
    return next throws_ok(format('select test.import(%L)', v_body), 'QC205', 'the schedule does not name its event',
        'Without event_slug a file without a name is refused');
    perform test.import(v_body, 'pyconfr-2024', 'Europe/Paris');
    return next is((select e.time_zone::text from event.events as e where e.slug = 'pyconfr-2024'), 'Europe/Paris', 'The caller''s time zone overrules the offsets');
end
$$;
select test.pyconfr();

select * from finish();
rollback;
