-- Two calls with the same idempotency key at the same time: one writes, the other waits and gets its answer.
create function test.note() returns text language sql as $$
    select contractor.capture_event_note(contractor.contractor_id('anna'), event.event_id('fair'), 'It is dry', 'k') ->> 'note_id' $$;

-- session: one
select set_config('request.jwt', access.issue_token('acme', 'anna'), false), set_config('role', 'concierge_app', false);
begin;
-- The first call writes.
select test.note();
--| $note

-- session: two
select set_config('request.jwt', access.issue_token('acme', 'anna'), false), set_config('role', 'concierge_app', false);
-- The second call with the key waits for the first.
select test.note();
--> waits for one

-- session: one
commit;
-- session: two
-- When the first has committed, the second gets its answer.
--| $note
-- session: main
-- There is one note.
select count(*) from contractor.event_notes;
--| 1

-- The first rolls back.
delete from access.idempotency_keys;
delete from contractor.event_notes;
-- session: one
begin;
select test.note();
-- session: two
-- Again the second waits.
select test.note();
--> waits for one
-- session: one
rollback;
-- session: two
-- When the first has rolled back, the second writes,
--| $another
-- session: main
-- and its note is the one there is.
select note_id from contractor.event_notes;
--| $another

-- The same key for something else is refused, when it is known what the first call was.
-- session: one
begin;
select contractor.capture_event_note(contractor.contractor_id('anna'), event.event_id('fair'), 'It is wet', 'l') is null;
-- session: two
-- A call with other arguments waits, too,
select contractor.capture_event_note(contractor.contractor_id('anna'), event.event_id('fair'), 'It is dry', 'l');
--> waits for one
-- session: one
commit;
-- session: two
-- and is refused.
--> error QC409
