-- Who is asked, what it costs, and what may be spent.
begin;
select no_plan();
select test.act_as('acme', 'olga');
select knowledge.create_workspace('docs', 'Docs');
select test.act_as_superuser();

-- Providers and models are rows.
select ok(model.set_provider('open', 'openai', 'https://api.example/v1/', 'openai-key') > 0, 'A provider is a row');
select is((select row(base_url, authentication, api_version)::text from model.providers where name = 'open'), '(https://api.example/v1,bearer,)', 'with what its kind uses');
select is(model.set_provider('open', 'openai', 'https://api.example/v2', 'openai-key'), (select provider_id from model.providers where name = 'open'), 'and changed in its place');
select model.set_provider('claude', 'anthropic', 'https://anthropic.example', 'a-key'), model.set_provider('aws', 'bedrock', 'https://bedrock.example', 'aws', region => 'eu-central-1'), model.set_provider('here', 'ollama', 'http://127.0.0.1:11434');
select results_eq($$ select name::text, authentication, api_version from model.providers where name <> 'open' order by 1 $$, $$ values ('aws', 'sigv4', null), ('claude', 'x-api-key', '2023-06-01'), ('here', 'none', null) $$, 'Each kind in its way');
select throws_ok(format('select model.set_provider(%L, %L, %L, %L)', 'p', kind, url, credential), '23514', null, why) from (values
    ('mailer', 'http://h', null, 'A kind nobody speaks'), ('openai', 'ftp://h', null, 'an address that is none'), ('openai', 'http://user:pw@h', null, 'a password in an address'), ('openai', 'http://h?key=1', null, 'or a key'),
    ('openai', 'http://h', 'sk-live_' || repeat('x', 100), 'a secret instead of its name'), ('openai', 'http://h', 'with blank', 'a name that is none'), ('bedrock', 'http://h', 'aws', 'a signature for nowhere')) as t (kind, url, credential, why);
select throws_ok($$ select model.set_model('m', 'generate', 'nobody') $$, 'QC226', 'there is no provider "nobody"', 'A model is somebody''s');
select throws_ok($$ select model.set_model('m', 'generate', 'open', '{"magic": true}') $$, 'QC225', 'a model has no capability "magic"', 'and can what is known');
select throws_ok($$ select model.set_model('m', 'generate', 'open', '[]') $$, '22023', null, 'said as an object');
select throws_ok($$ select model.set_model('m', 'paint', 'open') $$, '23514', null, 'for a purpose that is known');
select throws_ok($$ select model.set_model('offline', 'generate', 'open') $$, '23514', null, 'The offline model is nobody''s');
select model.set_model('gpt', 'generate', 'open', '{"json_schema": true, "token_field": "max_completion_tokens", "sampling": false}', 'gpt-6-mini');
select model.set_model('gpt', 'generate', 'open', '{"context_tokens": 400000}', 'gpt-6-mini');
select is((select row(json_schema, token_field, sampling, context_tokens)::text from model.models where name = 'gpt'), '(t,max_completion_tokens,f,400000)', 'Capabilities that are not named stay');
select is(model.addressed(m) - 'model_id', '{"model": "gpt-6-mini", "seconds": 120, "provider": {"kind": "openai", "base_url": "https://api.example/v2", "credential": "openai-key", "authentication": "bearer"}}', 'A payload says whom to ask')
from model.models as m where name = 'gpt';
select throws_ok($$ select model.require_model('gpt', 'embed') $$, 'QC227', 'there is no model "gpt" to embed', 'A model is for its purpose');

-- Prices hold from a time on, and by size.
select model.set_price('gpt', 'generate', 'input', 2, '2026-01-01'), model.set_price('gpt', 'generate', 'output', 8, '2026-01-01'), model.set_price('gpt', 'generate', 'cached_input', 0.5, '2026-01-01'),
    model.set_price('gpt', 'generate', 'input', 1, '2026-06-01'), model.set_price('gpt', 'generate', 'input', 4, '2026-01-01', above_tokens => 200000), model.set_price('gpt', 'generate', 'request', 0.01, '2026-03-01', '2026-04-01');
