-- A write marks its events dirty in its own transaction, and wakes the daemon at most once per burst.
--
-- Always a new mark, even where a visible one stands: a refresh may be running on a snapshot that sees that mark and not
-- this write, and would delete the only trace of it. Whether one stands is not even asked: under load the table holds more
-- dead marks than live ones, and passing over them costs more than the write.
--
-- A NOTIFY takes a lock on the whole cluster at commit, where writers would queue. So none is sent within 20 ms of the last, nor
-- while another transaction is about to: the daemon waits that long for more anyway, and looks again after every refresh.
-- Skipped wrongly (that other transaction rolled back, say), it costs one poll.
create or replace function event.wake_refresher(at_ms bigint)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_last bigint := (select w.last_value from event.last_wake as w);
begin
    -- Not "less than 20 ms ago": a clock set back must not silence it.
    if at_ms - v_last not between 0 and 20
        and pg_try_advisory_xact_lock(hashtext('concierge'), hashtext('event_refresh'))
    then
        perform setval('event.last_wake', at_ms);
        perform pg_notify('event_refresh', '');
        v_last := at_ms;
    end if;
    perform set_config('concierge.last_wake', v_last::text, false);
end
$$;

comment on function event.wake_refresher(bigint) is
    'Notifies daemons that there is something to refresh, unless one was notified within 20 ms before at_ms, milliseconds since 1970.';
-- Granted to nobody: the trigger calls it.

-- Every session that is written pays for this function, so it does nothing it could leave out: no "distinct" for inserts, which
-- would cost a lone row as much as its mark; the last known wake-up remembered in the connection, and the one all share read
-- only when that is old (who falsifies it harms their own writes, no other's); and no pinned path, which in PostgreSQL
-- 15 walks all settings at each call. It needs none: every name and operator says its schema.
--
-- Not a definer either: tables of facts are written by functions of the owner's, and a cascade runs as the owner.
create or replace function event.tg__mark_dirty()
    returns trigger
    language plpgsql volatile
as $$
declare
    v_now   pg_catalog.float8;
    v_known pg_catalog.text;
    v_since pg_catalog.float8;
begin
    if tg_op operator(pg_catalog.=) 'INSERT' then
        insert into event.dirty_marks (event_id) select n.event_id from new_rows as n;
    elsif tg_op operator(pg_catalog.=) 'UPDATE' then
        insert into event.dirty_marks (event_id) select o.event_id from old_rows as o union select n.event_id from new_rows as n;
    elsif tg_op operator(pg_catalog.=) 'DELETE' then
        insert into event.dirty_marks (event_id) select distinct o.event_id from old_rows as o;
    else
        insert into event.dirty_marks (event_id) select e.event_id from event.events as e;
    end if;

    if found then
        v_now := pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000;
        v_known := pg_catalog.current_setting('concierge.last_wake', true);  -- empty after a rollback
        v_since := v_now operator(pg_catalog.-) case when v_known operator(pg_catalog.<>) '' then v_known::pg_catalog.float8 else 0 end;
        if v_since operator(pg_catalog.<) 0 or v_since operator(pg_catalog.>) 20 then
            perform event.wake_refresher(v_now::pg_catalog.int8);
        end if;
    end if;
    return null;
end
$$;

comment on function event.tg__mark_dirty() is
    'Statement trigger: marks the events of the old and the new rows, after truncate every event, and wakes the daemon.';

create or replace procedure event.cache_table(relation regclass)
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('create or replace trigger mark_dirty_insert after insert on %s referencing new table as new_rows
        for each statement execute function event.tg__mark_dirty()', relation);
    execute format('create or replace trigger mark_dirty_update after update on %s referencing old table as old_rows new table as new_rows
        for each statement execute function event.tg__mark_dirty()', relation);
    execute format('create or replace trigger mark_dirty_delete after delete on %s referencing old table as old_rows
        for each statement execute function event.tg__mark_dirty()', relation);
    execute format('create or replace trigger mark_dirty_truncate after truncate on %s
        for each statement execute function event.tg__mark_dirty()', relation);
end
$$;

comment on procedure event.cache_table(regclass) is 'Puts the dirty-mark triggers on a table whose rows go into the materialized views.';
-- Granted to nobody: the owner decides what is cached.

call event.cache_table('event.events');
call event.cache_table('event.rooms');
call event.cache_table('event.event_speakers');
call event.cache_table('event.speakers');
call event.cache_table('event.session_speakers');

-- What these triggers called before they had one function in common.
drop function if exists event.tg__mark_dirty_new(), event.tg__mark_dirty_old(), event.tg__mark_dirty_both(), event.tg__mark_dirty_all(),
    event.wake_refresher();
