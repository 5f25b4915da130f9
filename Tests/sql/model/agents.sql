-- Prompts and agents are what they were when they were registered; what moves is which of them answers.
begin;
select no_plan();
select model.set_provider('test', 'openai', 'http://models.example');
select model.set_model(n, 'generate', 'test') from unnest(array['small', 'large']) as n;
select test.act_as('acme', 'olga');

-- Prompts.
select is(model.register_prompt('guide', 'Answer {{question}} by {{ at }}.', '{"question": "text", "at": "time"}', 'the first'), 1, 'A prompt is registered');
select is(model.register_prompt('guide', 'Answer {{question}} by {{ at }}.', '{"question": "text", "at": "time"}'), 1, 'once, though it is said again');
select is(model.register_prompt('guide', 'Kindly answer {{question}}.', '{"question": "text"}'), 2, 'Another wording is another version');
select throws_ok(format('select model.register_prompt(%L, %L, %L)', 'bad', content, variables), code, message, message) from (values
    ('Hi {{name}}', '{}', 'QC228', 'the prompt uses "name", which is not declared'), ('Hi', '{"name": "text"}', 'QC228', 'the prompt declares "name" and does not use it'), ('Hi {{Name}}', '{}', 'QC228', 'in the prompt, "Hi {{Name}}" is no variable'),
    ('Hi {{name}', '{"name": "text"}', 'QC228', 'in the prompt, "Hi {{name}" is no variable'), ('Hi {{name}} }}', '{"name": "text"}', 'QC228', 'in the prompt, "Hi  }}" is no variable'), ('Hi {{name}}', '{"name": "word"}', 'QC228', 'of the variables, "name" is "word"'),
    (' ', '{}', '22004', 'a prompt says something'), ('Hi', '[]', '22023', 'variables are a JSON object')) as t (content, variables, code, message);
select throws_ok($$ select model.register_prompt('Not a slug', 'Hi') $$, '23514', null, 'A name is a slug');
select throws_ok($$ select model.render_prompt('guide') $$, 'QC229', 'there is no prompt "guide" labelled "production"', 'A label has to point somewhere');
select throws_ok($$ select model.label_prompt('guide', 'production', 3) $$, 'QC229', 'there is no prompt "guide" of version 3', 'to a version that is there');
select model.label_prompt('guide', 'production', 1);
select is(model.render_prompt('guide', '{"question": "why {{at}}? \\1 & $1", "at": "2027-05-03T09:00+02"}'), 'Answer why {{at}}? \1 & $1 by 2027-05-03T09:00+02.', 'Values are values, whatever they say');
select model.label_prompt('guide', 'production', 2);
select is(model.render_prompt('guide', '{"question": "ü"}'), 'Kindly answer ü.', 'A label moves');
select is(model.render_prompt('guide', '{"question": ""}', version => 2), 'Kindly answer .', 'A value may be empty');
select throws_ok(format('select model.render_prompt(%L, %L, version => 1)', 'guide', v), 'QC228', 'prompt "guide" cannot be filled in: ' || what, what) from (values
    ('{"question": "x"}', '"at" is missing'), ('{"question": "x", "at": "2027-05-03", "more": 1}', '"more" is not declared'), ('{"question": 1, "at": "tomorrow"}', '"at" is no time, "question" is no text'), ('{"question": null, "at": "2027-05-03"}', '"question" is no text')) as t (v, what);
select is(model.register_prompt('typed', '{{a}}|{{b}}|{{c}}|{{a}}', '{"a": "number", "b": "boolean", "c": "json"}'), 1, 'Variables have types');
select is(model.render_prompt('typed', '{"a": 1.50, "b": true, "c": {"x": [1]}}', version => 1), E'1.50|yes|{\n    "x": [\n        1\n    ]\n}|1.50', 'and are written by them');
select test.act_as_superuser();
select throws_ok($$ update model.prompt_versions set content = 'other' where name = 'guide' $$, 'QC416', 'version 1 of "guide" is registered, and stays as it is', 'A version never changes');
select ok((select changes::text ~ '"version": 1' from access.audit_log where relation = 'model.prompt_labels' and operation = 'update'), 'Where a label pointed is in the trail');
select is((select count(*) from access.audit_log where relation = 'model.prompt_labels'), 2::bigint, 'each time');
select test.act_as('acme', 'anna');
select throws_ok($$ select model.register_prompt('x', 'Hi') $$, 'QC405', null, 'An attendee registers nothing');
select is(model.render_prompt('guide', '{"question": "x"}'), null, 'nor reads it');
select is((select count(*) from model.prompt_versions) + (select count(*) from model.agent_versions), 0::bigint, 'in any way');
select test.act_as('globex', 'olga');
select throws_ok($$ select model.render_prompt('guide', '{}') $$, 'QC229', null, 'nor does another tenant');

