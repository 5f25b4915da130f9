-- What keeps the queue small and on time: history by the day, deadlines, schedules, the floor of the claim.
begin;
select no_plan();
update queue.upkeep_state set done_at = 'epoch';
delete from queue.refresh where name <> 'queue_upkeep';
-- Those that come with the database are not looked at here.
delete from queue.schedule;

create function test.job(id bigint) returns queue.job language sql as $$ select j.* from queue.job as j where j.job_id = id $$;
create function test.days() returns text[] language sql as $$ select coalesce(array_agg(c.relname::text order by c.relname), '{}') from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'queue.history'::regclass $$;
create function test.day(days int) returns text language sql as $$ select 'history_' || to_char((clock_timestamp() at time zone 'UTC')::date + days, 'YYYYMMDD') $$;

-- History.
select is(test.days(), '{}', 'Before the first job is over, history has no days');
select queue.cancel(queue.enqueue('deliver'));
select is(test.days(), array[test.day(0)], 'The day a job ends on is made when it is needed');
select is((select relrowsecurity from pg_class where oid = ('queue.' || test.day(0))::regclass), true, 'and is as closed as its table');
select is(queue.upkeep_due_in(), 0::float8, 'Upkeep is due');
select results_eq($$ select refresh_calls from queue.look('w', '{deliver}') $$, $$ values ('{select queue.upkeep()}'::text[]) $$, 'as a daemon learns');
select queue.upkeep();
select is(test.days(), array[test.day(0), test.day(1)], 'It makes tomorrow');
select ok(queue.upkeep_due_in() between 30 and 60, 'and is done for a minute');
select queue.ensure_history_day((clock_timestamp() at time zone 'UTC')::date - d) from unnest(array[6, 7, 8, 30]) as d;
update queue.upkeep_state set done_at = 'epoch';
select queue.upkeep();
select is(test.days(), array[test.day(-7), test.day(-6), test.day(0), test.day(1)], 'Days older than a week are dropped');
select queue.configure(history_for => '1 day');
select is(queue.drop_old_history(), 2, 'or than an operator says');
select throws_ok($$ select queue.configure(history_for => '1 hour') $$, '23514', null, 'A day at least');

-- Old dead letters stay, unless an operator says how long.
insert into queue.dead_letter (job_id, kind, payload, priority, rate_units, max_attempts, attempts, token, fault, created_at, died_at)
select -d, 'fetch', '{}', 1, 0, 1, 1, 1, 'item', now(), now() - d * interval '1 day' from unnest(array[1, 100]) as d;
update queue.upkeep_state set done_at = 'epoch';
select queue.upkeep();
select is((select count(*) from queue.dead_letter), 2::bigint, 'Dead letters wait for somebody');
select queue.configure(dead_letters_for => '10 days');
select is(row(history_for, breaker_after)::text, row(interval '1 day', 3)::text, 'What is not given stays as it is') from queue.setting;
update queue.upkeep_state set done_at = 'epoch';
select queue.upkeep();
select results_eq('select job_id from queue.dead_letter', 'values (-1::bigint)', 'or for the time they are kept');

-- A tenant goes with its history.
create temp table tenant as select access.create_tenant('gone', 'Gone') as id;
select queue.cancel(queue.enqueue('deliver', tenant_id => id)) from tenant;
select is((select count(*) from queue.history as h join tenant as t on t.id = h.tenant_id), 1::bigint, 'A tenant has a history');
delete from access.tenants where tenant_id = (select id from tenant);
select is((select count(*) from queue.history as h join tenant as t on t.id = h.tenant_id), 0::bigint, 'until it is gone');

-- Deadlines of what is not claimed.
select queue.enqueue('embed', run_at => 'infinity', deadline => clock_timestamp());
update queue.upkeep_state set done_at = 'epoch';
select queue.upkeep();
select is((select fault from queue.dead_letter where kind = 'embed'), 'deadline', 'What was put off past its deadline is given up');

