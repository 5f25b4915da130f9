-- Effects as rows: enqueued once, claimed by one worker at a time, tried again, given up, and never done twice in the database.
begin;
select no_plan();
delete from queue.refresh;

create function test.add(kind text default 'deliver', run_at timestamptz default now(), max_attempts int default 5, key text default null, on_conflict text default 'keep', payload jsonb default '{}') returns bigint language sql as $$
    select queue.enqueue(kind, payload, run_at => $2, max_attempts => $3, key => $4, on_conflict => $5) $$;
-- A job as it is; one that is over, as history has it.
create function test.job(id bigint) returns queue.job language sql as $$ select j.* from queue.job as j where j.job_id = id $$;
create function test.over(id bigint) returns queue.history language sql as $$ select h.* from queue.history as h where h.job_id = id $$;
create function test.dead(id bigint) returns queue.dead_letter language sql as $$ select d.* from queue.dead_letter as d where d.job_id = id $$;
create function test.lose_lease(worker text) returns void language sql as $$ update queue.worker as w set leased_until = clock_timestamp() - interval '1 second' where w.worker = $1 $$;
create function test.make_due() returns void language sql as $$ update queue.job set run_at = clock_timestamp() where state = 'ready' $$;

-- Nothing to do.
select is_empty($$ select * from queue.claim('w', '{deliver}') $$, 'An empty queue gives nothing');
select results_eq($$ select * from queue.look('w', '{deliver}') $$, $$ values ('{}'::text[], false, null::float8, '{}'::bigint[]) $$, 'and there is nothing to look forward to');
select is(queue.finish(1, 0), false, 'A job that is not there cannot be finished') union all select is(queue.fail(1, 0, 'x'), false, 'nor failed')
union all select is(queue.cancel(1), false, 'nor cancelled') union all select is(queue.retry(1), false, 'nor retried') union all select is(queue.finish_many('{1}', '{0}', '{"{}"}'), '{}', 'nor many of them');
select throws_ok($$ select * from queue.claim('w', null) $$, '22004', null, 'A claim says what it can do');

-- Enqueue.
select is((test.job(test.add())).state, 'ready', 'A job is ready');
select is(test.add(key => 'once'), test.add(key => 'once'), 'While a live job has the key, enqueuing again gives that job');
select queue.cancel(job_id) from queue.job where key = 'once';
select isnt(test.add(key => 'once'), (select min(job_id) from queue.history where key = 'once'), 'When it is no longer live, a new one');
select throws_ok($$ select queue.enqueue('deliver', continuation => 'no.such_function') $$, 'QC212', 'there is no function no.such_function(bigint, jsonb) to continue with', 'A continuation must be there');
select throws_ok($$ select queue.enqueue('deliver', on_failure => 'no.such_function') $$, 'QC212', null, 'and who is told of a failure');
select throws_ok($$ select queue.enqueue('deliver', continuation => 'access.whoami') $$, 'QC212', null, 'and take the job and its result');
select throws_ok($$ select queue.enqueue('deliver', continuation => 'followup_delivered') $$, 'QC212', null, 'and be named with its schema');
select lives_ok($$ select queue.enqueue('deliver', continuation => 'contractor.followup_delivered') $$, 'as this one is');
select throws_ok($$ select queue.enqueue('dance') $$, '23514', null, 'The daemon knows a handful of effects');
select throws_ok($$ select queue.enqueue('deliver', max_attempts => 0) $$, '23514', null, 'A job has an attempt');
select throws_ok($$ select queue.enqueue('deliver', priority => 4) $$, '23514', null, 'Priorities are 0 to 3');
select throws_ok($$ select queue.enqueue('deliver', on_conflict => 'fight') $$, '22023', null, 'There are three ways to treat a key');
select isnt(queue.trace_of(null, 1, now()), queue.trace_of(null, 2, now()), 'A job without a trace has one of its own');
select is(queue.trace_of('0af76519-16cd-43dd-8448-eb211c80319c', 1, now()), '0af76519-16cd-43dd-8448-eb211c80319c', 'or the one it was given');
select cmp_ok((test.job(test.add(run_at => now() - interval '1 day'))).run_at, '>=', now(), 'No job is due before it is there');
delete from queue.job;

