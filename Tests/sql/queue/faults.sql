-- Whose fault it was decides what becomes of a job, of its neighbours, and of its provider.
begin;
select no_plan();
delete from queue.refresh;

create function test.job(id bigint) returns queue.job language sql as $$ select j.* from queue.job as j where j.job_id = id $$;
-- Enqueues for a provider, and claims all there is to claim.
create function test.add(provider text, priority int default 1) returns bigint language sql as $$ select queue.enqueue('generate', provider => $1, priority => $2) $$;
create function test.claim(max_jobs int default 100) returns bigint[] language sql as $$ select coalesce(array_agg(job_id order by job_id), '{}') from queue.claim('w', '{generate}', max_jobs) $$;
create function test.fail(id bigint, fault text, retry_after interval default null) returns boolean language sql as $$ select queue.fail(j.job_id, j.token, 'because', $2, $3) from queue.job as j where j.job_id = $1 $$;
create function test.make_due() returns void language sql as $$ update queue.job set run_at = clock_timestamp() where state = 'ready' $$;
-- Time passes for a breaker or a gate.
create function test.pass(at interval) returns void language sql as $$
    update queue.breaker_state set retry_at = retry_at - at, opened_at = opened_at - at;
    update queue.closed_gate set opens_at = opens_at - at where opens_at < 'infinity';
    update queue.rate_limit set refilled_at = refilled_at - at, blocked_until = blocked_until - at $$;

-- The item's own.
create temp table item as select test.add('p') as id;
select is(test.claim(), array[id], 'A job runs') from item;
select test.fail(id, 'item') from item;
select is(row(state, attempts)::text, row('ready', 1)::text, 'Its own fault is counted') from item, test.job(id);
select is_empty('select * from queue.breaker', 'and its provider is well: it has answered');
delete from queue.job;

-- The provider's.
create temp table jobs as select array_agg(test.add('p') order by i) as p from generate_series(1, 5) as i;
select is(test.claim(3), p[1:3], 'Three of five jobs of a provider run') from jobs;
select test.fail(p[1], 'provider'), test.fail(p[2], 'provider') from jobs;
select is(row(state, attempts, last_error)::text, row('ready', 0, 'because')::text, 'A provider''s fault is not the job''s') from jobs, test.job(p[1]);
select is(row(state, faults)::text, row('closed', 2)::text, 'Two faults in a row are remembered') from queue.breaker where provider = 'p';
select test.fail(p[3], 'provider') from jobs;
select is(row(state, faults)::text, row('open', 3)::text, 'the third opens the breaker') from queue.breaker where provider = 'p';
select ok(retry_at - clock_timestamp() between interval '3 seconds' and interval '6.25 seconds', 'for about five seconds') from queue.breaker where provider = 'p';
select test.make_due();
create temp table other as select test.add('q') as id;
select is(test.claim(), array[id], 'Another provider''s jobs run') from other;
select is(held, 5::bigint, 'those of this one are held') from queue.breaker where provider = 'p';
select is(test.claim(), '{}', 'and cost the next claim nothing');
select is(has_jobs, false, 'There is nothing to do') from queue.look('w', '{generate}');
select ok(next_due_in between 3 and 6.25, 'until the breaker lets one try') from queue.look('w', '{generate}');
select test.pass('7 seconds');
select is(test.claim(), p[4:4], 'That is the oldest of those the provider has not failed yet') from jobs;
select is(state, 'half_open', 'The breaker waits for its answer') from queue.breaker where provider = 'p';
select is(test.claim(), '{}', 'and nobody else tries');
select test.fail(p[4], 'provider') from jobs;
select ok(state = 'open' and retry_at - clock_timestamp() between interval '7 seconds' and interval '12.5 seconds', 'It fails: open again, for twice as long') from queue.breaker where provider = 'p';
select test.make_due();
select is(test.claim(), '{}', 'It waits with the others');
select test.pass('13 seconds');
create temp table probe as select (test.claim())[1] as id;
select is(id, p[5], 'Another one tries, for it may be the job that takes it down') from probe, jobs;
-- The worker that tries is lost.
update queue.worker set leased_until = clock_timestamp() - interval '1 second';
select is((select array_agg(job_id) from queue.claim('v', '{generate}', 100) as c where job_id <> (select id from other)), array[id], 'A probe whose worker is lost goes to another') from probe;
select is(queue.finish(id, (test.job(id)).token), true, 'and is answered') from probe;
select is_empty($$ select * from queue.breaker where provider = 'p' $$, 'The provider is well');
select test.make_due();
select is(cardinality(test.claim()), 4, 'and all the others run') from jobs;
delete from queue.job; delete from queue.breaker_state; delete from queue.closed_gate;

