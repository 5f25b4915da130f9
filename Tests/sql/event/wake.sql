-- A write wakes the daemon, a burst wakes it once, and neither a clock set back nor a hostile path silences it.
-- Notifications need commits, so this file commits in its throw-away database.
select no_plan();
create extension dblink;
select dblink_connect('ear', format('host=%s port=%s dbname=%s user=%s',
    split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user));
select dblink_exec('ear', 'listen event_refresh');

-- How often daemons were woken, and that nothing but "look" was said; the round trip lets what is under way arrive.
create function test.heard() returns int language plpgsql as $$
begin
    perform d.x from dblink('ear', 'select 1') as d (x int);
    return (select count(*) filter (where n.notify_name = 'event_refresh' and n.extra = '') from dblink_get_notify('ear') as n);
end
$$;
create function test.ms() returns bigint language sql as 'select floor(extract(epoch from clock_timestamp()) * 1000)::bigint';

-- Writes a session, the last wake-up being so many milliseconds ago as all and as this connection know it; null: it knows none.
-- Says whether a wake-up was due: what happened within 20 ms is only known when writing took less than that.
create procedure test.write(all_know int, this_knows int) language plpgsql as $$
declare
    v_start bigint;
begin
    loop
        v_start := test.ms();
        perform setval('event.last_wake', v_start - all_know);
        perform set_config('concierge.last_wake', coalesce((v_start - this_knows)::text, ''), false);
        insert into event.event_speakers (tenant_id, event_id, session_title, session_start, session_end)
        select e.tenant_id, e.event_id, 'A session', now(), now() from event.events as e where e.event_id = test.event('acme');
        exit when test.ms() - v_start < 10;
        rollback;
    end loop;
end
$$;

delete from event.dirty_marks;
select is(test.heard(), 0, 'Nothing was heard yet');
call test.write(60000, null);
select is(test.heard(), 1, 'A write wakes the daemon');
select ok(current_setting('concierge.last_wake')::bigint > test.ms() - 60000, 'and its connection remembers');
call test.write(60000, 60000);
select is(test.heard(), 1, 'A write long after wakes it again');
call test.write(60000, 0);
select is(test.heard(), 0, 'A write by the connection that has just woken it does not');
call test.write(0, null);
select is(test.heard(), 0, 'nor by another connection,');
select is(current_setting('concierge.last_wake'), (select last_value from event.last_wake)::text, 'which learns of it then');
call test.write(-3600000, null);
select is(test.heard(), 1, 'A clock set back an hour silences nobody: not all');
call test.write(60000, -3600000);
select is(test.heard(), 1, 'and not one connection');
select is((select count(*) from event.dirty_marks)::int, 6, 'Woken or not, each write left its mark');

select set_config('concierge.last_wake', '', false);
begin;
call test.write(60000, null);
rollback;
select is(test.heard(), 0, 'A write rolled back wakes nobody');
select is(current_setting('concierge.last_wake'), '', 'and its connection does not take it for a wake-up');

-- The trigger has no pinned path. Every name that it could be tricked with stands in front of the real one here.
create schema evil;
create function evil.date_part(text, timestamptz) returns float8 language sql as 'select 1 / 0.0::float8';
create function evil.clock_timestamp() returns timestamptz language sql as 'select ''-infinity''::timestamptz';
create function evil.current_setting(text, boolean) returns text language sql as 'select 1 / 0 || ''''';
create function evil.no(text, text) returns boolean language sql as 'select false';
create function evil.no(float8, float8) returns boolean language sql as 'select false';
create function evil.zero(float8, float8) returns float8 language sql as 'select 0::float8';
create operator evil.=  (leftarg = text,   rightarg = text,   function = evil.no);
create operator evil.<> (leftarg = text,   rightarg = text,   function = evil.no);
create operator evil.<  (leftarg = float8, rightarg = float8, function = evil.no);
create operator evil.>  (leftarg = float8, rightarg = float8, function = evil.no);
create operator evil.-  (leftarg = float8, rightarg = float8, function = evil.zero);
create operator evil.*  (leftarg = float8, rightarg = float8, function = evil.zero);
create table evil.dirty_marks (event_id uuid);
create domain evil.float8 as pg_catalog.float8 check (false);
select setval('event.last_wake', 0), set_config('concierge.last_wake', '', false);
delete from event.dirty_marks;
set search_path = evil, pg_catalog;
update event.event_speakers set session_title = 'Another';
reset search_path;
select is((select count(*) from event.dirty_marks)::int, 1, 'A writer with a hostile path marks as any other');
select is(test.heard(), 1, 'and wakes');

select dblink_disconnect('ear');
select * from finish();