select is(model.cost(m.model_id, n.input, n.output, n.cached, 0, n.at::timestamptz), n.wanted, n.name)
from model.models as m, (values
    (1000000, 0, 0, '2026-02-01', 4, 'The tier of a large call'), (200000, 0, 0, '2026-02-01', 0.4, 'A call at the edge of it is not'), (100000, 10000, 0, '2026-02-01', 0.28, 'Input and output'), (100000, 0, 60000, '2026-02-01', 0.11, 'What was cached is cheaper'),
    (100000, 0, 0, '2026-07-01', 0.1, 'A price ends where the next begins'), (1000, 0, 0, '2025-12-31', 0, 'Before it nothing is known'), (0, 0, 0, '2026-03-15', 0.01, 'A call may have a price'), (0, 0, 0, '2026-04-01', 0, 'until its end'), (10, 0, 50, '2026-02-01', 0.000025, 'More cached than sent is not owed us')
) as n (input, output, cached, at, wanted, name)
where m.name = 'gpt';
select is(model.cost(m.model_id, 1000, 0, 0, 500), 0.001, 'What has no price of its own costs what input does') from model.models as m where name = 'gpt';
select is(model.estimate_tokens(t), n, format('"%s" is about %s tokens', t, n)) from (values ('', 0), (null, 0), ('word', 1), ('words', 2), ('日本', 2)) as e (t, n);

-- Budgets.
create function test.tenant() returns uuid language sql as $$ select tenant_id from access.tenants where slug = 'acme' $$;
create function test.workspace() returns bigint language sql as $$ select workspace_id from knowledge.workspaces where slug = 'docs' $$;
create function test.person(subject text) returns uuid language sql as $$ select p.person_id from access.people as p where p.tenant_id = test.tenant() and p.subject = person.subject $$;
create function test.left(workspace bigint default null, person uuid default null) returns numeric language sql as $$
    select min(b.cap - coalesce(s.spent + s.reserved, 0)) from model.budgets as b left join model.spending as s using (budget_id)
    where b.workspace_id is not distinct from workspace and b.person_id is not distinct from person $$;
select ok(model.reserve(test.tenant(), 1000000) is not null, 'Without a budget there is no end');
select throws_ok($$ select model.set_budget('nobody', 'day', 1) $$, 'QC202', null, 'A budget is a tenant''s');
select throws_ok($$ select model.set_budget('acme', 'day', 1, 'nowhere') $$, 'QC215', null, 'in a workspace of it');
select throws_ok($$ select model.set_budget('acme', 'day', 1, subject => 'nobody') $$, 'QC202', null, 'by one of its people');
select throws_ok($$ select model.set_budget('acme', 'year', 1) $$, '23514', null, 'for a day or a month');
select model.set_budget('acme', 'month', 10), model.set_budget('acme', 'day', 4, 'docs'), model.set_budget('acme', 'day', 2, subject => 'anna');
create temp table held as select model.reserve(test.tenant(), 1.5, test.workspace(), test.person('anna')) as id;
select is(array[test.left(), test.left(test.workspace()), test.left(person => test.person('anna'))], '{8.5,2.5,0.5}', 'Money is set aside in every budget it falls under');
select throws_ok($$ select model.reserve(test.tenant(), 0.6, test.workspace(), test.person('anna')) $$, 'QC414', 'the budget is spent: tenant acme, person anna, a day', 'Where one has no room, it is named');
select is(array[test.left(), test.left(test.workspace())], '{8.5,2.5}', 'and nothing is set aside in the others');
select throws_ok($$ select model.reserve(test.tenant(), 9, test.workspace(), test.person('olga')) $$, 'QC414', 'the budget is spent: tenant acme, a month; tenant acme, workspace docs, a day', 'nor where several have none');
select lives_ok($$ select model.reserve(test.tenant(), 2.5, test.workspace(), test.person('olga')) $$, 'To the last cent');
select throws_ok($$ select model.reserve(test.tenant(), 0.00000001, test.workspace()) $$, 'QC414', null, 'and not beyond');
select model.settle(id, 0.25) from held;
select is(array[test.left(), test.left(test.workspace()), test.left(person => test.person('anna'))], '{7.25,1.25,1.75}', 'What was not spent is given back');
select model.settle(id, 0.25) from held;
select is(test.left(), 7.25, 'once');
update model.reservations set expires_at = clock_timestamp() - interval '1 s' where amount = 2.5;
select is(model.expire_reservations(), 1::bigint, 'Of whom nothing was heard');
select is(array[test.left(), test.left(test.workspace())], '{9.75,3.75}', 'the money is given back');
select is(model.expire_reservations(), 0::bigint, 'once');
select model.settle(reservation_id, 3) from model.reservations where expired;
select is(array[test.left(), test.left(test.workspace())], '{6.75,0.75}', 'and what it spent all the same is counted');
select model.settle((select model.reserve(test.tenant(), 0.5, test.workspace())), 1);
select is(test.left(test.workspace()), -0.25, 'A call that cost more than was thought is paid');
select throws_ok($$ select model.reserve(test.tenant(), 0, test.workspace()) $$, 'QC414', null, 'and the next one waits');
select model.set_budget('acme', 'day', null, 'docs');
select lives_ok($$ select model.reserve(test.tenant(), 1, test.workspace()) $$, 'until the budget is raised, or gone');

