-- What is asked all day finds an index, and what is written all day locks no more than rows.
begin;
select no_plan();

-- Reads.
select test.avoids_scan($$ select * from event.event_speakers where event_id = test.event('acme')
    and session_start between now() and now() + interval '1 hour' and cancelled_at is null $$,
    'event.event_speakers', 'The sessions of an event at a time are found by time');
select test.uses_index($$ select from event.dirty_marks where event_id = test.event('acme') $$,
    'dirty_marks_by_event', 'Whether an event is dirty is looked up');
select test.avoids_scan($$ select from queue.job where key = 'x' $$,
    'queue.job', 'A live job is found by its key without reading the queue');
select test.uses_index($$ select job_id from queue.job where state = 'ready' and kind = 'deliver' and priority = 1
    and (run_at, job_id) > (now() - interval '1 hour', 0) and run_at <= now() order by run_at, job_id limit 1 for update skip locked $$,
    'job_ready', 'What is due longest is found in order');
select test.uses_index($$ select job_id from queue.job where state = 'running' and worker = 'w' $$,
    'job_by_worker', 'What a worker has is looked up');
select test.uses_index($$ select job_id from queue.job where state = 'held' and held_by = 'rate:x' order by priority, provider_faults, job_id limit 1 $$,
    'job_held', 'What waits longest at a gate is found in order');

-- Locks.
select test.locks($$ select queue.claim('w', '{deliver}') $$, 'queue.job', 'row share', 'A claim that finds nothing locks no more than rows');
select test.locks($$ select queue.look('w', '{deliver}') $$, 'queue.job', 'access share', 'A look only reads it');
select test.locks($$ select access.clock() $$, 'queue.job', 'none', 'The clock has nothing to do with it');
select test.locks($$ select event.refresh_due_in() $$, 'event.dirty_marks', 'access share', 'When a refresh is due is read');
select test.locks($$ delete from event.dirty_marks $$, 'event.dirty_marks', 'row exclusive', 'A refresh clears marks row by row: writers leave new ones meanwhile');

select * from finish();
rollback;
