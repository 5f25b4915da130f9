-- A write marks its events dirty in its own transaction, and wakes the daemon at most once per burst.
--
-- Always a new mark, even where a visible one stands: a refresh may be running on a snapshot that sees that
-- mark and not this write, and would delete the only trace of it. Whether one stands is not even asked: under
-- load the table holds more dead marks than live ones, and passing over them costs more than the write.
--
-- A NOTIFY takes a lock on the whole cluster at commit, where writers would queue. So none is sent within
-- 20 ms of the last, nor while another transaction is about to: the daemon waits that long for more
-- anyway, and looks again after every refresh. Skipped wrongly (that other transaction rolled back, say),
-- it costs one poll.
create or replace function event.wake_refresher()
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_now  bigint := floor(date_part('epoch', clock_timestamp()) * 1000)::bigint;
    v_last bigint := (select w.last_value from event.last_wake as w);
begin
    -- Not "less than 20 ms ago": a clock set back must not silence it.
    if v_now - v_last not between 0 and 20
        and pg_try_advisory_xact_lock(hashtext('concierge'), hashtext('event_refresh'))
    then
        perform setval('event.last_wake', v_now);
        perform pg_notify('event_refresh', '');
        v_last := v_now;
    end if;
    perform set_config('concierge.last_wake', v_last::text, false);
end
$$;

comment on function event.wake_refresher() is
    'Notifies daemons that there is something to refresh, unless they were within the last 20 ms; the
connection remembers when that was.';

-- The same question, as far as this connection can answer it: what all share is looked at only when that is
-- too long ago. Who falsifies it harms their own writes, no other's.
create or replace function event.wake_may_be_due()
    returns boolean
    language sql volatile
return abs(date_part('epoch', clock_timestamp()) * 1000
    -- Empty after a rollback.
    - coalesce(nullif(current_setting('concierge.last_wake', true), ''), '0')::float8 - 10) > 10;

comment on function event.wake_may_be_due() is
    'Whether this connection knows of no wake-up in the last 20 ms.';
-- Granted to nobody: triggers call both.

-- Every session that is written pays for these functions, so they do nothing they could leave out: no
-- "distinct" for inserts, which would cost a lone row as much as its mark, and no pinned path, which in
-- PostgreSQL 15 walks all settings at each call. They need none: every name says its schema, and there is no
-- operator in them. Not definers either: tables of facts are written by functions of the owner's, and a
-- cascade runs as the owner.
create or replace function event.tg__mark_dirty_new()
    returns trigger
    language plpgsql volatile
as $$
begin
    insert into event.dirty_marks (event_id)
    select n.event_id from new_rows as n;
    if found and event.wake_may_be_due() then
        perform event.wake_refresher();
    end if;
    return null;
end
$$;

comment on function event.tg__mark_dirty_new() is
    'Statement trigger after insert: marks the events of the new rows.';

create or replace function event.tg__mark_dirty_old()
    returns trigger
    language plpgsql volatile
as $$
begin
    insert into event.dirty_marks (event_id)
    select distinct o.event_id from old_rows as o;
    if found and event.wake_may_be_due() then
        perform event.wake_refresher();
    end if;
    return null;
end
$$;

comment on function event.tg__mark_dirty_old() is
    'Statement trigger after delete: marks the events of the old rows.';

create or replace function event.tg__mark_dirty_both()
    returns trigger
    language plpgsql volatile
as $$
begin
    insert into event.dirty_marks (event_id)
    select o.event_id from old_rows as o union select n.event_id from new_rows as n;
    if found and event.wake_may_be_due() then
        perform event.wake_refresher();
    end if;
    return null;
end
$$;

comment on function event.tg__mark_dirty_both() is
    'Statement trigger after update: marks the events of the old and the new rows.';

create or replace function event.tg__mark_dirty_all()
    returns trigger
    language plpgsql volatile
as $$
begin
    insert into event.dirty_marks (event_id)
    select e.event_id from event.events as e;
    if found and event.wake_may_be_due() then
        perform event.wake_refresher();
    end if;
    return null;
end
$$;

comment on function event.tg__mark_dirty_all() is 'Statement trigger after truncate: marks every event.';

create or replace procedure event.cache_table(relation regclass)
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('create or replace trigger mark_dirty_insert after insert on %s
        referencing new table as new_rows
        for each statement execute function event.tg__mark_dirty_new()', relation);
    execute format('create or replace trigger mark_dirty_update after update on %s
        referencing old table as old_rows new table as new_rows
        for each statement execute function event.tg__mark_dirty_both()', relation);
    execute format('create or replace trigger mark_dirty_delete after delete on %s
        referencing old table as old_rows
        for each statement execute function event.tg__mark_dirty_old()', relation);
    execute format('create or replace trigger mark_dirty_truncate after truncate on %s
        for each statement execute function event.tg__mark_dirty_all()', relation);
end
$$;

comment on procedure event.cache_table(regclass) is
    'Puts the dirty-mark triggers on a table whose rows go into the materialized views.';
-- Granted to nobody: the owner decides what is cached.

call event.cache_table('event.events');
call event.cache_table('event.rooms');
call event.cache_table('event.event_speakers');
call event.cache_table('event.speakers');
call event.cache_table('event.session_speakers');
