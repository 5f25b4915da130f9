-- Daemons are woken by a new job: once per transaction, with nothing but "look", and nobody queues to do it.

-- session: ear
listen queue_job;

-- session: one
select queue.enqueue('deliver');
-- session: ear
-- A new job wakes daemons, and a look is all that is said.
--> notified queue_job
--> notified nothing

-- session: one
begin;
select count(queue.enqueue('deliver')) from generate_series(1, 10);
commit;
-- session: ear
-- Ten in a transaction wake them once.
--> notified queue_job
--> notified nothing

-- session: one
begin;
select queue.enqueue('deliver');
-- session: two
-- While another is about to notify, nobody queues behind it,
select queue.enqueue('deliver');
--> done
-- session: ear
-- nor notifies in its place.
--> notified nothing
-- session: one
commit;
-- session: ear
-- That other one does.
--> notified queue_job

-- session: one
begin;
select queue.enqueue('deliver');
rollback;
-- session: ear
-- A job that was rolled back wakes nobody.
--> notified nothing
