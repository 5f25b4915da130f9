-- Workers at the same time: they never wait for each other and never get the same job.
delete from queue.refresh;
insert into queue.job (kind, run_at) select 'deliver', now() - i * interval '1 minute' from generate_series(4, 1, -1) as i;

-- session: one
begin;
-- A worker takes what has been due longest.
select job_id from queue.claim('one', '{deliver}', 2);
--| 1
--| 2

-- session: two
-- Without waiting, the second worker gets what the first has not taken.
select job_id from queue.claim('two', '{deliver}', 10);
--| 3
--| 4

-- session: one
rollback;

-- session: two
-- What the first gave back by rolling back is there again.
select job_id from queue.claim('two', '{deliver}', 10);
--| 1
--| 2

-- Jobs whose worker is lost on the last attempt are buried by one, and nobody waits for that either.
-- session: main
update queue.job set attempts = max_attempts;
update queue.worker set leased_until = now() - interval '1 second';
-- session: one
begin;
-- The exhausted are not claimed.
select job_id from queue.claim('three', '{deliver}', 10);
--> no rows
-- session: two
-- A second worker does not wait while they are buried.
select job_id from queue.claim('four', '{deliver}', 10);
--> no rows
-- session: one
commit;
-- They are dead.
select count(*) from queue.dead_letter where fault = 'lost';
--| 4

-- Finish against recovery: whoever is first, the job is done once.
-- session: main
insert into queue.job (kind, state, worker, attempts, token) values ('deliver', 'running', 'one', 1, 1);
insert into queue.worker (worker, leased_until) values ('one', now() - interval '1 second');
-- session: one
begin;
-- A late worker is finishing.
select queue.finish(5, 1);
--| t
-- session: two
-- Nobody claims the job from under it.
select job_id from queue.claim('two', '{deliver}');
--> no rows
-- session: one
commit;
-- session: two
-- nor after it.
select job_id from queue.claim('two', '{deliver}');
--> no rows
-- And then the lost worker is forgotten.
select count(*) from queue.worker where worker = 'one';
--| 0

-- Claim against finish: the late worker waits for the claim, and then its token is stale.
-- session: main
insert into queue.job (kind, state, worker, attempts, token) values ('deliver', 'running', 'one', 1, 1);
insert into queue.worker (worker, leased_until) values ('one', now() - interval '1 second');
-- session: two
begin;
-- The next worker takes the job, with the next token.
select job_id, token from queue.claim('two', '{deliver}');
--| 6 | 2
-- session: one
-- The late worker waits for the claim,
select queue.finish(6, 1);
--> waits for two
-- session: two
commit;
-- session: one
-- and has lost the job to it,
--| f
-- which it also learns when it extends its lease.
select queue.extend('one');
--| null

-- A claim that outlasts its lease: its worker is not forgotten before its jobs are there to be seen.
-- session: main
insert into queue.worker (worker, leased_until) values ('slow', now() - interval '1 second');
-- session: one
begin;
-- The lease seemed long enough.
select count(*) from queue.hold_lease('slow', interval '-10 seconds');
--| 1
-- session: two
select queue.recover();
--| 0
select count(*) from queue.worker where worker = 'slow';
--| 1
-- session: one
commit;
-- session: two
select queue.recover();
--| 0
select count(*) from queue.worker where worker = 'slow';
--| 0

-- Cancel against claim.
-- session: main
update queue.job set state = 'ready', run_at = now(), worker = null where job_id = 6;
-- session: one
begin;
select job_id from queue.claim('one', '{deliver}');
-- session: two
-- Whoever cancels waits for the claim under way,
select queue.cancel(6);
--> waits for one
-- session: one
commit;
-- session: two
-- and a job that runs is asked to stop.
--| t
-- session: one
select queue.extend('one');
--| {6}
select queue.fail(6, 3, 'stopped');
--| t

-- The same key at the same time.
-- session: one
begin;
select queue.enqueue('deliver', key => 'k', run_at => 'infinity');
--| $job
-- session: two
-- The second waits to know what becomes of the first,
select queue.enqueue('deliver', key => 'k', run_at => 'infinity');
--> waits for one
-- session: one
commit;
-- session: two
-- and gets its job.
--| $job

-- Two claims decide about one gate: the second leaves the jobs to the first, without waiting.
-- session: main
select queue.enqueue('fetch', concurrency_group => 'g'), queue.enqueue('fetch', concurrency_group => 'g');
-- session: one
begin;
select count(*) from queue.claim('one', '{fetch}');
--| 1
-- session: two
select count(*) from queue.claim('two', '{fetch}', 10);
--| 0
-- session: one
commit;
-- session: two
-- There is one place, and it is taken.
select count(*) from queue.claim('two', '{fetch}', 10);
--| 0
select count(*) from queue.job where state = 'held' and held_by = 'concurrency:g';
--| 1

-- Holding against opening: a job that is held while its gate is opened is not forgotten.
-- session: one
begin;
select count(*) from queue.job as j, queue.finish(j.job_id, j.token) where j.kind = 'fetch' and j.state = 'running';
-- session: two
-- While the place is not free yet, another one comes and is left for later, without waiting,
select count(*) from queue.enqueue('fetch', concurrency_group => 'g'), queue.claim('two', '{fetch}', 10);
--| 0
-- session: one
commit;
-- session: two
-- and then one of the two goes.
select count(*) from queue.claim('two', '{fetch}', 10);
--| 1
select count(*) from queue.job as h where h.state = 'held' and not exists (select from queue.closed_gate as g where g.gate = h.held_by);
--| 0

-- The floor does not pass what a transaction has written and not committed.
-- session: main
update queue.floor set raised_at = '-infinity', floors = '{}', candidate = null;
-- session: one
begin;
select queue.enqueue('rerank');
--| $late
-- session: two
-- Every few seconds it is raised; here time is made to pass.
select count(*) from queue.claim('two', '{rerank}');
--| 0
update queue.floor set raised_at = raised_at - interval '10 seconds';
select count(*) from queue.claim('two', '{rerank}');
--| 0
update queue.floor set raised_at = raised_at - interval '10 seconds';
select count(*) from queue.claim('two', '{rerank}');
--| 0
-- It waits for the writer,
select floors, cardinality(waits_for) from queue.floor;
--| {} | 1
-- session: one
commit;
-- session: two
-- whose job is found,
select job_id from queue.claim('two', '{rerank}');
--| $late
update queue.floor set raised_at = raised_at - interval '10 seconds';
-- and then it is raised.
select count(*) from queue.claim('two', '{rerank}');
--| 0
select floors <> '{}' from queue.floor;
--| t
