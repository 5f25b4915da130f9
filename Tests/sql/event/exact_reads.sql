-- Reads are exact whatever the caches hold: the cached path is taken only while nothing visible is dirty.
-- Refreshing needs commits, so this file commits in its throw-away database.
select no_plan();

-- What base tables say, written independently of the functions under test.
create function test.truth_now(event uuid, at timestamptz) returns setof text language sql as $$
    select s.session_title from event.event_speakers as s
    where s.event_id = event and s.cancelled_at is null and s.session_start <= at and at < s.session_end $$;
create function test.truth_next(event uuid, at timestamptz) returns setof text language sql as $$
    select s.session_title from event.event_speakers as s
    where s.event_id = event and s.cancelled_at is null and s.session_start > at and s.session_start <= at + interval '1 hour' $$;

-- Sessions around the real present, because that is what the caches hold.
update event.events set starts_at = now() - interval '1 day', ends_at = now() + interval '1 day';
select test.add_session('acme', 'Running',   now() - interval '20 minutes', now() + interval '20 minutes');
select test.add_session('acme', 'Soon',      now() + interval '10 minutes', now() + interval '50 minutes');
select test.add_session('acme', 'Tomorrow',  now() + interval '24 hours',   now() + interval '25 hours');
select test.add_session('acme', 'Yesterday', now() - interval '24 hours',   now() - interval '23 hours');
select test.add_session('acme', 'A point',   now() + interval '5 minutes',  now() + interval '5 minutes');
select test.add_session('globex', 'Theirs',  now() - interval '20 minutes', now() + interval '20 minutes');

select set_config('request.jwt', access.issue_token('acme', 'anna'), false);

-- Before the first refresh.
select is(event.cache_is_exact(test.event('acme'), now()), false, 'An event with marks is not read from the cache');
select set_eq('select session_title from event.sessions_now(test.event(''acme''))', array['Running'], 'Before a refresh, what is on comes from base tables');
select set_eq('select session_title from event.sessions_next(test.event(''acme''))', array['Soon', 'A point'], 'Before a refresh, what is next comes from base tables');

-- A refresh.
select throws_ok('select event.refresh_sessions()', '25001', null, 'The inner refresh refuses to run outside REPEATABLE READ');
call event.refresh();
select is((select count(*) from event.dirty_marks)::int, 0, 'A refresh clears the marks it covers');
select is(event.cache_is_exact(test.event('acme'), now()), true, 'After it the cache is exact');
select is(event.cache_is_exact(test.event('acme'), now() + interval '21 minutes'), false, 'It does not claim instants past its window');
select is(event.cache_is_exact(test.event('acme'), now() - interval '6 minutes'), false, 'It does not claim instants before its window');
select set_eq('select session_title from event.sessions_now(test.event(''acme''))', array['Running'], 'The cached path gives the same');
select set_eq('select session_title from event.sessions_next(test.event(''acme''))', array['Soon', 'A point'], 'The cached path gives the same next sessions');
select is((select pg_try_advisory_lock(hashtext('concierge'), hashtext('event.refresh'))), true, 'A refresh gives its lock back');
select pg_advisory_unlock_all();

-- The cached path is really taken: a row smuggled into the base table past the triggers is not seen until a mark is made.
set session_replication_role = replica;
update event.event_speakers set session_title = 'Running, renamed in secret' where session_title = 'Running';
set session_replication_role = origin;
select set_eq('select session_title from event.sessions_now(test.event(''acme''))', array['Running'], 'While nothing is dirty, reads come from the materialized view');
update event.event_speakers set session_title = 'Running' where session_title = 'Running, renamed in secret';
call event.refresh();

-- Every kind of write shows in the very next read, in its own transaction and after it.
begin;
update event.event_speakers set session_title = 'Running late' where session_title = 'Running';
select set_eq('select session_title from event.sessions_now(test.event(''acme''))', array['Running late'], 'A write shows in its own transaction');
rollback;
select set_eq('select session_title from event.sessions_now(test.event(''acme''))', array['Running'], 'A write rolled back never was');
select is(event.cache_is_exact(test.event('acme'), now()), true, 'and leaves no mark');

update event.event_speakers set session_start = now() + interval '30 minutes', session_end = now() + interval '70 minutes' where session_title = 'Running';
select is_empty('select session_title from event.sessions_now(test.event(''acme''))', 'A session moved away is not on');
select set_eq('select session_title from event.sessions_next(test.event(''acme''))', array['Soon', 'A point', 'Running'], 'and is next');
select is(event.cache_is_exact(test.event('globex'), now()), true, 'Another event stays cached');
call event.refresh();
select set_eq('select session_title from event.sessions_next(test.event(''acme''))', array['Soon', 'A point', 'Running'], 'and stays so when cached');

