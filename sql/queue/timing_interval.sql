create or replace function queue.timing_interval(timing text, out seconds int, out anchor timestamp)
    language plpgsql stable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_word text[] := queue.timing_words(timing);
    v_part text[];
    v_time numeric;
begin
    if v_word[1] is distinct from 'every' then
        return;
    end if;

    v_part := regexp_match(array_to_string(v_word, ' '),
        '^every (?:(\d{1,8}) )?(second|minute|hour|day|week)s?'
        '(?: from ((?!0000)\d{4}-(?:0[1-9]|1[0-2])-)(\d\d)'
        '(?:[ t]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?)?)?$');
    if v_part is null then
        perform access.refuse('QC213', format('"%s" cannot be read as an interval', left(timing, 500)),
            'Write "every 15 minutes": seconds, minutes, hours, days or weeks; to count from a local time, '
            'add "from 2027-05-03 09:00". By the calendar: @monthly, @yearly, or a cron expression.');
    end if;

    v_time := coalesce(v_part[1]::numeric, 1) * case v_part[2]
        when 'second' then 1
        when 'minute' then 60
        when 'hour'   then 3600
        when 'day'    then 86400
        when 'week'   then 604800
    end;
    if v_time not between 1 and 366 * 86400 then
        perform access.refuse('QC213', format('"%s" is not between a second and 366 days', timing));
    end if;
    seconds := v_time::int;

    anchor := coalesce(v_part[3] || '01', '1970-01-05')::timestamp + make_interval(
        days => coalesce(v_part[4]::int - 1, 0), hours => coalesce(v_part[5]::int, 0),
        mins => coalesce(v_part[6]::int, 0), secs => coalesce(v_part[7]::int, 0));
    if to_char(anchor, 'YYYY-MM-DD') <> v_part[3] || v_part[4] then
        perform access.refuse('QC213', format('there is no day %s%s', v_part[3], v_part[4]));
    end if;
end
$$;

comment on function queue.timing_interval(text) is
    'What "every 15 minutes" or "every 2 weeks from 2027-05-03 09:00" says: a length, and the local time it is
counted from, which is Monday, 5 January 1970, 0:00 if the timing names none. Nulls when it is no interval.
Errors: QC213 cannot be read, shorter than a second, longer than 366 days, no such day.';

-- Granted to nobody: queue.next_time calls it.
