-- The context: its shape, its limits, and that an answer comes from it alone.
begin;
select no_plan();

select test.add_session('acme', 'Session ' || i, '2027-05-03 10:00+02'::timestamptz + i * interval '1 minute', '2027-05-03 11:30+02', 'Tools') from generate_series(1, 30) as i;
insert into event.event_sponsors (tenant_id, event_id, key, name, tier, booth, booth_zone, topics, embedding)
select e.tenant_id, e.event_id, 's' || i, 'Sponsor ' || i, (array['platinum', 'gold', 'silver', 'bronze'])[1 + i % 4], 'A' || i, 'A', '{jobber}', model.embed_offline('scheduling ' || i)
from event.events as e, generate_series(1, 15) as i where e.event_id = test.event('acme');

select test.act_as('acme', 'anna');
select test.freeze('2027-05-03 10:15+02');
create temp table context as select chat.context(event.event_id('fair'), contractor.contractor_id('anna')) as body;

select bag_eq('select jsonb_object_keys(body) from context', array['contractor', 'general', 'event'], 'It has the three facets');
select ok(body -> 'contractor' ?& array['id', 'features'], 'contractor has id and features') from context;
select ok(body -> 'general' ? 'top_docs', 'general has top_docs') from context;
select ok(body -> 'event' ?& array['status', 'now_sessions', 'next60_sessions', 'sponsor_shortlist'], 'event has status, sessions and sponsors') from context;
select is(body #>> '{event,status}', 'during_event', 'The status is the event''s') from context;
select is(jsonb_array_length(body #> '{event,now_sessions}'), 12, 'At most twelve sessions are on') from context;
select is(jsonb_array_length(body #> '{event,next60_sessions}'), 12, 'At most twelve are next') from context;
select is(jsonb_array_length(body #> '{event,sponsor_shortlist}'), 12, 'At most twelve sponsors are listed') from context;
select is(body #> '{contractor,features}' ? 'embedding', false, 'Vectors are left out') from context;
select ok((select bool_and((s ->> 'score')::float8 between 0 and 1 and s -> 'why' <> '{}') from context, jsonb_path_query(body, '$.event.*[*]') as s where jsonb_typeof(s) = 'object'), 'Every item has a score and says why');
select is((select array_agg((s ->> 'score')::float8 order by n) from context, jsonb_array_elements(body #> '{event,next60_sessions}') with ordinality as x (s, n)),
    (select array_agg((s ->> 'score')::float8 order by (s ->> 'score')::float8 desc) from context, jsonb_array_elements(body #> '{event,next60_sessions}') as s), 'Best first');
select is(chat.context(event.event_id('fair'), contractor.contractor_id('anna')), (select body from context), 'The same question at the same time has the same context');

-- From the context alone: what is put in comes out, and nothing else.
select is(chat.answer_offline('next', '{"items": [], "event": "Fair of acme"}', null), 'Nothing starts at Fair of acme within the next hour.', 'An empty facet gives an honest answer');
select is(model.citations('sponsors', '{"event": {"title": "T", "sponsor_shortlist": [{"sponsor_id": "1", "name": "Nail & Co", "booth": "B2", "tier": "gold", "offers": []}]}}') #>> '{0,line}',
    'booth B2, gold', 'A line has what is known');
select is(model.citations('unknown', (select body from context)), '[]', 'Nothing known, nothing cited');

-- Classes and intents.
select is(chat.classify(m), c, format('"%s" is %s', m, c)) from (values
    ('The adhesive needs eight hours to cure', 'information'), ('What is next?', 'question'), ('what is next', 'question'), ('¿Qué hay ahora?', 'question'),
    ('Is booth B2 open', 'question'), ('Remind me tomorrow', 'request'), ('please book a demo', 'request'), ('Thanks!', 'small_talk'), ('Danke', 'small_talk'),
    ('Bitte zeig mir den Stand', 'request'), ('Der Kleber braucht acht Stunden', 'information'), ('Что дальше?', 'question'), ('什么时候？', 'question')) as v (m, c);
select is(chat.classify(''), null, 'An empty message is nothing') union all select is(chat.classify(null), null, 'Null is nothing');
select is(chat.intent(m), i, format('"%s" is about %s', m, i)) from (values
    ('What is on right now?', 'now'), ('What should I see next?', 'next'), ('Which sponsors should I visit?', 'sponsors'), ('What are my action items?', 'action_items'),
    ('Welche Aussteller soll ich besuchen?', 'sponsors'), ('Was läuft gerade?', 'now'), ('¿Qué charlas hay ahora?', 'now'), ('Qu''y a-t-il ensuite ?', 'next'),
    ('Tell me a joke', 'unknown'), ('', 'unknown'), ('''; drop table event.events; --', 'unknown')) as v (m, i);
select is(chat.topic('Anything about hiring in the next hour?'), 'hiring', 'The topic is what the question names');
select is(chat.topic('What should I see next?'), null, 'A question may name none');

-- Own action items.
select contractor.create_action_item(contractor.contractor_id('anna'), event.event_id('fair'), 'Ring the roofer', 'k', due_at => '2027-05-04 10:00+02');
select is(chat.turn(chat.ask(chat.open(event_id => event.event_id('fair'), contractor_id => contractor.contractor_id('anna')), 'What do I have on my list of action items?', 'list')) ->> 'answer',
    E'Your open action items:\n- Ring the roofer (open, due Tue 04 May 10:00) [A1]', 'Action items are listed with their due time in the event''s zone');

-- Refusals.
select throws_ok($$ select chat.context(gen_random_uuid(), contractor.contractor_id('anna')) $$, 'QC201', null, 'An unknown event');
select throws_ok($$ select chat.context(event.event_id('fair'), gen_random_uuid()) $$, 'QC202', null, 'An unknown contractor');
select throws_ok($$ select chat.context(null, null) $$, '22004', null, 'Nulls');
select set_config('my.anna', contractor.contractor_id('anna')::text, true);
select test.act_as('acme', 'bert');
select throws_ok($$ select contractor.contractor_id('anna') $$, 'QC202', null, 'Another attendee cannot be named');
select throws_ok($$ select chat.context(event.event_id('fair'), current_setting('my.anna')::uuid) $$, 'QC405', null, 'Someone else''s context');
select test.act_as('acme', 'sam');
select lives_ok($$ select chat.context(event.event_id('fair'), contractor.contractor_id('anna')) $$, 'A service asks for anyone of its tenant');

select * from finish();
rollback;