-- Agents.
select test.act_as('acme', 'olga');
select is(model.register_agent('host', 'guide', 'small', '{"max_tokens": 300}', '{create_action_item}', '{"budget_tokens": 2000}', '{large}', 'small'), 1, 'An agent is registered');
select is((select row(prompt_version_id = (select prompt_version_id from model.prompt_versions where name = 'guide' and version = 2), state, cardinality(fallback_ids), planner_id is not null)::text from model.agent_versions), '(t,draft,1,t)', 'a draft, with the prompt its label points to now');
select throws_ok(format('select model.register_agent(%L, %s)', 'host', args), code, null, args) from (values
    ($$'none', 'small'$$, 'QC229'), ($$'guide', 'huge'$$, 'QC227'), ($$'guide', 'small', '{"heat": 1}'$$, 'QC230'), ($$'guide', 'small', retrieval => '{"depth": 1}'$$, 'QC230'), ($$'guide', 'small', actions => '{drop_table}'$$, 'QC230'),
    ($$'guide', 'small', fallbacks => '{none}'$$, 'QC227'), ($$'guide', 'small', planner => 'none'$$, 'QC227'), ($$'guide', 'small', '[]'$$, '22023')) as t (args, code);
select throws_ok($$ select model.promote('host', 2) $$, 'QC233', 'there is no agent "host" of version 2', 'What is not there is not promoted');
select throws_ok($$ select model.start_rollout('host', 1) $$, 'QC233', 'there is no agent "host" that is active', 'nor rolled out before anything is active');
select model.promote('host', 1);
select is(model.register_agent('host', 'guide', 'large'), 2, 'The next version');
select model.promote('host', 2);
select results_eq($$ select version, state from model.agent_versions order by 1 $$, $$ values (1, 'retired'), (2, 'active') $$, 'One is active at a time');
select model.promote('host', 1);
select results_eq($$ select version, state from model.agent_versions order by 1 $$, $$ values (1, 'active'), (2, 'retired') $$, 'and an earlier one is brought back');
select test.act_as_superuser();
select throws_ok('update model.agent_versions set parameters = ''{}'' where version = 1', 'QC416', null, 'A version never changes');

-- Rollouts.
create function test.version(c uuid) returns int language sql as $$ select (v).version from model.version_for((select tenant_id from access.tenants where slug = 'acme'), 'host', c) as v $$;
create temp table talks as select ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id, null::int as had from generate_series(1, 2000) as n;
grant select on talks to concierge_app;
select is(model.bucket('salt', '00000000-0000-4000-8000-000000000001'), 9041 * 0 + (('x' || left(encode(sha256('salt:00000000-0000-4000-8000-000000000001'), 'hex'), 8))::bit(32)::bigint % 10000)::int, 'A bucket is what it is said to be');
select cmp_ok((select max(abs(n - 200)) from (select count(*) as n from talks group by model.bucket('x', id) / 1000) as b), '<', 60::bigint, 'and they are filled alike');
select test.act_as('acme', 'olga');
select throws_ok($$ select model.start_rollout('host', 1) $$, 'QC417', null, 'What is active is not rolled out');
select throws_ok($$ select model.start_rollout('host', 2, '{10,200}') $$, '23514', null, 'beyond all');
select throws_ok($$ select model.start_rollout('host', 2, bounds => '{"mood": 1}') $$, 'QC230', null, 'by bounds nobody knows');
select throws_ok($$ select model.step_rollout('host') $$, 'QC234', 'agent "host" has no rollout that runs', 'Nor does one go on that has not begun');
select ok(model.start_rollout('host', 2) > 0, 'A rollout begins');
select throws_ok($$ select model.start_rollout('host', 2) $$, '23505', null, 'once');
select test.act_as_superuser();
select is((select count(*) filter (where test.version(id) = 2) from talks), 0::bigint, 'with nobody');
select test.act_as('acme', 'olga');
select is(model.step_rollout('host'), 10, 'then ten in a hundred');
select test.act_as_superuser();
update talks set had = test.version(id);
select ok((select count(*) filter (where had = 2) between 150 and 250 from talks), 'get the candidate');
select is_empty('select id from talks where test.version(id) <> had', 'and keep it');
select is((select count(*) from model.assignments), (select count(*) from talks where had = 2), 'Only they are noted');
update model.rollouts set gate_salt = 'another';
select is_empty('select id from talks where had = 2 and test.version(id) <> 2', 'Who has it once has it, whatever is drawn later');
select test.act_as('acme', 'olga');
select is(model.step_rollout('host'), 50, 'then half of all');
select test.act_as_superuser();
select ok((select count(*) filter (where test.version(id) = 2) between 950 and 1250 from talks), 'more come in');
select is_empty('select id from talks where had = 2 and test.version(id) <> 2', 'and none goes');
select test.act_as('acme', 'olga');
select model.halt_rollout('host', 'it was rude');
select test.act_as_superuser();
select is_empty('select id from talks where test.version(id) <> 1', 'A halt brings everybody back at once');
select results_eq($$ select state, reason, ended_at is not null from model.rollouts $$, $$ values ('halted', 'it was rude', true) $$, 'and says why');
select is((select state from model.agent_versions where version = 2), 'retired', 'The candidate is retired');
select test.act_as('acme', 'olga');
select model.start_rollout('host', 2, '{100}', share => 50);
select test.act_as_superuser();
select ok((select count(*) filter (where test.version(id) = 2) between 900 and 1100 from talks), 'Of those in it a share may stay, to be compared with');
select cmp_ok((select abs(corr((model.bucket(gate_salt, id) < 5000)::int, (model.bucket(arm_salt, id) < 5000)::int)) from talks, model.rollouts where state = 'running'), '<', 0.1::float8, 'and who does has nothing to do with who is in');
select test.act_as('acme', 'olga');
select is(model.step_rollout('host'), 100, 'After the last step');
select results_eq($$ select version, state from model.agent_versions order by 1 $$, $$ values (1, 'retired'), (2, 'active') $$, 'the candidate is active');
select is((select state from model.rollouts order by rollout_id desc limit 1), 'promoted', 'and the rollout over');
select model.register_agent('host', 'guide', 'small');
select model.start_rollout('host', 3);
select model.promote('host', 1);
select results_eq($$ select version, state from model.agent_versions order by 1 $$, $$ values (1, 'active'), (2, 'retired'), (3, 'retired') $$, 'A promotion ends a rollout');
select is((select reason from model.rollouts order by rollout_id desc limit 1), 'version 1 was promoted', 'and it says so');
select test.act_as('acme', 'anna');
select throws_ok(q, 'QC405', null, 'Not an attendee''s: ' || q) from unnest(array['select model.promote(''host'', 1)', 'select model.start_rollout(''host'', 2)', 'select model.step_rollout(''host'')', 'select model.halt_rollout(''host'', ''x'')', 'select model.register_agent(''x'', ''guide'', ''small'')', 'select model.label_prompt(''guide'', ''x'', 1)']) as q;

