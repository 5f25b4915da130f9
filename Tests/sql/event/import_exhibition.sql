-- What an event has beside its schedule: sponsors, rooms near booths, partners, contractors, attendees.
-- data: ./demo/exhibition.json into demo
begin;
select no_plan();

create function test.import(document jsonb, event_id uuid default test.event('acme')) returns jsonb language plpgsql as $$
declare
    v_counts jsonb;
begin
    perform test.act_as('acme', 'olga');
    v_counts := event.import_exhibition(event_id, document);
    perform test.act_as_superuser();
    return v_counts;
end
$$;
create function test.outcome(document jsonb, tenant text default 'acme', subject text default 'olga', event_id uuid default test.event('acme')) returns text language plpgsql as $$
declare
    v_outcome text;
begin
    begin
        perform test.act_as(tenant, subject);
        v_outcome := 'imported ' || event.import_exhibition(event_id, document)::text;
    exception when others then
        v_outcome := sqlstate || ' ' || sqlerrm;
    end;
    perform test.act_as_superuser();
    return v_outcome;
end
$$;
create function test.contents() returns text language sql as $$
    select md5(string_agg(v, '|' order by v)) from (
        select 'sponsor' || s.ctid || s from event.event_sponsors as s     union all select 'room' || r.ctid || r from event.rooms as r
        union all select 'partner' || p.ctid || p from contractor.strategic_partners as p
        union all select 'contractor' || c.ctid || c from contractor.contractors as c
        union all select 'attendee' || a.ctid || a from event.event_attendees as a
        union all select 'mark' || m from event.dirty_marks as m           union all select 'audit' || a from access.audit_log as a) as x (v)
$$;

create temporary table small on commit drop as select '{
    "sponsors": [
        {"key": "borea", "name": "Borea Heat Pumps", "tier": "platinum", "booth": "B2", "booth_zone": "B", "topics": ["Heat-Pumps", "retrofits ", "retrofits"],
         "offers": [{"title": "First five", "details": "Free of charge"}], "description": "Heat pumps for cold days", "url": "https://example.org/borea"},
        {"key": "plain", "name": "Plain & Sons", "tier": "bronze"}],
    "rooms": [{"name": "Red", "zone": "B"}, {"name": "Tent", "zone": null}],
    "partners": [{"key": "union", "name": "Lenders Union", "category": "financing", "goals": ["Grow"], "regions": ["Mountain"], "topics": ["loans"], "description": "Loans"}],
    "contractors": [
        {"key": "anna", "name": "Anna Attendee", "goal": "Grow", "role": "Owner", "revenue_band": "1M-5M", "team_size": 9, "region": "Mountain", "tech_stack": ["Jobber"],
         "preferred_tracks": ["Tools"], "profile": "Small crew"},
        {"key": "cem", "name": "Cem Carpenter", "company": "Cem & Co"}],
    "attendees": ["anna", "cem"]}'::jsonb as document;

-- Once, and again.
select is(test.import(document), '{"sponsors": 2, "rooms": 2, "partners": 1, "contractors": 2, "attendees": 1}', 'The report counts the rows written; who was registered before is not written')
from small;
create temporary table before on commit drop as select test.contents() as contents;
select is(test.import(document), '{"sponsors": 0, "rooms": 0, "partners": 0, "contractors": 0, "attendees": 0}', 'Again, none is written') from small;
select is(test.contents(), (select contents from before), 'nor marked, nor noted in the trail');

select results_eq($q$ select key::text, name, tier, booth, booth_zone, topics, offers, url, embedding is not null from event.event_sponsors order by key $q$, $q$ values
    ('borea', 'Borea Heat Pumps', 'platinum', 'B2', 'B', '{heat-pumps,retrofits}'::text[], '[{"title": "First five", "details": "Free of charge"}]'::jsonb, 'https://example.org/borea', true),
    ('plain', 'Plain & Sons', 'bronze', null, null, '{}', '[]', null, false) $q$, 'Sponsors are kept, topics in lower case and once');
select results_eq($q$ select name, zone from event.rooms where event_id = test.event('acme') order by name $q$, $q$ values ('Blue', 'B'), ('Red', 'B'), ('Tent', null) $q$,
    'A known room is moved to its zone, a new one added, another left alone');
select results_eq($q$ select key::text, category, goals, regions, topics from contractor.strategic_partners $q$,
    $q$ values ('union', 'financing', '{grow}'::text[], '{mountain}'::text[], '{loans}'::text[]) $q$, 'Partners are kept');
