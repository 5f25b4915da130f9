-- What a turn can look up: partners, things to learn, a plan, the state of the event; each item with why it is there.
begin;
select no_plan();
select test.freeze('2027-05-03 10:00+02');
select test.act_as('acme', 'olga');
select contractor.import_contractors('{"partners": [{"key": "roofco", "name": "Roofco", "category": "Roofing", "goals": ["adopt-technology"], "regions": ["mountain"], "description": "Roofs"}, {"key": "far", "name": "Farway", "category": "Paint", "description": "Paint"}]}');
select is(contractor.import_learning('[{"key": "estimates", "kind": "book", "title": "Estimates That Hold", "creator": "Ann Author", "goals": ["adopt-technology"], "topics": ["Estimating"], "chapters": [{"title": "Why bids fail", "page": 9}, {"title": "Estimating tools for a small crew", "page": 71}]},
    {"key": "van", "kind": "podcast", "title": "In the Van", "topics": ["hiring"], "description": "Hiring people who stay", "chapters": [{"title": "Hiring", "starts_at": 754.5}], "url": "https://example.com/van"}]'), 2::bigint, 'Things to learn come in');
select is(contractor.import_learning('[{"key": "van", "kind": "podcast", "title": "In the Van", "description": "Hiring people who stay", "chapters": [{"title": "Hiring", "starts_at": 754.5}], "url": "https://example.com/van"}]'), 1::bigint, 'and again, in their place');
select throws_ok(format('select contractor.import_learning(%L)', d), code, null, d) from (values ('{}', 'QC205'), ('[{"key": "x", "kind": "book", "title": "T", "chapters": [{}]}]', 'QC204'), ('[{"key": "x", "kind": "book", "title": "T", "chapters": [{"title": "a", "starts_at": "soon"}]}]', 'QC204'),
    ('[{"key": "x", "kind": "play", "title": "T"}]', '23514'), ('[{"key": "x", "kind": "book"}]', '23502'), ('[{"key": "x", "kind": "book", "title": "T", "chapters": {}}]', '23514')) as t (d, code);
select test.act_as('globex', 'olga');
select contractor.import_contractors('{"partners": [{"key": "theirs", "name": "Theirs", "category": "Secret", "goals": ["adopt-technology"], "regions": ["mountain"]}]}');
select contractor.import_learning('[{"key": "theirs", "kind": "book", "title": "Their Secret", "goals": ["adopt-technology"]}]');

select test.act_as('acme', 'anna');
select throws_ok($$ select contractor.import_learning('[]') $$, 'QC405', null, 'An attendee brings none');
create temp table fair as select chat.open(event_id => test.event('acme'), contractor_id => test.contractor('acme')) as id;
create function pg_temp.ask(question text) returns jsonb language sql as $$ select chat.turn(chat.ask(f.id, question, question)) from fair as f $$;
select is((pg_temp.ask('Whom should I work with?')) ->> 'answer', E'Worth working with, best for you first:\n- Roofco (Roofing, Roofs) [M1]\n- Farway (Paint, Paint) [M2]', 'Partners of one''s own tenant');
select is((pg_temp.ask('Which book or podcast should I read or listen to?')) ->> 'answer', E'Worth your time, best for you first:\n- Estimates That Hold (book by Ann Author, begin with "Estimating tools for a small crew", page 71) [L1]\n- In the Van (podcast, begin with "Hiring", at 00:12:34) [L2]', 'What to learn, and where to begin');
select is((pg_temp.ask('A podcast about hiring people?')) #>> '{citations,0,title}', 'In the Van', 'What a question names comes first');
select is((pg_temp.ask('A podcast about hiring people?')) #>> '{citations,0,url}', 'https://example.com/van', 'with its address');
select matches((pg_temp.ask('Make me an action plan')) ->> 'answer', '^Three steps:\n- Write down the three people.*\(by Thu 06 May 09:00\) \[T1\]\n- Read "Estimates That Hold" \(by Mon 10 May 09:00, .*\) \[T2\]\n- Agree on a first project with Roofco \(by Wed 02 Jun 09:00, Roofs\) \[T3\]$', 'A plan has three steps, in 3, 7 and 30 days');
select is((pg_temp.ask('When does the fair end?')) ->> 'answer', E'So it stands:\n- Fair of acme (during event; from Mon 03 May 2027 09:00 to Tue 04 May 2027 18:00) [E1]', 'How it stands');
select ok((select bool_and(i ? 'why') from chat.turns, jsonb_array_elements(bundle -> 'items') as i where plan ->> 'intent' in ('partner', 'learning')), 'Each says why it is there');
select is((select count(*) from contractor.learning_items), 2::bigint, 'Nobody sees another tenant''s');
select is((select sum(count(*)) over () from contractor.action_plan(test.contractor('acme'), test.event('acme')) where follow_up ~ '^How did it go\?'), 3::numeric, 'A follow-up may remind of each');

-- The same by a turn that goes on without anybody signed in, under no policy.
select test.act_as_superuser();
select model.set_provider('test', 'openai', 'http://models.example');
select model.set_model('faraway', 'embed', 'test'), model.set_model('small', 'generate', 'test');
select test.act_as('acme', 'olga');
select knowledge.create_workspace('far', 'Far', '{}', null);
select knowledge.open_generation('far', 'faraway', 3);
select model.register_prompt('host', 'Help.'), model.label_prompt('host', 'production', 1), model.register_agent('host', 'host', 'small'), model.promote('host', 1);
create temp table turn as select chat.ask(chat.open('host', test.event('acme'), test.contractor('acme'), 'far'), 'Whom should I work with?', 'k') as id;
select is((select state from chat.turns join turn on id = turn_id), 'gathering', 'A question waits for its vector');
select test.act_as_superuser();
select queue.finish(c.job_id, c.token, '{"embeddings": [[1, 0, 0]]}') from queue.claim('test', '{embed}', 1) as c;
select is((select array(select i ->> 'title' from jsonb_array_elements(bundle -> 'items') as i) from chat.turns join turn on id = turn_id), '{Roofco,Farway}', 'and sees what its person may see');

select * from finish();
rollback;