-- Calls are noted, whichever way they end.
create function test.payload(more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('model_id', (select model_id from model.models where name = 'gpt'), 'messages', repeat('x', 100), 'origin', jsonb_build_object('tenant_id', test.tenant(), 'workspace_id', test.workspace())) || more $$;
select is(model.close_call(7, test.payload(), '{"text": "hi", "finish": "stop", "usage": {"input": 1000, "cached_input": 400, "output": 50, "reasoning": 20}, "first_token_ms": 12.5, "total_ms": 800}'),
    model.cost(m.model_id, 1000, 50, 400), 'A call costs what was used') from model.models as m where name = 'gpt';
select is((select row(provider, model, input_tokens, cached_tokens, output_tokens, reasoning_tokens, usage_source, finish, first_token_ms, total_ms, fault)::text from model.calls where job_id = 7), '(open,gpt,1000,400,50,20,reported,stop,13,800,)', 'and is noted so');
select model.close_call(8, test.payload(), jsonb_build_object('text', repeat('y', 40), 'finish', 'stop'));
select ok((select usage_source = 'estimated' and input_tokens > 25 and output_tokens = 10 from model.calls where job_id = 8), 'What was not reported is estimated, and says so');
select model.close_call(9, test.payload(jsonb_build_object('reservation_id', model.reserve(test.tenant(), 2))), null, '{"fault": "provider", "error": "HTTP status 503"}');
select is((select row(cost, fault, error, finish)::text from model.calls where job_id = 9), '(0.00000000,provider,"HTTP status 503",)', 'A failure costs nothing');
select is((select count(*) from model.reservations where amount = 2), 0::bigint, 'and gives back what was set aside');
select lives_ok($$ select model.close_call(10, test.payload(), '{"usage": {"input": "many", "output": -5, "cached_input": 1e99}}') $$, 'Numbers that are none');
select is((select row(input_tokens, output_tokens, cached_tokens)::text from model.calls where job_id = 10), '(0,0,0)', 'count for nothing');
select is((select count(*) from pg_inherits where inhparent = 'model.calls'::regclass), 1::bigint, 'A month is a table');
select access.ensure_period('model.calls', 'month', at::timestamptz) from unnest(array['2031-12-31 23:59:59+00', '2032-01-01 00:00+00', '2031-12-01 00:00+00']) as at;
select is((select string_agg(relname, ' ' order by relname) from pg_class where relname ~ '^calls_203'  and relkind = 'r'), 'calls_203112 calls_203201', 'of UTC');

-- Who sees it.
select test.act_as('acme', 'olga');
select is((select sum(calls)::int from model.usage()), 4, 'An organizer sees what her tenant asked');
select results_eq($$ select provider, model, workspace, calls, failed, input_tokens > 1000 from model.usage() $$, $$ values ('open', 'gpt', 'docs', 4::bigint, 1::bigint, true) $$, 'by model and workspace');
select is((select count(*) from model.budgets), 2::bigint, 'and its budgets');
select throws_ok('select * from model.providers', '42501', null, 'Whom to ask is the operators'' affair');
select throws_ok('select model.set_price(''gpt'', ''generate'', ''input'', 0)', '42501', null, 'and so are prices');
select throws_ok('select model.set_budget(''acme'', ''day'', 100)', '42501', null, 'and budgets');
select test.act_as('acme', 'anna');
select is_empty('select * from model.usage()', 'An attendee sees nothing of it');
select is((select count(*) from model.calls) + (select count(*) from model.budgets) + (select count(*) from model.spending), 0::bigint, 'in no way');
select test.act_as('globex', 'olga');
select is((select count(*) from model.calls) + (select count(*) from model.budgets), 0::bigint, 'nor does another tenant');
select test.act_as_superuser();
select lives_ok($$ delete from access.tenants where slug = 'acme' $$, 'A tenant goes');
select is((select count(*) from model.calls) + (select count(*) from model.budgets) + (select count(*) from model.spending) + (select count(*) from model.reservations), 0::bigint, 'with what it asked');

select * from finish();
rollback;