-- The same key again.
create temp table keyed as select test.add(key => 'k', run_at => now() + interval '1 hour', payload => '1') as id;
select is(test.add(key => 'k', payload => '2'), id, 'keep keeps the job') from keyed;
select is(row(j.payload, j.run_at)::text, row('1'::jsonb, now() + interval '1 hour')::text, 'as it is') from keyed, test.job(id) as j;
select is(test.add(key => 'k', run_at => now() + interval '2 hours', payload => '2', on_conflict => 'replace'), id, 'replace keeps the job') from keyed;
select is(row(j.payload, j.run_at)::text, row('2'::jsonb, now() + interval '1 hour')::text, 'with the new payload, and the earlier time') from keyed, test.job(id) as j;
select is(test.add(key => 'k', run_at => now() + interval '2 hours', payload => '3', on_conflict => 'debounce'), id, 'debounce keeps the job') from keyed;
select is(row(j.payload, j.run_at)::text, row('3'::jsonb, now() + interval '2 hours')::text, 'with the new payload and the new time') from keyed, test.job(id) as j;
update queue.job set run_at = clock_timestamp();
select is((select job_id from queue.claim('w', '{deliver}')), id, 'While it runs,') from keyed;
select is(test.add(key => 'k'), id, 'keep still gives that job,') from keyed;
select isnt(test.add(key => 'k', payload => '4', on_conflict => 'replace'), id, 'but what it may have read already is followed by another job') from keyed;
select is(queue.finish(id, 1), true, 'and it ends as it is') from keyed;
select is((select count(*) from queue.job where key = 'k' and payload = '4'), 1::bigint, 'while the other one waits');
delete from queue.job;

-- Many at once.
create temp table many as select * from queue.enqueue_many('[{"kind": "deliver", "payload": {"n": 1}}, {"kind": "embed", "priority": 0, "max_attempts": 2}]') with ordinality as m (id, n);
select results_eq('select n, j.kind, j.priority::int, j.max_attempts from many cross join test.job(id) as j order by n', $$ values (1::bigint, 'deliver', 1, 5), (2, 'embed', 0, 2) $$, 'Many are enqueued in their order, with what each says');
select results_eq($$ select count(distinct id) from queue.enqueue_many('[{"kind": "deliver", "key": "a"}, {"kind": "deliver", "key": "a"}, {"kind": "deliver"}]') as e (id) $$, 'values (2::bigint)', 'Keys hold among them, too');
select throws_ok($$ select queue.enqueue_many('[{"kind": "deliver"}, {"kind": "dance"}]') $$, '23514', null, 'All or none');
select throws_ok($$ select queue.enqueue_many('{"kind": "deliver"}') $$, '22023', null, 'An object is not many');
select throws_ok($$ select queue.enqueue_many('[{"kind": "deliver", "continuation": "no.such"}]') $$, 'QC212', null, 'Continuations are looked for');
select is_empty($$ select queue.enqueue_many('[]') $$, 'None is none');
delete from queue.job;

