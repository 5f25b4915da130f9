-- Asked at the end of every job: a look, and hardly ever more.
create or replace function queue.ensure_history_day(day date default (clock_timestamp() at time zone 'UTC')::date)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regclass('queue.history_' || to_char(day, 'YYYYMMDD')) is null then
        perform access.ensure_period('queue.history', 'day', day::timestamp at time zone 'UTC');
    end if;
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
