-- Jobs that share something: at most so many of a group at once, so many in an interval.
begin;
select no_plan();
delete from queue.refresh;

create function test.job(id bigint) returns queue.job language sql as $$ select j.* from queue.job as j where j.job_id = id $$;
create function test.claim(max_jobs int default 100) returns bigint[] language sql as $$ select coalesce(array_agg(job_id order by job_id), '{}') from queue.claim('w', '{generate}', max_jobs) $$;
create function test.finish(id bigint) returns boolean language sql as $$ select queue.finish(j.job_id, j.token) from queue.job as j where j.job_id = $1 $$;
create function test.pass(at interval) returns void language sql as $$
    update queue.closed_gate set opens_at = opens_at - at where opens_at < 'infinity';
    update queue.rate_limit set refilled_at = refilled_at - at, blocked_until = blocked_until - at $$;
create function test.in_group(name text) returns bigint language sql as $$ select queue.enqueue('generate', concurrency_group => name) $$;
create function test.at_rate(name text, units float8 default 0) returns bigint language sql as $$ select queue.enqueue('generate', rate_group => name, rate_units => units) $$;

-- Concurrency: one at a time, unless somebody says otherwise.
create temp table a as select array_agg(test.in_group('a') order by i) as j from generate_series(1, 4) as i;
create temp table b as select test.in_group('b') as j;
select is(test.claim(), array[a.j[1], b.j], 'One of a group runs, and one of another') from a, b;
select is(row(state, held_by)::text, row('held', 'concurrency:a')::text, 'The others of the group wait') from a, test.job(j[2]);
select is(has_jobs, false, 'off the claim') from queue.look('w', '{generate}');
select is(test.finish(j[1]), true, 'When the one is done,') from a;
select is(has_jobs, true, 'there is work') from queue.look('v', '{generate}');
select is(test.claim(), array[j[2]], 'for the next') from a;
select queue.fail(j[2], 1, 'x') from a;
select is(test.claim(), array[j[3]], 'Failing makes room, too') from a;
update queue.worker set leased_until = clock_timestamp() - interval '1 second';
select is((select count(*) from queue.claim('v', '{generate}', 100) join a on job_id = any (j)), 1::bigint, 'and losing the worker: one of them runs') from a;
select queue.limit_concurrency('a', 3);
update queue.job set run_at = clock_timestamp() where state = 'ready';
select is((select count(*) from queue.job where concurrency_group = 'a' and state = 'running'), 1::bigint, 'A higher limit') union all select is(cardinality(test.claim()), 2, 'lets more run at once');
select throws_ok($$ select queue.limit_concurrency('a', 0) $$, '23514', null, 'Not none');
select is((select count(*) from queue.job where concurrency_group = 'a' and state = 'running'), 3::bigint, 'Three of the group run') from a;
select queue.cancel(job_id), queue.fail(job_id, token, 'x') from queue.job where concurrency_group = 'a' and state = 'running';
delete from queue.job; delete from queue.closed_gate;

-- Three jobs of a group in one claim are counted one by one.
select queue.limit_concurrency('c', 2);
create temp table c as select array_agg(test.in_group('c') order by i) as j from generate_series(1, 5) as i;
select is(test.claim(), j[1:2], 'A claim of many stays within the limit') from c;
select test.finish(j[1]), test.finish(j[2]) from c;
select is(test.claim(), j[3:4], 'and the next one') from c;
delete from queue.job; delete from queue.closed_gate;

-- Rate: a bucket.
select queue.limit_rate('r', requests => 3, every => '1 minute');
create temp table r as select array_agg(test.at_rate('r') order by i) as j from generate_series(1, 6) as i;
select is(test.claim(), j[1:3], 'As many run as the bucket holds') from r;
select ok(next_due_in between 15 and 20.1, 'The next one when there is a third of a minute''s worth') from queue.look('w', '{generate}');
select is(test.claim(), '{}', 'not before');
select test.pass('20 seconds');
select is(test.claim(), j[4:4], 'Then one') from r;
select test.pass('10 minutes');
select is(test.claim(), j[5:6], 'A full bucket is never fuller than full, and these are the last') from r;
select is((queue.refilled(l, clock_timestamp())).requests::int, 1, 'One is left') from queue.rate_limit as l where rate_group = 'r';
delete from queue.job; delete from queue.closed_gate;

-- Units: what weighs more than is left waits, what weighs more than the bucket goes alone.
select queue.limit_rate('u', requests => 1000, every => '1 minute', units => 600);
create temp table u as select test.at_rate('u', 500) as a, test.at_rate('u', 200) as b, test.at_rate('u', 5000) as c, test.at_rate('u', 1) as d;
select is(test.claim(1), array[a], 'The first fits') from u;
select is(test.claim(1), array[d], 'What is light passes what is heavy, while that waits') from u;
select is((select count(*) from queue.job where state = 'held'), 2::bigint, 'Two wait');
select ok(next_due_in between 9 and 11, 'until there is enough for the oldest: a hundred units more') from queue.look('w', '{generate}');
select test.pass('11 seconds');
select is(test.claim(), array[b], 'which then goes') from u;
select test.pass('40 seconds');
select is(test.claim(), '{}', 'What is too heavy for any bucket waits for a full one');
select test.pass('21 seconds');
select is(test.claim(), array[c], 'and goes') from u;
select cmp_ok(units_left, '<', -4000::float8, 'leaving it in debt') from queue.rate_limit where rate_group = 'u';

-- A gate of several kinds: the job passes all, and takes from the bucket only when it goes.
select queue.limit_rate('both', requests => 1, every => '1 hour');
create temp table both_gates as select array_agg(queue.enqueue('generate', concurrency_group => 'both', rate_group => 'both') order by i) as j from generate_series(1, 3) as i;
select is(test.claim(), j[1:1], 'One goes') from both_gates;
select is(held_by, 'concurrency:both', 'The next waits for its place first') from both_gates, test.job(j[2]);
select test.finish(j[1]) from both_gates;
select is(test.claim(), '{}', 'and then for its share');
select is(held_by, 'rate:both', 'which it has not taken while it waited for the place') from both_gates, test.job(j[2]);

-- A rate that has opened while a job was being held for it.
select queue.limit_rate('opened', requests => 1, every => '1 hour');
select test.at_rate('opened', 0);
update queue.job set state = 'held', held_by = 'rate:opened' where rate_group = 'opened';
select queue.hold(array_agg(job_id), array['rate:opened']) from queue.job where rate_group = 'opened';
select ok(opens_at between now() and clock_timestamp(), 'opens now, and not since ever') from queue.closed_gate where gate = 'rate:opened';
select ok(next_due_in is not null, 'which a look can reckon with') from queue.look('w', '{generate}');
select is((select count(*)::int from test.claim() as c, unnest(c)), 1, 'and a claim passes');

-- Whatever is held is let go by somebody.
select is_empty($$ select * from queue.stuck where state = 'held' $$, 'Nothing is held by a gate that is not closed');

select * from finish();
rollback;
