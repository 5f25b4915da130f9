-- Two sessions with the same idempotency key at the same time: one writes, the other waits and gets its answer.
-- Commits, in a database that is thrown away.
select no_plan();
create extension dblink;
create function test.here() returns text language sql as $$
    select format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user) $$;
create function test.note(message text, key text) returns text language sql as $$
    select format('select contractor.capture_event_note(contractor.contractor_id(''anna''), event.event_id(''fair''), %L, %L) ->> ''note_id''', message, key) $$;
-- Whether another session waits for a lock.
create function test.waits(name text) returns boolean language plpgsql as $$
declare
    v_pid int := (select d.pid from dblink(name, 'select pg_backend_pid()') as d (pid int));
begin
    perform dblink_send_query(name, test.note('It is dry', 'k'));
    for i in 1..1000 loop
        perform pg_sleep(0.01), pg_stat_clear_snapshot();
        exit when exists (select from pg_locks as l where l.pid = v_pid and not l.granted);
    end loop;
    return exists (select from pg_locks as l where l.pid = v_pid and not l.granted);
end
$$;

select dblink_connect('one', test.here()), dblink_connect('two', test.here());
select dblink_exec(c, format('set request.jwt = %L', access.issue_token('acme', 'anna'))), dblink_exec(c, 'set role concierge_app') from unnest(array['one', 'two']) as c;

-- The first commits.
select dblink_exec('one', 'begin');
create temp table first as select d.note_id from dblink('one', test.note('It is dry', 'k')) as d (note_id text);
select is(test.waits('two'), true, 'The second call with the key waits for the first');
select dblink_exec('one', 'commit');
select is(d.note_id, f.note_id, 'When the first has committed, the second gets its answer') from first as f, dblink_get_result('two') as d (note_id text);
select is_empty($$ select * from dblink_get_result('two') as d (note_id text) $$, 'and that is all');
select is((select count(*) from contractor.event_notes), 1::bigint, 'There is one note');

-- The first rolls back.
select dblink_exec(c, 'reset role') from unnest(array['one', 'two']) as c;
delete from access.idempotency_keys;
delete from contractor.event_notes;
select dblink_exec(c, 'set role concierge_app') from unnest(array['one', 'two']) as c;
select dblink_exec('one', 'begin');
select d.note_id from dblink('one', test.note('It is dry', 'k')) as d (note_id text);
select is(test.waits('two'), true, 'Again the second waits');
select dblink_exec('one', 'rollback');
select isnt(d.note_id, null, 'When the first has rolled back, the second writes') from dblink_get_result('two') as d (note_id text);
select is_empty($$ select * from dblink_get_result('two') as d (note_id text) $$, 'and that is all');
select is((select count(*) from contractor.event_notes), 1::bigint, 'There is one note');

select dblink_disconnect('one'), dblink_disconnect('two');
select * from finish();
