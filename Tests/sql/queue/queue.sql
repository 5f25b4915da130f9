-- Effects as rows: enqueued once, claimed by one worker at a time, tried again, given up, and never done twice in the database.
begin;
select no_plan();
delete from queue.refresh;

create function test.add(kind text default 'deliver', run_at timestamptz default now(), max_attempts int default 5, key text default null) returns bigint language sql as $$
    select queue.enqueue(kind, run_at => $2, max_attempts => $3, key => $4) $$;
-- A job as it is.
create function test.job(id bigint) returns queue.job language sql as $$ select j.* from queue.job as j where j.job_id = id $$;
create function test.lose_lease(id bigint) returns void language sql as $$ update queue.job set leased_until = now() - interval '1 second' where job_id = id $$;

-- Nothing to do.
select is_empty($$ select * from queue.claim('w', '{deliver}') $$, 'An empty queue gives nothing');
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, null::float8) $$, 'and there is nothing to look forward to');
select is(queue.finish(1, 0), false, 'A job that is not there cannot be finished') union all select is(queue.fail(1, 0, 'x'), false, 'nor failed')
union all select is(queue.extend(1, 0), false, 'nor extended') union all select is(queue.cancel(1), false, 'nor cancelled') union all select is(queue.retry(1), false, 'nor retried');

-- Enqueue.
select is((test.job(test.add())).state, 'ready', 'A job is ready');
select is(test.add(key => 'once'), test.add(key => 'once'), 'While a live job has the key, enqueuing again gives that job');
select queue.cancel(job_id) from queue.job where key = 'once';
select isnt(test.add(key => 'once'), (select min(job_id) from queue.job where key = 'once'), 'When it is no longer live, a new one');
select throws_ok($$ select queue.enqueue('deliver', continuation => 'no.such_function') $$, 'QC212', 'there is no function no.such_function(bigint, jsonb) to continue with', 'A continuation must be there');
select throws_ok($$ select queue.enqueue('deliver', continuation => 'access.whoami') $$, 'QC212', null, 'and take the job and its result');
select throws_ok($$ select queue.enqueue('deliver', continuation => 'followup_delivered') $$, 'QC212', null, 'and be named with its schema');
select lives_ok($$ select queue.enqueue('deliver', continuation => 'contractor.followup_delivered') $$, 'as this one is');
select throws_ok($$ select queue.enqueue('dance') $$, '23514', null, 'The daemon knows a handful of effects');
select throws_ok($$ select queue.enqueue('deliver', max_attempts => 0) $$, '23514', null, 'A job has an attempt');
delete from queue.job;

-- Claim.
create temp table jobs as
select test.add('deliver', now() - interval '1 minute') as second, test.add('deliver', now() - interval '2 minutes') as first, test.add('deliver', now() - interval '1 minute') as third,
    test.add('embed', now() - interval '1 hour') as other_kind, test.add('deliver', now() + interval '1 hour') as later;
select results_eq($$ select job_id from queue.claim('w', '{deliver}') $$, 'select first from jobs', 'What is due longest comes first');
select results_eq($$ select job_id from queue.claim('w', '{deliver}') $$, 'select second from jobs', 'then what was enqueued first');
select results_eq($$ select job_id from queue.claim('w', '{deliver}', 10) $$, 'select third from jobs', 'As many as are due, however many are wanted');
select is_empty($$ select * from queue.claim('w', '{deliver}', 10) $$, 'Nothing is claimed twice');
select results_eq($$ select job_id from queue.claim('w', '{embed,generate}') $$, 'select other_kind from jobs', 'Only the kinds a worker knows');
select is(row(j.state, j.attempts, j.token, j.worker, j.leased_until)::text, row('running', 1, 1, 'w', now() + interval '30 seconds')::text, 'Claiming counts an attempt, and gives a token and a lease') from jobs, test.job(first) as j;
select results_eq($$ select token, kind, payload from queue.claim('w', '{fetch}', lease => '5 minutes') $$, $$ values (1::bigint, 'fetch', '{"url": "x"}'::jsonb) $$, 'A worker gets all it needs to perform') from queue.enqueue('fetch', '{"url": "x"}');
select is(leased_until, now() + interval '5 minutes', 'A lease is as long as asked for') from queue.job where kind = 'fetch';

