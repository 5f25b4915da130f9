create or replace function queue.first_from(members int4multirange, since int)
    returns int
    language sql immutable parallel safe
return lower(members * int4multirange(int4range(since, null)));

comment on function queue.first_from(int4multirange, int) is
    'The least member that is not less; null when there is none.';

-- Granted to nobody: queue.next_time calls it.

-- Ends because queue.cron_fields refuses what never comes. The rarest is 29 February on one weekday: at most
-- forty years away.
create or replace function queue.next_cron_day(
    days int4multirange, months int4multirange, weekdays int4multirange, either_day boolean, since date
)
    returns date
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_day     date := since;
    v_in_days boolean;
    v_in_week boolean;
begin
    loop
        if not months @> extract(month from v_day)::int then
            v_day := (date_trunc('month', v_day::timestamp) + interval '1 month')::date;
            continue;
        end if;
        v_in_days := days @> extract(day from v_day)::int or days @> 0 and extract(day from v_day + 1) = 1;
        v_in_week := weekdays @> extract(dow from v_day)::int;
        exit when v_in_days and v_in_week or either_day and (v_in_days or v_in_week);
        v_day := v_day + 1;
    end loop;
    return v_day;
end
$$;

comment on function queue.next_cron_day(int4multirange, int4multirange, int4multirange, boolean, date) is
    'The first day, not before since, that these fields of a cron expression allow.';

-- Granted to nobody: queue.next_time calls it.

create or replace function queue.next_cron_minute(timing text, since timestamp)
    returns timestamp
    language plpgsql stable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_cron   record;
    -- Whole minutes only: a started one is over.
    v_since  timestamp := date_trunc('minute', since + interval '1 minute' - interval '1 microsecond');
    v_day    date;
    v_hour   int;
    v_minute int;
begin
    select c.* into v_cron from queue.cron_fields(timing) as c;
    v_day := queue.next_cron_day(
        v_cron.days, v_cron.months, v_cron.weekdays, v_cron.either_day, v_since::date);
    if v_day > v_since::date then
        return v_day + make_time(lower(v_cron.hours), lower(v_cron.minutes), 0);
    end if;

    v_hour := extract(hour from v_since)::int;
    v_minute := queue.first_from(v_cron.minutes, extract(minute from v_since)::int);
    if v_cron.hours @> v_hour and v_minute is not null then
        return v_day + make_time(v_hour, v_minute, 0);
    end if;
    v_hour := queue.first_from(v_cron.hours, v_hour + 1);
    if v_hour is null then
        v_day := queue.next_cron_day(
            v_cron.days, v_cron.months, v_cron.weekdays, v_cron.either_day, v_day + 1);
    end if;
    return v_day + make_time(coalesce(v_hour, lower(v_cron.hours)), lower(v_cron.minutes), 0);
end
$$;

comment on function queue.next_cron_minute(text, timestamp) is
    'The first local time, not before since, that a cron expression allows. Errors: as queue.cron_fields.';

-- Granted to nobody: queue.next_time calls it.

create or replace function queue.next_multiple(seconds int, anchor timestamp, since timestamp)
    returns timestamp
    language sql immutable parallel safe
-- mod() has the sign of what it divides: twice, so that an anchor to come does as well as a past one.
return since
    + mod(seconds - mod(extract(epoch from since - anchor), seconds), seconds)::float8 * interval '1 second';

comment on function queue.next_multiple(int, timestamp, timestamp) is
    'The first time, not before since, that is a multiple of so many seconds away from the anchor.';

-- Granted to nobody: queue.next_time calls it.

create or replace function queue.next_local(timing text, since timestamp)
    returns timestamp
    language sql stable strict parallel safe
begin atomic
    select case
        when i.seconds is null then queue.next_cron_minute(next_local.timing, next_local.since)
        else queue.next_multiple(i.seconds, i.anchor, next_local.since)
    end
    from queue.timing_interval(next_local.timing) as i;
end;

comment on function queue.next_local(text, timestamp) is
    'The first local time, not before since, that a timing names, as if no clock were ever changed.
Errors: as queue.next_time.';

-- Granted to nobody: queue.next_time calls it.