-- Claim.
create temp table jobs as
select test.add('deliver') as second, test.add('deliver') as first, test.add('deliver') as third, test.add('embed') as other_kind, test.add('deliver', now() + interval '1 hour') as later;
update queue.job set run_at = now() - interval '2 minutes' where job_id = (select first from jobs);
update queue.job set run_at = now() - interval '1 minute' where job_id in (select second from jobs union select third from jobs);
select results_eq($$ select job_id from queue.claim('w', '{deliver}') $$, 'select first from jobs', 'What is due longest comes first');
select results_eq($$ select job_id from queue.claim('w', '{deliver}') $$, 'select second from jobs', 'then what was enqueued first');
select results_eq($$ select job_id from queue.claim('w', '{deliver}', 10) $$, 'select third from jobs', 'As many as are due, however many are wanted');
select is_empty($$ select * from queue.claim('w', '{deliver}', 10) $$, 'Nothing is claimed twice');
select results_eq($$ select job_id from queue.claim('w', '{embed,generate}') $$, 'select other_kind from jobs', 'Only the kinds a worker knows');
select is(row(j.state, j.attempts, j.token, j.worker)::text, row('running', 1, 1, 'w')::text, 'Claiming counts an attempt, and gives a token') from jobs, test.job(first) as j;
select results_eq($$ select token, kind, payload, attempt from queue.claim('w', '{fetch}') $$, $$ values (1::bigint, 'fetch', '{"url": "x"}'::jsonb, 1) $$, 'A worker gets all it needs to perform') from queue.enqueue('fetch', '{"url": "x"}');
select test.add('rerank'), test.add('rerank'), queue.enqueue('rerank', priority => 0), queue.enqueue('rerank', priority => 3);
select is((select array_agg(j.priority order by j.priority) from queue.claim('w', '{rerank}', 2) as c cross join test.job(c.job_id) as j), '{0,1}', 'Of a lower priority first, whenever it came');
select is((select array_agg(j.priority order by j.priority) from queue.claim('w', '{rerank}', 5) as c cross join test.job(c.job_id) as j), '{1,3}', 'then the rest');

-- A deadline.
select queue.enqueue('convert', deadline => clock_timestamp());
select is_empty($$ select * from queue.claim('w', '{convert}') $$, 'What is past its deadline is not begun');
select is(row(fault, error, attempts)::text, row('deadline', 'its time had passed', 0)::text, 'it is given up') from queue.dead_letter where kind = 'convert';
select matches((select trace_id from queue.claim('w', '{rerank}')), '^[0-9a-f]{32}$', 'A worker gets the trace as W3C writes it') from test.add('rerank');
select isnt((select deadline from queue.claim('w', '{convert}')), null, 'Before it the worker is told of it') from queue.enqueue('convert', deadline => clock_timestamp() + interval '1 hour');

-- Leases and tokens.
select ok(leased_until - clock_timestamp() between interval '29 seconds' and interval '30 seconds', 'A worker has a lease of half a minute') from queue.worker where worker = 'w';
select is(queue.extend('w', '1 hour'), '{}', 'It can be made longer');
select ok(leased_until > clock_timestamp() + interval '59 minutes', 'by the server''s clock') from queue.worker where worker = 'w';
select is(queue.extend('v'), null, 'not by who has none');
select test.lose_lease('w');
select is(queue.extend('w'), '{}', 'A worker that is late may still go on, if nobody has looked');
select test.lose_lease('w');
select results_eq($$ select job_id, token, attempt from queue.claim('v', '{deliver}', 2) order by job_id $$, 'select unnest(array[second, first]), 2::bigint, 2 from jobs', 'After the end of the lease another worker gets the jobs, with the next token and the next attempt');
select is(queue.extend('w'), null, 'The late worker extends no more');
select is(queue.finish(first, 1, '{}'), false, 'finishes no more') from jobs;
select is(queue.fail(first, 1, 'x'), false, 'and fails no more') from jobs;
select is(queue.finish(third, 1, '{}'), false, 'not even what nobody has begun again') from jobs;
select is(row(j.state, j.worker)::text, row('running', 'v')::text, 'It changed nothing') from jobs, test.job(first) as j;

