-- An answer is given again on the same ground, and on no other: off unless an agent's version has it, keyed on tenant, access scope, version
-- and content, and checked again.
begin;
select no_plan();
select test.freeze('2027-05-03 10:00+02');
select test.add_session(t, 'Estimating tools for small crews', '2027-05-03 09:30+02', '2027-05-03 10:30+02', 'Tools', 'Red') from unnest(array['acme', 'globex']) as t;
select model.set_provider('test', 'openai', 'http://models.example');
select model.set_model('small', 'generate', 'test', '{"context_tokens": 4000, "output_tokens": 200}');
select model.set_price('small', 'generate', k, 100, '2026-01-01') from unnest(array['input', 'output']) as k;
create function test.open(name text, tenant text, agent text default 'host') returns void language sql as $$
    insert into test.ids values (name, chat.open(agent, workspace => 'docs')) on conflict on constraint ids_pkey do update set id = excluded.id
$$;
-- Asks in a new conversation, as whoever is signed in: whether an answer was known, and which.
create function test.known(question text, agent text default 'host') returns text language plpgsql as $$
declare
    v_turn jsonb;
begin
    perform test.open('new', null, agent);
    v_turn := test.ask('new', question);
    if v_turn ->> 'state' = 'answering' then
        perform test.reply('The pump P-7 takes 4.5 bar [D1].');
        return null;
    end if;
    return v_turn ->> 'answer';
end
$$;
grant execute on all functions in schema test to concierge_app;
create temp table tenants as select unnest(array['acme', 'globex']) as tenant;
select test.act_as(tenant, 'olga'), knowledge.create_workspace('docs', 'Docs'),
    knowledge.add_text('docs', 'Pump manual', 'The pump P-7 takes 4.5 bar. The pump P-8 takes 6 bar.', 'manual'),
    model.register_prompt('host', 'You are brief.'), model.label_prompt('host', 'production', 1),
    model.register_agent('host', 'host', 'small'), model.promote('host', 1),
    model.register_agent('keeps', 'host', 'small', caching => '{"seconds": 3600}'), model.promote('keeps', 1),
    model.register_agent('likens', 'host', 'small', caching => '{"seconds": 3600, "similarity": 0.75}'), model.promote('likens', 1)
from tenants;

select test.act_as('acme', 'olga');
select throws_ok(format('select model.register_agent(%L, %L, %L, caching => %L)', 'bad', 'host', 'small', c), code, null, c) from (values
    ('{"hours": 1}', 'QC230'), ('{"similarity": 0.9}', '22023'), ('{"seconds": 0}', '22023'), ('{"seconds": "1"}', '22023'), ('{"seconds": 60, "similarity": 0.1}', '22023'), ('[]', '22023')) as t (c, code);
select throws_ok(format('select model.register_agent(%L, %L, %L, retrieval => %L)', 'bad', 'host', 'small', r), '22023', null, r) from unnest(array['{"max_results": 0}', '{"history_turns": "x"}', '{"budget_tokens": null}']) as r;

-- Off.
select is(test.known('What pressure does the pump P-7 take?'), null, 'The first time a model answers');
select is(test.known('What pressure does the pump P-7 take?'), null, 'and the second time, too');
select test.act_as_superuser();
select is((select count(*) from chat.known_answers), 0::bigint, 'Nothing is kept unless the agent says so');

-- The same question.
select test.act_as('acme', 'olga');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), null, 'What nobody has asked is asked');
select is(test.known('  what pressure does the pump P-7 TAKE? ', 'keeps'), 'The pump P-7 takes 4.5 bar [D1].', 'and then known, however it is written');
select is(test.now() - '{turn_id,milliseconds,clock,question,intent,citations,known_from}'::text[], '{"state": "done", "answer": "The pump P-7 takes 4.5 bar [D1].", "answered_by": "small", "cost": 0.00000000}', 'for nothing');
select is(test.now() #>> '{citations,0,id}', 'D1', 'with what it cites');
select is(test.steps(test.id('turn')), 'received gathering planning acting answering checking done', 'checked like every answer');
select is((select k.question from chat.turns as t join chat.turns as k on k.turn_id = t.known_from where t.turn_id = test.id('turn')), 'What pressure does the pump P-7 take?', 'and it is told whose it was');
select is(test.known('Which pressure does the pump P-7 take?', 'keeps'), null, 'Another question is another');
select is(test.known('What pressure does the pump P-7 take?'), null, 'and so is another agent''s');
select test.act_as('acme', 'bert');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), 'The pump P-7 takes 4.5 bar [D1].', 'Whoever sees the same is told the same');
select chat.consent(true);
select test.act_as('acme', 'sam');
select is((select count(*) from evaluation.export_pairs(min_rating => 0)), 0::bigint, 'What was said to who has not agreed is not exported by way of who has');
select test.act_as('globex', 'olga');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), null, 'Another tenant is not');

