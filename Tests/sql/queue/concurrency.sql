-- Workers at the same time: they never wait for each other and never get the same job.
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
update queue.job set leased_until = now() - interval '1 second', attempts = max_attempts;
-- session: one
begin;
-- The exhausted are not claimed.
select job_id from queue.claim('one', '{deliver}', 10);
--> no rows
-- session: two
-- A second worker does not wait while they are buried.
select job_id from queue.claim('two', '{deliver}', 10);
--> no rows
-- session: one
commit;
-- They are dead.
select count(*) from queue.job where state = 'dead';
--| 4

-- Finish against claim: whoever is first, the job is done once.
-- session: main
insert into queue.job (kind, state, worker, leased_until, attempts, token)
values ('deliver', 'running', 'one', now() - interval '1 second', 1, 1);
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

-- Claim against finish: the late worker waits for the claim, and then its token is stale.
-- session: main
update queue.job set state = 'running', finished_at = null, leased_until = now() - interval '1 second' where job_id = 5;
-- session: two
begin;
-- The next worker takes the job, with the next token.
select job_id, token from queue.claim('two', '{deliver}');
--| 5 | 2
-- session: one
-- The late worker waits for the claim,
select queue.finish(5, 1);
--> waits for two
-- session: two
commit;
-- session: one
-- and has lost the job to it.
--| f

-- Cancel against claim.
-- session: main
update queue.job set state = 'ready', run_at = now(), worker = null, leased_until = null where job_id = 5;
-- session: one
begin;
select job_id from queue.claim('one', '{deliver}');
-- session: two
-- Whoever cancels waits for the claim under way,
select queue.cancel(5);
--> waits for one
-- session: one
commit;
-- session: two
-- and a job that runs is not taken back.
--| f

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