-- What a worker has claimed and does not have.
create temp table unseen as select test.add('convert') as lost, test.add('convert') as held;
select count(*) from queue.claim('u', '{convert}', 10, '1 hour');
select is(queue.extend('u', '1 hour'), '{}', 'A lease is extended without a word about jobs');
select is(row(l.state, h.state)::text, row('running', 'running')::text, 'and nothing changes') from unseen, test.job(lost) as l, test.job(held) as h;
select is(queue.extend('u', '1 hour', array[held]), '{}', 'or with those in hand') from unseen;
select is(row(l.state, l.attempts, l.worker, h.state)::text, row('ready', 1, null, 'running')::text, 'Any other is freed: the answer to its claim was lost') from unseen, test.job(lost) as l, test.job(held) as h;
select ok(l.run_at <= clock_timestamp(), 'at once the first time') from unseen, test.job(lost) as l;
update queue.job set attempts = 1, claimed_at = clock_timestamp() - interval '1 hour' from unseen where job_id in (lost, held);
select is(queue.finish(held, 1), true, 'What is in hand is finished') from unseen;
select count(*) from queue.claim('u', '{convert}', 10, '1 hour');
update queue.job set claimed_at = clock_timestamp() - interval '20 seconds' from unseen where job_id = lost;
select is(queue.extend('u', '1 hour', '{}'), '{}', 'Nothing may be in hand');
select ok(l.state = 'ready' and l.run_at between clock_timestamp() - interval '1 second' and clock_timestamp() + interval '41 seconds', 'A job that is lost again comes back apart from those it was lost with') from unseen, test.job(lost) as l;
update queue.job set state = 'running', attempts = max_attempts, worker = 'u' from unseen where job_id = lost;
select is(queue.extend('u', '1 hour', '{}'), '{}', 'At the limit');
select is(d.fault, 'lost', 'it is given up') from unseen join queue.dead_letter as d on d.job_id = lost;

-- Finish.
select is(queue.finish(first, 2, '{"a": 1}'), true, 'The worker with the token finishes') from jobs;
select is(row(h.state, h.result, h.worker, h.attempts)::text, row('done', '{"a": 1}'::jsonb, 'v', 2)::text, 'Result and worker are history') from jobs, test.over(first) as h;
select is((test.job(first)).job_id, null, 'and the hot table has forgotten it') from jobs;
select is(queue.finish(first, 2, '{"a": 2}'), false, 'once') from jobs;
select is((test.over(first)).result, '{"a": 1}', 'The result is the first') from jobs;
delete from queue.job;
select test.add('generate'), test.add('generate'), test.add('generate');
select results_eq($$ select cardinality(queue.finish_many(array_agg(job_id), array_agg(token + case when job_id % 3 = 0 then 1 else 0 end), array_agg('{}'::jsonb))) from queue.claim('w', '{generate}', 3) $$, 'values (2)', 'Of many, those with a good token');
delete from queue.job;

-- A continuation gets the job and the result, in the same transaction.
create table test.continued (job_id bigint, result jsonb);
create function test."Continue it"(job_id bigint, result jsonb) returns void language sql as $$ insert into test.continued values (job_id, result) $$;
create function test.raise(job_id bigint, result jsonb) returns void language plpgsql as $$ begin insert into test.continued values (job_id, result); raise exception 'no room' using errcode = result ->> 'code'; end $$;
grant usage on schema test to concierge_owner;
grant insert, select on test.continued to concierge_owner;
grant execute on function test."Continue it"(bigint, jsonb), test.raise(bigint, jsonb) to concierge_owner;
create temp table continuing as select queue.enqueue('generate', continuation => 'test."Continue it"') as id;
select queue.finish(c.job_id, c.token, '{"text": "it''s; done"}') from queue.claim('w', '{generate}') as c;
select results_eq('select job_id, result from test.continued', $$ select id, '{"text": "it''s; done"}'::jsonb from continuing $$, 'The continuation has run, once, with the job and the result');

-- One that raises is the fault of the job.
create temp table raising as select queue.enqueue('generate', continuation => 'test.raise', max_attempts => 2) as id;
select is(queue.finish(c.job_id, c.token, '{"code": "22012"}'), true, 'A continuation that raises') from queue.claim('w', '{generate}') as c;
select is(row(j.state, j.attempts, j.last_error)::text, row('ready', 1, 'test.raise raised 22012: no room')::text, 'counts as a failed attempt, which says what it raised') from raising, test.job(id) as j;
select is((select count(*) from test.continued), 1::bigint, 'What it had written is undone');
select test.make_due();
select test.add('rerank');
select queue.finish_many(array_agg(c.job_id), array_agg(c.token), array_agg(case c.kind when 'rerank' then '{"n": 2}' else '{"code": "22012"}' end::jsonb)) from queue.claim('w', '{generate,rerank}', 2) as c;
select is(row(d.fault, d.sqlstate, d.attempts)::text, row('item', '22012', 2)::text, 'After the last attempt it is a dead letter, with the SQLSTATE') from raising, test.dead(id) as d;
select is((select count(*) from queue.history where kind = 'rerank' and result = '{"n": 2}'), 1::bigint, 'Its neighbour in the same call is done');
create temp table colliding as select queue.enqueue('generate', continuation => 'test.raise') as id;
select throws_ok($$ select queue.finish(c.job_id, c.token, '{"code": "40P01"}') from queue.claim('w', '{generate}') as c $$, '40P01', null, 'A collision is nobody''s fault: the call is to be repeated');
delete from queue.job;