update event.event_speakers set cancelled_at = now() where session_title = 'Soon';
select set_eq('select session_title from event.sessions_next(test.event(''acme''))', array['A point', 'Running'], 'A session cancelled is gone');
call event.refresh();
delete from event.event_speakers where session_title = 'A point';
select set_eq('select session_title from event.sessions_next(test.event(''acme''))', array['Running'], 'A session deleted is gone');
call event.refresh();
select test.add_session('acme', 'New', now() + interval '15 minutes', now() + interval '16 minutes');
select set_eq('select session_title from event.sessions_next(test.event(''acme''))', array['Running', 'New'], 'A session added is there');
call event.refresh();

-- What a session shows of other tables is as fresh.
select throws_ok($$ update event.event_speakers set room = 'Green' where session_title = 'New' $$, '23503', null, 'A room the event does not have is refused');
update event.rooms set name = 'Crimson' where name = 'Red' and event_id = test.event('acme');
select is((select room from event.sessions_next(test.event('acme')) where session_title = 'New'), 'Crimson', 'A renamed room shows at once');
call event.refresh();
update event.rooms set zone = 'Z' where name = 'Crimson';
select is((select room_zone from event.sessions_next(test.event('acme')) where session_title = 'New'), 'Z', 'A moved booth zone shows at once');
call event.refresh();
with p as (
    insert into event.speakers (tenant_id, event_id, source_key, name) select tenant_id, event_id, 'x', 'Xenia' from event.events where event_id = test.event('acme') returning *)
insert into event.session_speakers (session_id, speaker_id, event_id, tenant_id, position)
select s.session_id, p.speaker_id, p.event_id, p.tenant_id, 1 from p, event.event_speakers as s where s.session_title = 'New';
select is((select speakers from event.sessions_next(test.event('acme')) where session_title = 'New'), '{Xenia}', 'A speaker added shows at once');
call event.refresh();
update event.speakers set name = 'Xenia Yu' where name = 'Xenia';
select is((select speakers from event.sessions_next(test.event('acme')) where session_title = 'New'), '{Xenia Yu}', 'A speaker renamed shows at once');
call event.refresh();

-- When it is due.
select ok(event.refresh_due_in() between 290 and 300, 'Right after a refresh the next is due in five minutes');
create temp table stamp as select refreshed_at from event.refresh_state;
call event.refresh(only_when_due => true);
select is((select refreshed_at from event.refresh_state), (select refreshed_at from stamp), 'A refresh that is not due does nothing');
update event.event_speakers set url = 'x' where session_title = 'Running';
select ok(event.refresh_due_in() < 5, 'A mark makes it due, after a rest of three times what the last one took');
update event.refresh_state set duration = '1 minute';
select ok(event.refresh_due_in() between 230 and 240, 'so that refreshing never takes more than a quarter of the time');
insert into event.dirty_marks (event_id) select test.event('acme') from generate_series(1, 99);
select ok(event.refresh_due_in() between 230 and 240, 'while marks are few;');
insert into event.dirty_marks (event_id) select test.event('acme');
select ok(event.refresh_due_in() between 1190 and 1200, 'in a burst of writes, a twentieth');
update event.refresh_state set duration = '0';
select is(event.refresh_due_in(), 0::double precision, 'and at once when there is nothing to rest from');
call event.refresh(only_when_due => true);
select isnt((select refreshed_at from event.refresh_state), (select refreshed_at from stamp), 'and then it runs');
update event.refresh_state set refreshed_at = now() - interval '6 minutes';
select is(event.refresh_due_in(), 0::double precision, 'Age makes it due, too');
delete from event.refresh_state;
select is(event.refresh_due_in(), 0::double precision, 'So does never having run');

-- Time passes without any refresh: the same cache, read at every minute of its window.
call event.refresh();
create function test.wrong_at(at timestamptz) returns boolean language plpgsql as $$
begin
    perform set_config('concierge.clock', at::text, false);
    return array(select session_title from event.sessions_now(test.event('acme')) order by 1)
            is distinct from array(select x from test.truth_now(test.event('acme'), at) as x order by 1)
        or array(select session_title from event.sessions_next(test.event('acme')) order by 1)
            is distinct from array(select x from test.truth_next(test.event('acme'), at) as x order by 1);
end $$;
select is((
    select count(*)::int from generate_series(now() - interval '10 minutes', now() + interval '30 minutes', interval '1 minute') as at
    where test.wrong_at(at)), 0, 'At every minute of the window, and outside it, the answer equals the truth');
select set_config('concierge.clock', '', false);

-- Tenants.
select set_config('role', 'concierge_app', false);
select set_eq('select distinct event_id from event.cached_sessions', 'select event_id from event.events', 'The cache shows a tenant its own rows');
select throws_ok('select * from event.mv_sessions_now', '42501', null, 'The materialized view itself is closed to apps');
select set_config('role', 'none', false);
select throws_ok(format('select * from event.sessions_now(%L)', test.event('globex')), 'QC201', null, 'Another tenant''s event is unknown');
select throws_ok('select * from event.sessions_now(null)', '22004', null, 'No event is refused');
select throws_ok('select * from event.sessions_next(gen_random_uuid())', 'QC201', null, 'An unknown event is refused');

select * from finish();
