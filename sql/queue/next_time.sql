create or replace function queue.known_zone(time_zone text)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    return time_zone::access.time_zone::text;
exception
    when invalid_parameter_value or check_violation then
        perform access.refuse('QC203', format('"%s" is no time zone this server knows', time_zone),
            'Use an IANA name such as ''Europe/Berlin''.');
        return null;
end
$$;

comment on function queue.known_zone(text) is
    'The name of a time zone. Errors: QC203 the server knows none of that name.';

-- Granted to nobody: queue.next_time calls it.

-- The server's time zone data can be asked for an offset, not for its changes; so the day is halved until one
-- second is left. No zone has ever changed its offset twice within six days.
create or replace function queue.clock_change(time_zone text, after timestamptz)
    returns timestamptz
    language plpgsql stable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_low    timestamptz := date_trunc('second', after);
    v_high   timestamptz := v_low + interval '24 hours';
    v_middle timestamptz;
    v_offset interval := v_low at time zone time_zone - v_low at time zone 'UTC';
begin
    if v_high at time zone time_zone - v_high at time zone 'UTC' = v_offset then
        return null;
    end if;
    while v_high - v_low > interval '1 second' loop
        v_middle := date_trunc('second', v_low + (v_high - v_low) / 2);
        if v_middle at time zone time_zone - v_middle at time zone 'UTC' = v_offset then
            v_low := v_middle;
        else
            v_high := v_middle;
        end if;
    end loop;
    return v_high;
end
$$;

comment on function queue.clock_change(text, timestamptz) is
    'When, within the 24 hours after an instant, the clocks of a zone are changed; null when they are not.';

-- Granted to nobody: queue.next_time calls it.

-- The offsets of the days before and after are all that can be in force: no zone changes twice in two days.
create or replace function queue.first_shown(local_time timestamp, time_zone text, since timestamptz)
    returns timestamptz
    language sql stable parallel safe
begin atomic
    with candidate as (
        select (local_time - (d.near at time zone time_zone - d.near at time zone 'UTC'))
            at time zone 'UTC' as instant
        from (values (local_time at time zone 'UTC' - interval '24 hours'),
                     (local_time at time zone 'UTC' + interval '24 hours')) as d (near)
    )
    select coalesce(
        min(c.instant) filter (where c.instant >= since and c.instant at time zone time_zone = local_time),
        queue.clock_change(time_zone, min(c.instant)))
    from candidate as c;
end;

comment on function queue.first_shown(timestamp, text, timestamptz) is
    'The first instant, not before since, at which the clocks of a zone show a local time; if they skip it,
the instant they do.';

-- Granted to nobody: queue.next_time calls it.

create or replace function queue.due_twice(timing text)
    returns boolean
    language sql stable strict parallel safe
return (
    select coalesce(i.seconds <= 3600, (queue.timing_words(timing))[2] ~ '[*/]')
    from queue.timing_interval(timing) as i
);

comment on function queue.due_twice(text) is
    'Whether a timing follows the clock when it is set back, and is due again: an hour field with * or a step,
or an interval of an hour at most. Errors: QC213 an interval that cannot be read.';

-- Granted to nobody: queue.next_time calls it.

-- Two readings of the clock on the wall. What runs in every real hour follows it wherever it is set: only
-- times it shows count, and those it shows twice count twice. All else goes by a clock that is never set
-- back, and that passes, in no time, the times it skips.
create or replace function queue.next_time(timing text, after timestamptz, time_zone text default 'UTC')
    returns timestamptz
    language plpgsql stable strict security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_zone     text := queue.known_zone(time_zone);
    v_interval record;
    v_since    timestamptz;
    v_local    timestamp;
    v_next     timestamptz;
    v_change   timestamptz;
begin
    if after not between '0001-01-01 00:00+00' and '9999-12-31 00:00+00' then
        perform access.refuse('QC214', format('nothing is planned after %s', after),
            'Pass a time between the years 1 and 9999.');
    end if;
    -- An instant has microseconds: "after" is "not before the next one".
    v_since := after + interval '1 microsecond';

    select i.* into v_interval from queue.timing_interval(timing) as i;
    if 86400 % v_interval.seconds <> 0 and v_interval.seconds % 86400 <> 0 then
        return queue.next_multiple(v_interval.seconds,
            queue.first_shown(v_interval.anchor, v_zone, '-infinity') at time zone 'UTC',
            v_since at time zone 'UTC') at time zone 'UTC';
    elsif not queue.due_twice(timing) then
        -- The latest time the clock has shown so far: now, or before it was set back.
        v_change := queue.clock_change(v_zone, after - interval '24 hours') - interval '1 microsecond';
        v_local := greatest(after at time zone v_zone, v_change at time zone v_zone);
        v_local := queue.next_local(timing, v_local + interval '1 microsecond');
        return queue.first_shown(v_local, v_zone, v_since);
    end if;

    loop
        v_local := queue.next_local(timing, v_since at time zone v_zone);
        v_next := queue.first_shown(v_local, v_zone, v_since);
        v_change := queue.clock_change(v_zone, v_since);
        exit when v_next at time zone v_zone = v_local and v_next < coalesce(v_change, 'infinity');
        -- Again from the change: the clock is set back before then, or skips that time.
        v_since := least(v_change, v_next);
    end loop;
    return v_next;
end
$$;

comment on function queue.next_time(text, timestamptz, text) is
    'When a recurring timing is due next, after an instant. A timing is a cron expression of five fields (see
queue.cron_fields), or an interval: "every", a number or none for one, and seconds, minutes, hours, days or
weeks, from a second to 366 days; then, if it matters, "from 2027-05-03 09:00", the local time it is counted
from, in both directions.
An interval that divides a day, or is whole days, goes by the local clock: every 15 minutes is at :00, :15,
:30 and :45, every 6 hours at 0:00, 6:00, 12:00 and 18:00, every day at midnight, every week on Monday. Any
other is time elapsed: every 50 minutes stays 50 minutes when clocks are changed. Where no "from" says
otherwise, both count from Monday, 5 January 1970, 0:00, local time.
When clocks are changed: a local time that is skipped is due once, at the first instant after the gap; one
that comes twice is due the first time only. A timing of every hour (* or a step in the hour field, or an
interval of an hour at most) follows the clock instead: due whenever it shows the time, so twice, or not at
all.
Errors: QC203 no such time zone, QC213 the timing cannot be read, QC214 it never comes, or after is no time
between the years 1 and 9999.';

grant execute on function queue.next_time(text, timestamptz, text) to concierge_worker, concierge_admin;