-- Fail.
create temp table failing as select test.add('rerank', max_attempts => 3) as id;
select queue.fail(c.job_id, c.token, repeat('é', 3000)) from queue.claim('w', '{rerank}') as c;
select is(row(j.state, j.attempts, j.worker)::text, row('ready', 1, null)::text, 'A failed job is ready again') from failing, test.job(id) as j;
select is(length(j.last_error), 2000, 'The error is kept, not all of a long one') from failing, test.job(id) as j;
select ok(j.run_at - clock_timestamp() between interval '0.5 s' and interval '1.25 s', 'It waits about a second') from failing, test.job(id) as j;
select is_empty($$ select * from queue.claim('w', '{rerank}') $$, 'and is not claimed before');
select test.make_due();
select queue.fail(c.job_id, c.token, 'again') from queue.claim('w', '{rerank}') as c;
select ok(j.run_at - clock_timestamp() between interval '1.25 s' and interval '2.5 s', 'After the second attempt about two') from failing, test.job(id) as j;
select test.make_due();
select queue.fail(c.job_id, c.token, 'for good') from queue.claim('w', '{rerank}') as c;
select is(row(d.fault, d.attempts, d.error)::text, row('item', 3, 'for good')::text, 'After the last it is a dead letter, and says why') from failing, test.dead(id) as d;
select is((test.job(id)).job_id, null, 'and is out of the way') from failing;
select ok(queue.back_off(5000) between interval '45 minutes' and interval '75 minutes', 'However often something failed, it waits an hour at most, more or less');
select throws_ok($$ select queue.fail(1, 1, 'x', 'weather') $$, '22023', null, 'There are four classes of faults');

-- A job that kills its worker never fails by itself: it runs out of attempts all the same.
create temp table poison as select test.add('convert', max_attempts => 2) as id;
select is((select count(*) from queue.claim('u', '{convert}')), 1::bigint, 'Poison is claimed');
select test.lose_lease('u');
select is((select count(*) from queue.claim('v', '{convert}')), 1::bigint, 'and again, its worker gone');
select test.lose_lease('v');
select is((select count(*) from queue.claim('t', '{convert}')), 0::bigint, 'but not for ever');
select is(row(d.fault, d.attempts, d.error)::text, row('lost', 2, 'the worker was lost on the last attempt')::text, 'It is dead and says why') from poison, test.dead(id) as d;

-- Whoever asked for it is told.
create function test.told(job_id bigint, failure jsonb) returns void language sql as $$ insert into test.continued values (job_id, failure) $$;
grant execute on function test.told(bigint, jsonb) to concierge_owner;
truncate test.continued;
create temp table telling as select queue.enqueue('fetch', on_failure => 'test.told', max_attempts => 1) as id;
select queue.fail(c.job_id, c.token, 'too bad') from queue.claim('w', '{fetch}') as c;
select results_eq('select * from test.continued', $$ select id, '{"state": "dead", "fault": "item", "error": "too bad", "payload": {}, "reason": null, "sqlstate": null}'::jsonb from telling $$, 'Giving up is told');
truncate test.continued;
select queue.cancel(queue.enqueue('fetch', on_failure => 'test.told'));
select results_eq('select result from test.continued', $$ values ('{"state": "cancelled", "payload": {}}'::jsonb) $$, 'and taking back');
create function test.deaf(job_id bigint, failure jsonb) returns void language plpgsql as $$ begin raise exception 'not now' using errcode = '22000'; end $$;
grant execute on function test.deaf(bigint, jsonb) to concierge_owner;
create temp table deaf as select queue.enqueue('fetch', on_failure => 'test.deaf', max_attempts => 1) as id;
select queue.fail(c.job_id, c.token, 'too bad') from queue.claim('w', '{fetch}') as c;
select is((test.dead(id)).error, 'too bad; test.deaf raised 22000: not now', 'Who cannot take the news does not keep the job alive') from deaf;

