-- A day, or a month, is a table, so that forgetting it costs a moment and leaves no dead rows. Made when its first row comes: what
-- writes must not depend on somebody who makes tables ahead.
create or replace function access.ensure_period(parent regclass, period text, at timestamptz)
    returns regclass
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_start  date := date_trunc(period, at at time zone 'UTC')::date;
    v_schema text;
    v_parent text;
    v_table  text;
begin
    select c.relnamespace::regnamespace::text, c.relname::text into v_schema, v_parent from pg_class as c where c.oid = parent;
    v_table := v_parent || '_' || to_char(v_start, case period when 'day' then 'YYYYMMDD' else 'YYYYMM' end);
    if to_regclass(format('%I.%I', v_schema, v_table)) is not null then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtext('concierge'), hashtext(parent::text));
    -- Not by to_regclass, which may remember that there was none before the wait.
    if exists (select from pg_class as c where c.relnamespace = v_schema::regnamespace and c.relname = v_table) then
        return null;
    end if;
    -- Attached, not made in place: that would wait for, and stop, everybody who reads or writes the others.
    execute format('create table %I.%I (like %I.%I including all)', v_schema, v_table, v_schema, v_parent);
    execute format('alter table %I.%I enable row level security', v_schema, v_table);
    execute format('comment on table %I.%I is %L', v_schema, v_table, format('A %s of %s.%s.', period, v_schema, v_parent));
    execute format('alter table %I.%I attach partition %I.%I for values from (%L) to (%L)', v_schema, v_parent, v_schema, v_table,
        v_start || ' 00:00+00', (v_start + ('1 ' || period)::interval)::date || ' 00:00+00');
    return format('%I.%I', v_schema, v_table)::regclass;
end
$$;

comment on function access.ensure_period(regclass, text, timestamptz) is
    'Makes the table of a day or month, of UTC, of a table that is partitioned so, unless it is there; returns the one it has made.';
-- Granted to nobody: functions of other schemas call it.