-- Leases and tokens.
select is(queue.extend(first, 1, '1 hour'), true, 'A lease can be made longer') from jobs;
select is((test.job(first)).leased_until, now() + interval '1 hour', 'by the server''s clock') from jobs;
select is(queue.extend(first, 0), false, 'not with a stale token') from jobs;
select test.lose_lease(first) from jobs;
select is(queue.extend(first, 1), true, 'A worker that is late may still go on, if nobody else has begun') from jobs;
select test.lose_lease(first) from jobs;
select results_eq($$ select job_id, token from queue.claim('v', '{deliver}') $$, 'select first, 2::bigint from jobs', 'An expired lease is claimed like a ready job, with the next token');
select is((test.job(first)).attempts, 2, 'That is another attempt') from jobs;
select is(queue.extend(first, 1), false, 'The late worker extends no more') from jobs;
select is(queue.finish(first, 1, '{}'), false, 'finishes no more') from jobs;
select is(queue.fail(first, 1, 'x'), false, 'and fails no more') from jobs;
select is(row(j.state, j.worker, j.result)::text, row('running', 'v', null)::text, 'It changed nothing') from jobs, test.job(first) as j;

-- Finish.
select is(queue.finish(first, 2, '{"a": 1}'), true, 'The worker with the token finishes') from jobs;
select is(row(j.state, j.result, j.leased_until, j.finished_at)::text, row('done', '{"a": 1}'::jsonb, null, now())::text, 'Result and time are kept') from jobs, test.job(first) as j;
select is(queue.finish(first, 2, '{"a": 2}'), false, 'once') from jobs;
select is((test.job(first)).result, '{"a": 1}', 'The result is the first') from jobs;
select is_empty($$ select * from queue.claim('w', '{deliver}', 10) $$, 'What is done is not claimed');

-- A continuation gets the job and the result, in the same transaction.
create table test.continued (job_id bigint, result jsonb);
create function test."Continue it"(job_id bigint, result jsonb) returns void language sql as $$ insert into test.continued values (job_id, result) $$;
grant usage on schema test to concierge_owner;
grant insert on test.continued to concierge_owner;
grant execute on function test."Continue it"(bigint, jsonb) to concierge_owner;
select queue.enqueue('generate', continuation => 'test."Continue it"');
select queue.finish(c.job_id, c.token, '{"text": "it''s; done"}') from queue.claim('w', '{generate}') as c;
select results_eq('select job_id, result from test.continued', $$ select j.job_id, '{"text": "it''s; done"}'::jsonb from queue.job as j where j.kind = 'generate' $$, 'The continuation has run, once, with the job and the result');

-- Fail.
create temp table failing as select test.add('rerank', max_attempts => 3) as id;
select queue.fail(c.job_id, c.token, repeat('é', 3000)) from queue.claim('w', '{rerank}') as c;
select is(row(j.state, j.attempts, j.worker, j.leased_until, j.finished_at)::text, row('ready', 1, null, null, null)::text, 'A failed job is ready again') from failing, test.job(id) as j;
select is(length(j.last_error), 2000, 'The error is kept, not all of a long one') from failing, test.job(id) as j;
select ok(j.run_at - now() between interval '0.75 s' and interval '1.25 s', 'It waits about a second') from failing, test.job(id) as j;
select is_empty($$ select * from queue.claim('w', '{rerank}') $$, 'and is not claimed before');
update queue.job set run_at = now() where kind = 'rerank';
select queue.fail(c.job_id, c.token, 'again') from queue.claim('w', '{rerank}') as c;
select ok(j.run_at - now() between interval '1.5 s' and interval '2.5 s', 'After the second attempt about two') from failing, test.job(id) as j;
update queue.job set run_at = now() where kind = 'rerank';
select queue.fail(c.job_id, c.token, 'for good') from queue.claim('w', '{rerank}') as c;
select is(row(j.state, j.attempts, j.last_error, j.finished_at)::text, row('dead', 3, 'for good', now())::text, 'After the last it is dead, and says why') from failing, test.job(id) as j;
select is_empty($$ select * from queue.claim('w', '{rerank}') $$, 'The dead are not claimed');
update queue.job set state = 'running', worker = 'w', leased_until = now(), attempts = 5000, max_attempts = 10000 where kind = 'rerank';
select lives_ok(format('select queue.fail(%s, %s, null)', id, (test.job(id)).token), 'However often it failed, it can fail again') from failing;
select ok(j.run_at - now() between interval '45 minutes' and interval '75 minutes', 'and waits an hour at most, more or less') from failing, test.job(id) as j;