-- Schedules.
create function test.soon(name text) returns void language sql as $$ update queue.schedule as s set next_at = clock_timestamp() - interval '1 second' where s.name = soon.name $$;
select ok(queue.set_schedule('nightly', '30 3 * * *', payload => '{"n": 1}', time_zone => 'Europe/Berlin', options => '{"priority": 3}') > clock_timestamp(), 'A schedule has a next time');
select is((select extract(hour from next_at at time zone 'Europe/Berlin') * 60 + extract(minute from next_at at time zone 'Europe/Berlin') from queue.schedule), 210::numeric, 'by its own clock');
select ok(queue.upkeep_due_in() <= 60, 'Upkeep is due when it is') union all select is(queue.run_schedules(), 0, 'Before, nothing is enqueued');
select test.soon('nightly');
select is(queue.upkeep_due_in(), 0::float8, 'When its time has come, upkeep is due,');
select queue.upkeep();
select is(row(j.kind, j.payload, j.priority, j.key)::text, row('call', '{"n": 1}'::jsonb, 3, 'schedule:nightly')::text, 'and a job is there') from queue.schedule as s, test.job(s.last_job_id) as j;
select ok(next_at > clock_timestamp() and last_at < clock_timestamp() and last_error is null, 'The schedule goes on') from queue.schedule;
select test.soon('nightly');
select queue.run_schedules();
select is((select count(*) from queue.job where key = 'schedule:nightly'), 1::bigint, 'While the last job is live, the next time adds none');
delete from queue.job;
update queue.schedule set next_at = clock_timestamp() - interval '3 days';
select queue.run_schedules();
select is((select count(*) from queue.job), 1::bigint, 'What was missed is run once,');
delete from queue.job;
select queue.set_schedule('nightly', '30 3 * * *', missed => 'skip', time_zone => 'Europe/Berlin');
update queue.schedule set next_at = clock_timestamp() - interval '3 minutes';
select is(queue.run_schedules(), 0, 'or skipped');
select ok(next_at > clock_timestamp(), 'and goes on') from queue.schedule;
select test.soon('nightly');
select is(queue.run_schedules(), 1, 'A minute late is not missed');
delete from queue.job;
create temp table kept as select next_at from queue.schedule;
select queue.set_schedule('nightly', '30 3 * * *', payload => '{"n": 2}', time_zone => 'Europe/Berlin');
select is((select next_at from queue.schedule), (select next_at from kept), 'Said again with other work, it keeps its time');
select is(queue.pause_schedule('nightly'), true, 'It is paused');
select test.soon('nightly');
select is(queue.run_schedules(), 0, 'and rests');
select ok(queue.resume_schedule('nightly') > clock_timestamp(), 'It is resumed from now on');
select throws_ok($$ select queue.set_schedule('bad', 'now and then') $$, 'QC213', null, 'A timing has to be one');
select throws_ok($$ select queue.set_schedule('bad', '* * * * *', continuation => 'no.such') $$, 'QC212', null, 'a continuation to be there');
select throws_ok($$ select queue.set_schedule('bad', '* * * * *', missed => 'twice') $$, '23514', null, 'and what was missed to be skipped or run once');
-- One that cannot be enqueued does not stop the others.
select queue.set_schedule('broken', '* * * * *', options => '{"priority": 9}');
select test.soon('broken'), test.soon('nightly');
select is(queue.run_schedules(), 1, 'A schedule that cannot be enqueued does not stop another');
select matches(last_error, '^23514: ', 'and says why') from queue.schedule where name = 'broken';
select is(queue.drop_schedule('broken'), true, 'It is dropped') union all select is(queue.drop_schedule('broken'), false, 'once') union all select is(queue.pause_schedule('broken'), false, 'and not paused then') union all select is(queue.resume_schedule('broken'), null, 'nor resumed');

-- The floor of the claim.
delete from queue.job;
create function test.floor() returns timestamptz language sql as $$ select queue.floor_of(f.floors, 'rerank', 1) from queue.floor as f $$;
create function test.raise() returns void language sql as $$ update queue.floor set raised_at = raised_at - interval '10 seconds' where raised_at > '-infinity'; select queue.raise_floor() $$;
select test.raise(), test.raise();
select ok(test.floor() between now() - interval '1 second' and clock_timestamp(), 'Where nothing is ready, the floor is a second ago');
create temp table low as select queue.enqueue('rerank') as id;
select test.raise(), test.raise();
select cmp_ok(test.floor(), '<=', run_at, 'It does not pass what is ready') from low, test.job(id);
update queue.job set run_at = now() - interval '1 hour';
select is_empty($$ select * from queue.claim('w', '{rerank}') $$, 'If a job came to lie below, claims would not find it,');
select is(queue.check_floor(), true, 'but upkeep does');
select is((select job_id from queue.claim('w', '{rerank}')), id, 'and it is claimed') from low;
select is(queue.check_floor(), false, 'Nothing is below any more');
select test.raise(), test.raise();
update queue.floor set raised_at = clock_timestamp() + interval '1 hour';
select queue.raise_floor();
select is(test.floor(), '-infinity', 'When the clock was put back, the floors are void');

-- What operators read.
delete from queue.job; delete from queue.dead_letter;
select queue.enqueue('embed'), queue.enqueue('embed', run_at => clock_timestamp() + interval '1 hour');
update queue.job set run_at = clock_timestamp() - interval '10 minutes', created_at = clock_timestamp() - interval '10 minutes' where run_at < clock_timestamp();
select results_eq($$ select due, later, running, held, parked, dead, extract(minute from oldest_due)::int, extract(minute from oldest)::int from queue.overview where kind = 'embed' $$, $$ values (1::bigint, 1::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 10, 10) $$, 'The overview counts by kind and says how old the oldest is');
select results_eq($$ select state, reason from queue.stuck $$, $$ values ('ready', 'nobody claims it') $$, 'What nobody claims is stuck');
select queue.claim('gone', '{embed}');
update queue.worker set leased_until = clock_timestamp() - interval '1 minute' where worker = 'gone';
select results_eq($$ select state, reason from queue.stuck $$, $$ values ('running', 'its worker gone has lost its lease') $$, 'and what a lost worker has');
update queue.worker set leased_until = clock_timestamp() + interval '1 minute' where worker = 'gone';
update queue.job set deadline = clock_timestamp() - interval '2 minutes' where state = 'running';
select results_eq($$ select state, reason from queue.stuck $$, $$ values ('running', 'it is performed past its deadline') $$, 'and what takes too long');

select * from finish();
rollback;
