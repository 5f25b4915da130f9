-- Refreshes, writers and readers at the same time.
update event.events set starts_at = now() - interval '1 day', ends_at = now() + interval '1 day';
select test.add_session('acme', 'Running', now() - interval '20 minutes', now() + interval '20 minutes');
call event.refresh();
select set_config('request.jwt', access.issue_token('acme', 'anna'), false);
-- After a refresh the caches answer.
select event.cache_is_exact(test.event('acme'), now());
--| t

-- A refresh that began before a write commits does not clear its mark.
-- session: writer
begin;
select test.add_session('acme', 'Sudden', now() - interval '1 minute', now() + interval '20 minutes');
-- session: refresher
-- A refresh does not wait for a writer.
call event.refresh();
--> done
-- session: main
-- An uncommitted write is not visible, and the cache is exact.
select event.cache_is_exact(test.event('acme'), now());
--| t
-- session: writer
commit;
-- session: main
-- Its mark survives the refresh that could not see it,
select event.cache_is_exact(test.event('acme'), now());
--| f
-- and the write shows at once.
select session_title from event.sessions_now(test.event('acme')) order by session_title;
--| Running
--| Sudden

-- The refreshing transaction has an older snapshot than a write that commits meanwhile.
-- session: refresher
begin isolation level repeatable read;
-- One mark is in its snapshot.
select count(*) from event.dirty_marks;
--| 1
-- session: writer
update event.event_speakers set session_title = 'Very sudden' where session_title = 'Sudden';
-- session: refresher
select event.refresh_sessions();
-- session: writer
-- A writer does not wait for a refresh.
update event.event_speakers set session_title = 'Most sudden' where session_title = 'Very sudden';
--> done
-- session: refresher
commit;
-- A refresh deletes only the mark of its snapshot,
select count(*) from event.dirty_marks;
--| 2
-- session: main
-- and what came meanwhile is read exactly.
select session_title from event.sessions_now(test.event('acme')) order by session_title;
--| Most sudden
--| Running
-- The next refresh takes it in.
call event.refresh();
select event.cache_is_exact(test.event('acme'), now());
--| t

-- A session is cancelled and rescheduled at the same time.
-- session: one
begin;
update event.event_speakers set cancelled_at = now() where session_title = 'Most sudden';
-- session: writer
-- Whoever reschedules it waits for the cancellation,
update event.event_speakers set session_end = now() + interval '30 minutes'
where session_title = 'Most sudden' and cancelled_at is null returning session_title;
--> waits for one
-- session: main
-- of which nobody knows before its commit: the caches still answer.
select event.cache_is_exact(test.event('acme'), now()), count(*) from event.sessions_now(test.event('acme'));
--| t | 2
-- session: one
commit;
-- session: writer
-- and finds nothing left to reschedule.
--> no rows
-- session: main
-- What is cancelled is gone from the very next read, whatever the caches hold.
select session_title from event.sessions_now(test.event('acme'));
--| Running

-- Two refreshes do not collide.
-- session: one
-- The first one is under way: its lock comes before its transaction.
select pg_advisory_lock(hashtext('concierge'), hashtext('event.refresh'));
--> done
-- session: refresher
-- The second leaves at once, without waiting,
call event.refresh();
--> done
-- and without touching a mark: the next look finds it.
select count(*) > 0 from event.dirty_marks;
--| t
-- session: one
select pg_advisory_unlock(hashtext('concierge'), hashtext('event.refresh'));
--| t
call event.refresh();
select count(*) from event.dirty_marks;
--| 0

-- Nobody refreshes while the database is migrated, nor waits for it.
-- session: one
-- The migrator's lock.
select pg_advisory_lock(x'636f6e6369657267'::int8);
--> done
-- session: writer
update event.event_speakers set session_title = 'Still running' where session_title = 'Running';
-- session: refresher
-- A refresh during a migration leaves at once,
call event.refresh();
--> done
-- and leaves the mark,
select count(*) from event.dirty_marks;
--| 1
-- and keeps no lock.
select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();
--| 0
-- session: main
-- The mark keeps reads exact.
select session_title from event.sessions_now(test.event('acme'));
--| Still running

-- session: one
select pg_advisory_unlock(x'636f6e6369657267'::int8);
--| t
-- session: refresher
call event.refresh();
-- After it, all is refreshed,
select count(*) from event.dirty_marks;
--| 0
-- and neither lock is kept.
select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();
--| 0

-- session: refresher
-- A refresh in a transaction of the caller's is refused: it must commit.
begin;
call event.refresh();
--> error 2D000
rollback;
-- It keeps no lock, which would keep everybody from refreshing and migrating.
select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();
--| 0

-- A migrator does not begin in the middle of a refresh.
-- session: refresher
-- What a refresh holds while it runs.
select pg_advisory_lock_shared(x'636f6e6369657267'::int8);
--> done
-- session: one
-- The migrator waits for it.
select pg_advisory_lock(x'636f6e6369657267'::int8);
--> waits for refresher
-- session: refresher
select pg_advisory_unlock_shared(x'636f6e6369657267'::int8);
--| t
-- session: one
-- and begins when it is done.
--> done
