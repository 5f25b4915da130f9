-- data: ./demo/conference.json into conference
-- data: ./demo/exhibition.json into exhibition
-- data: ./demo/traces.json into traces
--
-- The demo conference, asked by its attendees at fixed times: the intent, and the first sessions or sponsors in order. What is
-- expected was written before the scorer ran, by what a person would recommend.
begin;
select no_plan();

select access.create_tenant('hearth', 'Hearth & Beam');
select access.create_person('hearth', 'organizer', 'The organizer', '{organizer}');
select access.create_person('hearth', c ->> 'key', c ->> 'name')
from exhibition, jsonb_array_elements(body::jsonb -> 'contractors') as c;

select set_config('request.jwt', access.issue_token('hearth', 'organizer'), true);
select is(r ->> 'added', '40', 'The conference loads') from conference, event.import_schedule(body) as r;
select is(r, '{"rooms": 5, "partners": 10, "sponsors": 17, "attendees": 14, "contractors": 16}', 'So does the exhibition')
from exhibition, event.import_exhibition(event.event_id('hearth-beam-2027'), body::jsonb) as r;

-- Asked as that attendee, under row-level security, at that time.
create function pg_temp.ask(at timestamptz, subject text, question text) returns jsonb language plpgsql as $$
declare
    v_reply jsonb;
begin
    perform test.freeze(at);
    perform test.act_as('hearth', subject);
    v_reply := chat.turn(chat.ask(chat.open(event_id => event.event_id('hearth-beam-2027'), contractor_id => contractor.contractor_id(subject)),
        question, 'k' || gen_random_uuid()));
    perform set_config('role', 'none', true);
    return v_reply;
end
$$;

create function pg_temp.key_of(citation jsonb) returns text language sql as $$
    select case citation ->> 'kind'
        when 'session' then (select substring(s.url from '([^/]+)/?$') from event.event_speakers as s where s.session_id::text = citation ->> 'of')
        when 'sponsor' then (select p.key::text from event.event_sponsors as p where p.sponsor_id::text = citation ->> 'of') end $$;

create temp table reply as
select t.n, t.trace ->> 'name' as name, t.trace ->> 'intent' as intent, t.trace ->> 'question' as question,
    array(select jsonb_array_elements_text(t.trace -> 'expect')) as expected,
    pg_temp.ask((t.trace ->> 'at')::timestamptz, t.trace ->> 'as', t.trace ->> 'question') as got
from traces, jsonb_array_elements(body::jsonb) with ordinality as t (trace, n);

select cmp_ok(count(*)::int, '>=', 20, 'There are at least twenty traces') from reply;

select is(array[got ->> 'intent'] || array(
        select pg_temp.key_of(c) from jsonb_array_elements(got -> 'citations') with ordinality as x (c, i)
        where i <= case when expected = '{}' then 3 else cardinality(expected) end order by i),
    array[intent] || expected, format('%s: "%s"', name, question))
from reply order by n;

-- Every citation is of this event, numbered, and named in the answer.
select is((select count(*)::int from reply, jsonb_array_elements(got -> 'citations') as c
    where position(format('- %s (%s) [%s]', c ->> 'title', c ->> 'text', c ->> 'id') in got ->> 'answer') = 0), 0, 'Every citation stands in the answer');
select is((select count(*)::int from reply, jsonb_array_elements(got -> 'citations') as c
    where c ->> 'kind' = 'session' and not exists (select from event.event_speakers as s where s.session_id::text = c ->> 'of')), 0, 'Every cited session exists');
select is((select count(*)::int from reply where got ->> 'answer' ~ '\[[A-Z]\d+\]' and got -> 'citations' = '[]'), 0, 'No answer has marks without citations');

select * from finish();
rollback;