-- The answer to a claim may be lost on its way: a worker says what it has, and the rest is freed.
create temp table claimed as select test.add('embed') as known, test.add('embed') as lost;
select is((select count(*) from queue.claim('y', '{embed}', 2)), 2::bigint, 'Of two jobs that are claimed');
select is(queue.extend('y', in_hand => array[known]), '{}', 'a worker knows one') from claimed;
select is(row(k.state, l.state, l.attempts)::text, row('running', 'ready', 1)::text, 'and the other is free again') from claimed, test.job(known) as k, test.job(lost) as l;
select is((select job_id from queue.claim('z', '{embed}')), lost, 'for anybody') from claimed;
delete from queue.job;

-- Retry and cancel.
select is(queue.retry(id), true, 'An operator brings back a dead letter') from poison;
select is(row(j.state, j.attempts, j.max_attempts, j.last_error)::text, row('ready', 0, 2, 'the worker was lost on the last attempt')::text, 'with all its attempts') from poison, test.job(id) as j;
select is((test.dead(id)).job_id, null, 'and it is dead no more') from poison;
select is((select token from queue.claim('w', '{convert}')), 3::bigint, 'Its token goes on: no late worker can end it') from poison;
select is(queue.retry(id), false, 'What runs is not retried') from poison;
select is(queue.cancel(id), true, 'What runs is asked to stop') from poison;
select is(to_stop, array[id], 'which its worker learns when it looks') from poison, queue.look('w', '{convert}');
select is(queue.extend('w'), array[id], 'or extends its lease') from poison;
select is(queue.fail(id, 3, 'stopped'), true, 'It stops') from poison;
select is((test.over(id)).state, 'cancelled', 'and is cancelled') from poison;
select is(queue.cancel(a), true, 'A job nobody has claimed is taken back at once') from test.add('convert') as a;
select is_empty($$ select * from queue.claim('w', '{convert}') $$, 'and not claimed');
create temp table stopped as select test.add('convert') as id;
select is((select count(*) from queue.claim('x', '{convert}')), 1::bigint, 'One that is asked to stop') union all select is(queue.cancel(id), true, 'and whose worker is lost') from stopped;
select test.lose_lease('x');
select is(queue.recover(), 1, 'is freed');
select is((test.over(id)).state, 'cancelled', 'and not begun again') from stopped;
select is(queue.cancel(id), false, 'What is over cannot be taken back') from stopped;

-- Retry by filter, and purge.
delete from queue.dead_letter;
create function test.bury(kind text, error text, key text default null) returns bigint language plpgsql as $$
declare v queue.job; v_id bigint := queue.enqueue(bury.kind, key => bury.key); begin
    v := test.job(v_id);
    perform queue.bury(v, 'item', error);
    return v.job_id;
end $$;
create temp table dead as select test.bury('fetch', 'no such host') as a, test.bury('fetch', '404') as b, test.bury('embed', '404') as c, test.bury('rerank', 'x', 'same') as d, test.bury('rerank', 'x', 'same') as e;
select is(queue.retry_many('fetch', error_like => '40%'), array[b], 'Dead letters are brought back by kind and error') from dead;
select is(queue.retry_many(error_like => '404'), array[c], 'or by error alone') from dead;
select is(queue.retry_many('rerank'), array[e], 'of one key only the newest') from dead;
select is(queue.retry_many('rerank'), '{}', 'and none beside a live job with it');
select throws_ok(format('select queue.retry(%s)', d), '23505', null, 'not even by name') from dead;
select is(queue.purge(clock_timestamp(), 'rerank'), 1, 'Dead letters are forgotten by age and kind');
select is(queue.purge(now() - interval '1 day'), 0, 'not those that are younger');
select is((select array_agg(job_id) from queue.dead_letter), array[a], 'The others stay') from dead;
delete from queue.job;