select results_eq($q$ select c.key::text, c.goal, c.role, c.revenue_band, c.team_size, c.tech_stack, c.preferred_tracks, p.subject
        from contractor.contractors as c left join access.people as p using (person_id) join access.tenants as t on t.tenant_id = c.tenant_id where t.slug = 'acme' order by 1 $q$, $q$ values
    ('anna', 'grow', 'owner', '1m-5m', 9, '{jobber}'::text[], '{tools}'::text[], 'anna'), ('cem', null, null, null, null, '{}', '{}', null) $q$,
    'Contractors are kept, and are the person who signs in under their key');
select set_eq($q$ select c.key::text from event.event_attendees as a join contractor.contractors as c using (contractor_id) where a.event_id = test.event('acme') $q$, array['anna', 'cem'],
    'Attendees are registered');

-- Updates.
select is(test.import(jsonb_set(document, '{sponsors,1,tier}', '"silver"')) - 'x', '{"sponsors": 1, "rooms": 0, "partners": 0, "contractors": 0, "attendees": 0}', 'One sponsor''s tier') from small;
select is(test.import(jsonb_set(document, '{contractors,1,team_size}', '3')) -> 'contractors', '1', 'One contractor''s team') from small;
select access.create_person('acme', 'cem', 'Cem Carpenter');
select is(test.import(document) -> 'contractors', '1', 'Who can sign in now') from small;
select is((select p.subject from contractor.contractors as c join access.people as p using (person_id) where c.key = 'cem'), 'cem', 'is that person from now on');
select is(test.import('{"sponsors": [{"key": "third", "name": "Third", "tier": "gold"}]}'), '{"sponsors": 1, "rooms": 0, "partners": 0, "contractors": 0, "attendees": 0}',
    'A part may be imported alone');
select is((select count(*) from event.event_sponsors), 3::bigint, 'and removes nothing');
select is(test.import('{}'), '{"sponsors": 0, "rooms": 0, "partners": 0, "contractors": 0, "attendees": 0}', 'An empty object changes nothing');
select is(test.import('{"sponsors": null, "attendees": [], "comment": "x"}'), '{"sponsors": 0, "rooms": 0, "partners": 0, "contractors": 0, "attendees": 0}', 'Nor do null, an empty array, or a key it does not know');
select is(test.import('{"sponsors": [{"key": "odd", "name": "''; drop table event.events; --", "tier": "gold", "booth": 7, "topics": null, "offers": null}]}') -> 'sponsors', '1', 'Any name, a number for a booth, null for a list');

-- The demo's own exhibition: larger, and the first a reader meets. Counted in itself.
select is(test.import(body::jsonb),
    (select jsonb_object_agg(k, jsonb_array_length(body::jsonb -> k)) from unnest(array['sponsors', 'rooms', 'partners', 'contractors', 'attendees']) as k),
    'Every row of the demo is written') from demo;
select is(test.import(body::jsonb), '{"sponsors": 0, "rooms": 0, "partners": 0, "contractors": 0, "attendees": 0}', 'once') from demo;

-- Refusals.
update before set contents = test.contents();
select is(test.outcome(document::jsonb), refusal, sentence)
from (values
    (null,                                                            '22004 a document is required',                                                               'Null'),
    ('null',                                                          'QC205 the exhibition is not a JSON object',                                                  'JSON null'),
    ('[]',                                                            'QC205 the exhibition is not a JSON object',                                                  'A list'),
    ('"x"',                                                           'QC205 the exhibition is not a JSON object',                                                  'A text'),
    ('{"sponsors": {}}',                                              'QC204 the exhibition is malformed at sponsors: an array is expected, not {}',                'Sponsors that are no list'),
    ('{"sponsors": [{"key": "a", "name": "A", "tier": "gold"}, 4]}',  'QC204 the exhibition is malformed at sponsors[1]: an object is expected, not 4',             'A sponsor that is a number'),
    ('{"sponsors": [null]}',                                          'QC204 the exhibition is malformed at sponsors[0]: an object is expected, not null',          'One that is nothing'),
    ('{"sponsors": [{"key": "a", "name": "A", "tier": "gold", "topics": "x"}]}',      'QC204 the exhibition is malformed at sponsors[0].topics: an array of texts is expected, not "x"',      'Topics that are a text'),
    ('{"sponsors": [{"key": "a", "name": "A", "tier": "gold", "topics": ["x", 3]}]}', 'QC204 the exhibition is malformed at sponsors[0].topics: an array of texts is expected, not ["x", 3]', 'A topic that is a number'),
    ('{"sponsors": [{"key": "a", "name": "A", "tier": "gold", "offers": {}}]}',       'QC204 the exhibition is malformed at sponsors[0].offers: an array is expected, not {}',                'Offers that are no list'),
    ('{"sponsors": [{"key": "a", "name": {"en": "A"}, "tier": "gold"}]}',             'QC204 the exhibition is malformed at sponsors[0].name: text is expected, not {"en": "A"}',             'A name in languages'),
    ('{"sponsors": [{"key": "a", "name": "A", "tier": "gold"}, {"key": "a", "name": "B", "tier": "gold"}]}', 'QC204 the exhibition is malformed at sponsors[1]: "a" is there twice', 'A key twice'),
    ('{"rooms": [{"name": "Red", "zone": "A"}, {"name": "Red", "zone": "B"}]}',       'QC204 the exhibition is malformed at rooms[1]: "Red" is there twice',                                  'A room twice'),
    ('{"partners": [{"key": "a", "name": "A", "category": "x", "goals": [["x"]]}]}',  'QC204 the exhibition is malformed at partners[0].goals: an array of texts is expected, not [["x"]]',   'A list in a list'),
    ('{"contractors": [{"key": "a", "name": "A", "team_size": "eight"}]}',            'QC204 the exhibition is malformed at contractors[0].team_size: a whole number is expected, not "eight"', 'A number in words'),
    ('{"contractors": [{"key": "a", "name": "A", "team_size": 99999999999}]}',        'QC204 the exhibition is malformed at contractors[0].team_size: a whole number is expected, not 99999999999', 'A number too large'),
    ('{"contractors": [{"key": "a", "name": "A", "team_size": 1.5}]}',                'QC204 the exhibition is malformed at contractors[0].team_size: a whole number is expected, not 1.5',   'Half a person'),
    ('{"attendees": "anna"}',                                         'QC204 the exhibition is malformed at attendees: an array is expected, not "anna"',           'Attendees that are a text'),
    ('{"attendees": [{"key": "anna"}]}',                              'QC204 the exhibition is malformed at attendees[0]: text is expected, not {"key": "anna"}',   'An attendee who is an object'),
    ('{"attendees": ["anna", "nobody"]}',                             'QC202 there is no contractor "nobody"',                                                      'An attendee nobody knows'),
    ('{"sponsors": [{"key": "a", "name": "A", "tier": "gold"}], "attendees": ["nobody"]}', 'QC202 there is no contractor "nobody"',                                 'also when the rest is right')
) as t (document, refusal, sentence);

