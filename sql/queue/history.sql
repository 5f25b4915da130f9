-- A day is a table, so that forgetting it costs a moment and leaves no dead rows. Made when it is needed: a
-- queue that ends jobs must not depend on somebody who makes tables ahead.
create or replace function queue.ensure_history_day(day date default (clock_timestamp() at time zone 'UTC')::date)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_table text := 'history_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass('queue.' || v_table) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('concierge'), hashtext('queue.history'));
    -- Not by to_regclass, which may remember that there was none before the wait.
    if exists (
        select from pg_class as c where c.relnamespace = 'queue'::regnamespace and c.relname = v_table)
    then
        return;
    end if;
    -- Attached, not made in place: that would wait for, and stop, everybody who reads or writes history.
    execute format('create table queue.%I (like queue.history including all)', v_table);
    execute format('alter table queue.%I enable row level security', v_table);
    execute format('comment on table queue.%I is %L', v_table, 'A day of queue.history.');
    execute format('alter table queue.history attach partition queue.%I for values from (%L) to (%L)',
        v_table, day || ' 00:00+00', day + 1 || ' 00:00+00');
end
$$;

comment on function queue.ensure_history_day(date) is 'Makes the table of a day of history, unless it is there.';
-- Granted to nobody: whatever ends a job calls it.

-- Whole days only. A table somebody reads is left for the next time: nobody shall wait for its end.
create or replace function queue.drop_old_history()
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    set lock_timeout = '100ms'
as $$
declare
    v_oldest date := (clock_timestamp() at time zone 'UTC')::date - (
        select ceil(extract(epoch from s.history_for) / 86400)::int from queue.setting as s);
    v_table  regclass;
    v_count  int := 0;
begin
    for v_table in
        select i.inhrelid::regclass
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'queue.history'::regclass
            and c.relname ~ '^history_\d{8}$' and substr(c.relname, 9)::date < v_oldest
        order by c.relname
    loop
        begin
            execute format('drop table %s', v_table);
            v_count := v_count + 1;
        exception when lock_not_available then
            raise log 'queue: % is being read, and is dropped later', v_table;
        end;
    end loop;
    return v_count;
end
$$;

comment on function queue.drop_old_history() is
    'Drops the days of history that are older than queue.setting says; returns how many.';
-- Granted to nobody: queue.upkeep calls it.

-- Without a foreign key, which would lock the tenants whenever a day is dropped.
create or replace function queue.tg__forget_tenants()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    delete from queue.history as h using gone as g where h.tenant_id = g.tenant_id;
    return null;
end
$$;

comment on function queue.tg__forget_tenants() is 'Statement trigger: the history of a tenant goes with it.';

create or replace trigger forget_history after delete on access.tenants
    referencing old table as gone for each statement execute function queue.tg__forget_tenants();