-- A probe that is taken back leaves the place to another.
create temp table taken as select array_agg(test.add('p') order by i) as p from generate_series(1, 5) as i;
select test.claim(3);
select test.fail(id, 'provider') from taken, unnest(p[1:3]) as id;
select test.make_due();
select test.claim();
select test.pass('7 seconds');
create temp table first as select (test.claim())[1] as id;
select queue.cancel(id), test.fail(id, 'item') from first;
select isnt((test.claim())[1], null, 'Another one tries');
delete from queue.job; delete from queue.breaker_state; delete from queue.closed_gate;

-- A refusal is an answer.
insert into queue.breaker_state (provider, state, faults, retry_at) values ('p', 'open', 3, now());
create temp table refused as select test.add('p') as id;
select test.claim();
select test.fail(id, 'item') from refused;
select is_empty('select * from queue.breaker', 'A provider that says no is there');
delete from queue.job;

-- Without a provider named, the host of the URL is it.
select is((test.job(queue.enqueue('fetch', jsonb_build_object('url', url)))).provider, provider, url) from (values
    ('https://Example.org/a?b#c', 'example.org'), ('http://user:secret@example.org:8080', 'example.org:8080'), ('HTTPS://[::1]:80/', '[::1]:80'), ('ftp://example.org', null), ('nonsense', null)) as u (url, provider);
delete from queue.job;

-- Rate: the provider wants us to wait.
create temp table rated as select array_agg(test.add('p') order by i) as p from generate_series(1, 4) as i;
select is(test.claim(2), p[1:2], 'Two of four run') from rated;
select test.fail(p[2], 'rate', '20 seconds') from rated;
select is(row(state, attempts, held_by)::text, row('held', 0, 'rate:p')::text, 'One that is to wait is held, uncounted') from rated, test.job(p[2]);
select is(test.claim(), '{}', 'with all of its provider');
select ok(next_due_in between 19 and 20, 'until the time the provider said') from queue.look('w', '{generate}');
select test.fail(p[1], 'rate', '10 seconds') from rated;
select ok(next_due_in between 19 and 20, 'the later one, if there are two') from queue.look('w', '{generate}');
select test.pass('20 seconds');
select is(test.claim(1), p[1:1], 'Then the oldest goes first') from rated;
select is(test.claim(), p[2:4], 'and the others after it') from rated;
select is((select count(*) from queue.closed_gate), 0::bigint, 'The gate is open');
select is_empty('select * from queue.breaker', 'A breaker has nothing to do with it');
select test.fail(p[1], 'rate') from rated;
select ok(next_due_in between 0.5 and 1, 'Who does not say how long is asked again in a second') from queue.look('w', '{generate}');
delete from queue.job; delete from queue.closed_gate; delete from queue.rate_limit;

-- Config: waits for a person.
create temp table parked as select test.add('p') as id, test.add('p') as neighbour;
select test.claim();
select test.fail(id, 'config') from parked;
select is(row(state, attempts, last_error)::text, row('parked', 0, 'because')::text, 'What needs a person is parked, with the reason') from parked, test.job(id);
select is(queue.finish(neighbour, 1), true, 'Its neighbour goes on') from parked;
select is(test.claim(), '{}', 'It is not claimed');
select results_eq($$ select job_id, reason from queue.stuck $$, $$ select id, 'because' from parked $$, 'An operator sees it');
select is(queue.retry_many(fault => 'config'), array[id], 'and lets it go on') from parked;
select is(test.claim(), array[id], 'It runs') from parked;

select * from finish();
rollback;