-- A rule watches: who does worse is halted, who does well goes on, and of few nothing is said.
select test.act_as('acme', 'olga');
select model.promote('host', 2);
select model.start_rollout('host', 3, '{10,100}', min_samples => 20, dwell => '0', automatic => true);
select chat.open('host');
select test.act_as_superuser();
create function test.answered(version int, turns int, state text, seconds int, rating int default null, cost numeric default 0.01) returns void language sql as $$
    insert into chat.turns (tenant_id, conversation_id, person_id, number, state, question, clock, agent_version_id, model_id, raw_answer, answer, citations, answered_by, asked_at, ended_at, rating, cost)
    select c.tenant_id, c.conversation_id, c.person_id, coalesce((select max(number) from chat.turns), 0) + n, answered.state, 'q', now(), a.agent_version_id, a.model_id, 'x', 'x', '[]', 'small', now(), now() + make_interval(secs => seconds), answered.rating, answered.cost
    from chat.conversations as c, model.agent_versions as a, generate_series(1, turns) as n where a.name = 'host' and a.version = answered.version and a.tenant_id = c.tenant_id $$;
create function test.rollout() returns text language sql as $$ select concat_ws(' ', state, step, reason) from model.rollouts order by rollout_id desc limit 1 $$;
select test.answered(2, 40, 'done', 2), test.answered(3, 19, 'failed', 2), model.judge_rollouts();
select is(test.rollout(), 'running 1', 'Of few nothing is said');
select test.answered(3, 1, 'failed', 2), model.judge_rollouts();
select is(test.rollout(), 'halted 1 error rate 1.000, baseline 0.000', 'Enough failures halt it, and it says why');
select is((select state from model.agent_versions where version = 3 and name = 'host'), 'retired', 'for good');
create function test.again(version int) returns void language sql as $$
    delete from chat.turns where agent_version_id = (select agent_version_id from model.agent_versions as a where a.name = 'host' and a.version = again.version);
    update model.rollouts set state = 'running', ended_at = null, reason = null, step = 1, stepped_at = now() - interval '1 hour' where rollout_id = (select max(rollout_id) from model.rollouts);
    update model.agent_versions set state = 'candidate' where name = 'host' and version = again.version $$;
select test.again(3), test.answered(3, 30, 'refused', 2), model.judge_rollouts();
select is(test.rollout(), 'halted 1 refusal rate 1.000, baseline 0.000', 'So do refusals');
select test.again(3), test.answered(3, 30, 'done', 4), model.judge_rollouts();
select is(test.rollout(), 'halted 1 95th percentile 4.00 s, baseline 2.00 s', 'and slowness');
select test.again(3), test.answered(3, 30, 'done', 2, cost => 0.02), model.judge_rollouts();
select is(test.rollout(), 'halted 1 cost 0.020000, baseline 0.010000', 'and cost');
select test.again(3), test.answered(3, 30, 'done', 2, -1), test.answered(2, 30, 'done', 2, 1), model.judge_rollouts();
select is(test.rollout(), 'halted 1 rating 0.00, baseline 1.00', 'and thumbs down');
select test.again(3), test.answered(3, 30, 'done', 2), model.judge_rollouts();
select is(test.rollout(), 'running 2', 'Who does well goes on');
select model.judge_rollouts();
select is(test.rollout(), 'promoted 2 the last step was taken', 'to the end');
select is((select version from model.agent_versions where name = 'host' and state = 'active'), 3, 'and is active');

select * from finish();
rollback;