-- What a constraint says in a sentence is left to it.
select is(left(test.outcome(document::jsonb), 5), code, sentence)
from (values
    ('{"sponsors": [{"key": "a", "name": "A", "tier": "diamond"}]}',         '23514', 'A tier there is none'),
    ('{"sponsors": [{"key": "A B", "name": "A", "tier": "gold"}]}',          '23514', 'A key that is no slug'),
    ('{"sponsors": [{"key": "a", "name": "", "tier": "gold"}]}',             '23514', 'An empty name'),
    ('{"sponsors": [{"key": "a", "tier": "gold"}]}',                         '23502', 'No name'),
    ('{"sponsors": [{"name": "A", "tier": "gold"}]}',                        '23502', 'No key'),
    ('{"rooms": [{"zone": "A"}]}',                                           '23502', 'A room without a name'),
    ('{"partners": [{"key": "a", "name": "A"}]}',                            '23502', 'A partner without a category'),
    ('{"contractors": [{"key": "a", "name": "A", "team_size": 0}]}',         '23514', 'A team of nobody')
) as t (document, code, sentence);
select matches(test.outcome('{"sponsors": [{"key": "a", "name": "A", "tier": "diamond"}]}'), 'a tier is platinum, gold, silver or bronze', 'and says which there are');

-- Who may.
select is(test.outcome(document, subject => 'anna'), 'QC405 this needs role organizer', 'An attendee may not') from small;
select is(test.outcome(document, tenant => 'globex'), format('QC201 there is no event %s', test.event('acme')), 'Another tenant''s organizer does not even see the event') from small;
select is(test.outcome(document, event_id => null), '22004 an event is required', 'Without an event it is refused') from small;
select is(test.contents(), (select contents from before), 'After all this nothing has changed');

-- Partners and contractors need no event.
select test.act_as('globex', 'olga');
select is(contractor.import_contractors((select jsonb_build_object('partners', '[{"key": "union", "name": "Lenders Union", "category": "financing"}]'::jsonb))), '{"partners": 1, "contractors": 0}',
    'Partners and contractors can be imported by themselves');
select throws_ok($q$ select contractor.import_contractors('{"contractors": [{"key": "a", "name": "A", "tech_stack": "x"}]}') $q$, 'QC204',
    'the exhibition is malformed at contractors[0].tech_stack: an array of texts is expected, not "x"', 'and are checked alike');
select throws_ok('select contractor.import_contractors(null)', '22004', 'a document is required', 'also null');
select results_eq('select key::text from contractor.strategic_partners', array['union'], 'Each tenant has its own');
select test.act_as('globex', 'anna');
select throws_ok('select contractor.import_contractors(''{}'')', 'QC405', 'this needs role organizer', 'Attendees may not');
select test.act_as_superuser();

select * from finish();
rollback;