-- A job that kills its worker never fails by itself: it runs out of attempts all the same.
create temp table poison as select test.add('convert', max_attempts => 2) as id;
select is((select count(*) from queue.claim('w', '{convert}')), 1::bigint, 'Poison is claimed');
select test.lose_lease(id) from poison;
select is((select count(*) from queue.claim('w', '{convert}')), 1::bigint, 'and again, its worker gone');
select test.lose_lease(id) from poison;
select is((select count(*) from queue.claim('w', '{convert}')), 0::bigint, 'but not for ever');
select is(row(j.state, j.attempts, j.last_error)::text, row('dead', 2, 'the worker was lost on the last attempt')::text, 'It is dead and says why') from poison, test.job(id) as j;

-- Retry and cancel.
select is(queue.retry(id), true, 'An operator revives the dead') from poison;
select is(row(j.state, j.attempts, j.run_at, j.finished_at)::text, row('ready', 0, now(), null)::text, 'with all its attempts') from poison, test.job(id) as j;
select is(queue.retry(id), false, 'once') from poison;
select is(queue.cancel(id), true, 'A job nobody has claimed is taken back') from poison;
select is(row(j.state, j.finished_at)::text, row('cancelled', now())::text, 'It is cancelled') from poison, test.job(id) as j;
select is_empty($$ select * from queue.claim('w', '{convert}') $$, 'and not claimed');
select is(queue.cancel(second), false, 'One that is running is not taken back') from jobs;
select is(queue.retry(second), false, 'nor retried') from jobs;
update queue.job set state = 'dead', key = 'twice' where job_id = (select id from poison);
select test.add(key => 'twice');
select throws_ok(format('select queue.retry(%s)', id), '23505', null, 'The dead do not come back beside a live job with their key') from poison;
delete from queue.job;

-- Look: all a daemon asks.
select test.add(run_at => now() + interval '10 minutes');
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, 600::float8) $$, 'It says when the next job is due');
select results_eq($$ select * from queue.look('{embed}') $$, $$ values ('{}'::text[], 0, null::float8) $$, 'of the kinds asked for');
select test.add(run_at => 'infinity');
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, 600::float8) $$, 'A job put off for ever is not next');
delete from queue.job where run_at < 'infinity';
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, null::float8) $$, 'not even alone');
select test.add(run_at => '-infinity'), test.add(run_at => now() - interval '1 day'), test.add();
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 3, 0::float8) $$, 'Jobs that are due are counted, and due now');
select queue.claim('w', '{deliver}', 10, '1 minute');
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, 60::float8) $$, 'While they run, the next thing is the end of a lease');
update queue.job set leased_until = now() - interval '1 second' where state = 'running';
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 3, 0::float8) $$, 'An expired lease is work');
select count(test.add()) from generate_series(1, 150);
select is(jobs_due, 103, 'It does not count further than it need') from queue.look('{deliver}');
delete from queue.job;

-- Refreshes are learnt from a table.
create function test.due() returns float8 language sql as $$ select nullif(current_setting('test.due', true), '')::float8 $$;
grant execute on function test.due() to concierge_owner;
insert into queue.refresh (name, channel, due_function, call) values ('a', 'channel_a', 'test.due()', 'call a()'), ('b', 'channel_b', 'test.due()', 'call b()');
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, null::float8) $$, 'A refresh may not be planned');
select set_config('test.due', '42.5', true);
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, 42.5::float8) $$, 'or for later');
select test.add(run_at => now() + interval '10 seconds');
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{}'::text[], 0, 10::float8) $$, 'The next is whatever comes first');
select set_config('test.due', '-3', true);
select results_eq($$ select * from queue.look('{deliver}') $$, $$ values ('{call a(),call b()}'::text[], 0, 0::float8) $$, 'What is due is called');
select results_eq('select * from queue.channels()', array['channel_a', 'channel_b', 'queue_job'], 'A daemon listens for refreshes and jobs');

-- Who may what; the whole matrix is in privileges.sql.
set local role concierge_worker;
select throws_ok('select * from queue.job', '42501', null, 'A worker reads no table');
select throws_ok($$ select queue.enqueue('deliver') $$, '42501', null, 'and gives itself no work');
select throws_ok($$ select queue.retry(1) $$, '42501', null, 'nor revives any');
select lives_ok($$ select * from queue.look('{deliver}') $$, 'It looks');
select lives_ok($$ select * from queue.claim('w', '{deliver}') $$, 'and claims');
set local role concierge_admin;
select lives_ok('select * from queue.job', 'An operator reads the queue');
select throws_ok($$ select * from queue.claim('w', '{deliver}') $$, '42501', null, 'and claims nothing');
set local role concierge_app;
select throws_ok('select * from queue.look(''{deliver}'')', '42501', null, 'To an app the queue is closed');
reset role;

select * from finish();
rollback;