-- Look: all a daemon asks.
create function test.look(kinds text[] default '{deliver}') returns table (has_jobs boolean, due_in int) language sql as $$ select has_jobs, ceil(next_due_in / 5)::int * 5 from queue.look('w', kinds) $$;
delete from queue.worker;
select test.add(run_at => now() + interval '10 minutes');
select results_eq($$ select * from test.look() $$, $$ values (false, 600) $$, 'It says when the next job is due');
select results_eq($$ select * from test.look('{embed}') $$, $$ values (false, null::int) $$, 'of the kinds asked for');
select test.add(run_at => 'infinity');
select results_eq($$ select * from test.look() $$, $$ values (false, 600) $$, 'A job put off for ever is not next');
delete from queue.job where run_at < 'infinity';
select results_eq($$ select * from test.look() $$, $$ values (false, null::int) $$, 'not even alone');
select test.add(run_at => '-infinity'), test.add();
select results_eq($$ select * from test.look() $$, $$ values (true, 0) $$, 'What is due is due now');
select queue.claim('w', '{deliver}', 10, '1 minute');
select results_eq($$ select * from test.look() $$, $$ values (false, null::int) $$, 'While they run, there is nothing for their worker to look forward to,');
select is(round(next_due_in)::int, 60, 'and for another one the end of the lease') from queue.look('v', '{deliver}');
select test.lose_lease('w');
select is(has_jobs, true, 'An ended lease is work') from queue.look('v', '{deliver}');
delete from queue.job; delete from queue.worker;

-- Refreshes are learnt from a table.
create function test.due() returns float8 language sql as $$ select nullif(current_setting('test.due', true), '')::float8 $$;
grant execute on function test.due() to concierge_owner;
insert into queue.refresh (name, channel, due_function, call) values ('a', 'channel_a', 'test.due()', 'call a()'), ('b', 'channel_b', 'test.due()', 'call b()');
select results_eq($$ select refresh_calls, next_due_in from queue.look('w', '{deliver}') $$, $$ values ('{}'::text[], null::float8) $$, 'A refresh may not be planned');
select set_config('test.due', '42.5', true);
select results_eq($$ select refresh_calls, next_due_in from queue.look('w', '{deliver}') $$, $$ values ('{}'::text[], 42.5::float8) $$, 'or for later');
select test.add(run_at => clock_timestamp() + interval '10 seconds');
select ok(next_due_in between 9 and 10, 'The next is whatever comes first') from queue.look('w', '{deliver}');
select set_config('test.due', '-3', true);
select results_eq($$ select refresh_calls, next_due_in from queue.look('w', '{deliver}') $$, $$ values ('{call a(),call b()}'::text[], 0::float8) $$, 'What is due is called');
select results_eq('select * from queue.channels()', array['channel_a', 'channel_b', 'queue_job'], 'A daemon listens for refreshes and jobs');

-- Who may what; the whole matrix is in privileges.sql.
set local role concierge_worker;
select throws_ok('select * from queue.job', '42501', null, 'A worker reads no table');
select throws_ok($$ select queue.enqueue('deliver') $$, '42501', null, 'and gives itself no work');
select throws_ok($$ select queue.retry(1) $$, '42501', null, 'nor revives any');
select lives_ok($$ select * from queue.look('w', '{deliver}') $$, 'It looks');
select lives_ok($$ select * from queue.claim('w', '{deliver}') $$, 'and claims');
set local role concierge_admin;
select lives_ok('select * from queue.job', 'An operator reads the queue');
select throws_ok($$ select * from queue.claim('w', '{deliver}') $$, '42501', null, 'and claims nothing');
select lives_ok($$ select queue.configure(breaker_after => 4) $$, 'An operator sets what can be set');
select throws_ok($$ update queue.setting set breaker_after = 5 $$, '42501', null, 'by that function only');
set local role concierge_app;
select throws_ok('select * from queue.look(''w'', ''{deliver}'')', '42501', null, 'To an app the queue is closed');
reset role;

select * from finish();
rollback;