-- What it rests on.
select test.act_as('acme', 'olga');
select knowledge.add_text('docs', 'Board', 'Zebras are striped.', 'board', access_level => 5);
select knowledge.set_clearance((select person_id from access.people where subject = 'bert'), 5);
select test.act_as('acme', 'anna');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), null, 'With other documents it is asked again');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), 'The pump P-7 takes 4.5 bar [D1].', 'once');
select test.act_as('acme', 'bert');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), null, 'Who sees more is not told what others were');
select test.act_as('acme', 'olga');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), 'The pump P-7 takes 4.5 bar [D1].', 'but what those were who see as much');
select test.act_as('acme', 'anna');
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), 'The pump P-7 takes 4.5 bar [D1].', 'and as little');
select is(test.ask('new', 'What pressure does the pump P-7 take?') ->> 'state', 'answering', 'In the middle of a conversation what was said before counts');
select chat.cancel(test.id('turn'));
select test.act_as('acme', 'olga');
select model.register_agent('keeps', 'host', 'small', '{"temperature": 0}', caching => '{"seconds": 3600}'), model.promote('keeps', 2);
select is(test.known('What pressure does the pump P-7 take?', 'keeps'), null, 'A new version has answers of its own');

-- A question like it.
select is(test.known('What pressure does the pump P-7 take?', 'likens'), null, 'A first question');
select is(test.known('Which pressure does the pump P-7 take?', 'likens'), 'The pump P-7 takes 4.5 bar [D1].', 'and one like it');
select is(test.now() ->> 'cost', '0.00000000', 'for nothing');
select is(test.known('Which pressure does the pump P-8 take?', 'likens'), null, 'A pump with another number is another pump');
select is(test.known('Who built the P-7, where, and of which metal?', 'likens'), null, 'and what is less alike is asked');
select test.act_as_superuser();
update chat.turns set raw_answer = 'The pump P-7 takes 9 bar [D1].' where turn_id in (select turn_id from chat.known_answers);
select test.act_as('acme', 'olga');
select is(test.known('So which pressure does the pump P-7 take?', 'likens'), null, 'What does not stand up is not given again');
select is(test.steps(test.id('turn')), 'received gathering planning acting answering asked checking done', 'nor sent back: it is no answer at all');

-- Until when.
select chat.rate(test.id('turn'), -1);
select is(test.known('So which pressure does the pump P-7 take?', 'likens'), null, 'What somebody finds wrong is asked again');
select test.act_as_superuser();
update chat.known_answers set expires_at = clock_timestamp() - interval '1 second';
select test.act_as('acme', 'olga');
select is(test.known('So which pressure does the pump P-7 take?', 'likens'), null, 'and what is too old');
select test.act_as_superuser();
select chat.forget_answers();
select is((select count(*) from chat.known_answers), 1::bigint, 'Upkeep forgets the rest');
select is((select row(looked_up, known, hit_rate, saved)::text from chat.answer_cache join access.tenants using (tenant_id) where slug = 'acme' and agent = 'keeps' and version = 1), '(10,5,0.500,0.55000000)', 'It is seen how often that was of use');
select is((select count(*) from chat.answer_cache where agent = 'host'), 0::bigint, 'where it can be');
delete from access.people where subject = 'olga';
select is((select count(*) from chat.known_answers), 0::bigint, 'Answers go with whoever asked');

select * from finish();
rollback;
