create or replace function queue.timing_words(timing text)
    returns text[]
    language sql immutable strict parallel safe
return (
    select string_to_array(case words
        when '@hourly'   then '0 * * * *'
        when '@daily'    then '0 0 * * *'
        when '@midnight' then '0 0 * * *'
        when '@weekly'   then '0 0 * * 0'
        when '@monthly'  then '0 0 1 * *'
        when '@yearly'   then '0 0 1 1 *'
        when '@annually' then '0 0 1 1 *'
        else words end, ' ')
    from (select lower(btrim(regexp_replace(timing, '\s+', ' ', 'g'))) as words) as t
);

comment on function queue.timing_words(text) is
    'A timing as words in lower case, shorthands such as @daily written out.';

-- Granted to nobody: queue.next_time calls it.

-- A name stands at the subscript that is its value.
create or replace function queue.cron_value(word text, field text, low int, high int, names text[])
    returns int
    language plpgsql stable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    if word = any (names) then
        return array_position(names, word);
    elsif word !~ '^[0-9]{1,4}$' then
        perform access.refuse('QC213', format('%s "%s" is no number%s', field, word,
            case when names <> '{}' then ' or name' end), format('Use %s-%s.', low, high));
    elsif word::int not between low and high then
        perform access.refuse('QC213',
            format('%s %s is not within %s-%s', field, word, low, greatest(high, array_upper(names, 1))));
    end if;
    return word::int;
end
$$;

comment on function queue.cron_value(text, text, int, int, text[]) is
    'The number a word of a cron field stands for. Errors: QC213 it is none, or out of range.';

-- Granted to nobody: queue.next_time calls it.

create or replace function queue.cron_field(
    items text, field text, low int, high int, names text[] default '{}'
)
    returns int4multirange
    language plpgsql stable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_item text;
    v_part text[];
    v_from int;
    v_to   int;
    v_step int;
    v_set  int4multirange := int4multirange();
begin
    foreach v_item in array string_to_array(items, ',') loop
        v_part := regexp_match(v_item, '^(?:\*|(\w+)(?:-(\w+))?)(?:/(\d{1,4}))?$');
        if v_part is null then
            perform access.refuse('QC213', format('%s "%s" cannot be read', field, v_item),
                'Write *, a value, a range (1-5), a step (*/15), or several with commas between.');
        end if;

        v_from := coalesce(queue.cron_value(v_part[1], field, low, high, names), low);
        v_to   := coalesce(queue.cron_value(v_part[2], field, low, high, names),
            case when v_part[1] is null or v_part[3] is not null then high else v_from end);
        v_step := coalesce(v_part[3]::int, 1);
        if least(v_from, v_to) < low and v_item <> v_part[1] then
            perform access.refuse('QC213', format('%s "%s": L stands alone', field, v_item));
        elsif v_to < v_from then
            perform access.refuse('QC213', format('%s %s ends before it begins', field, v_item),
                'Write two ranges with a comma between.');
        elsif v_step not between 1 and high - low + 1 then
            perform access.refuse('QC213',
                format('%s step %s is not within 1-%s', field, v_step, high - low + 1),
                'For a longer interval write "every 90 minutes".');
        end if;

        v_set := v_set + case v_step
            when 1 then int4multirange(int4range(v_from, v_to, '[]'))
            else (
                select range_agg(int4range(g.value, g.value, '[]'))
                from generate_series(v_from, v_to, v_step) as g (value))
        end;
    end loop;
    return v_set;
end
$$;

comment on function queue.cron_field(text, text, int, int, text[]) is
    'The values one field of a cron expression allows. A step without an end ("5/15") goes on to the last
value. Errors: QC213, which names the field and the part that is wrong.';

-- Granted to nobody: queue.next_time calls it.

-- Sets as multiranges: "the next one from here" is then the lower end of an intersection.
create or replace function queue.cron_fields(
    timing text,
    out minutes int4multirange, out hours int4multirange, out days int4multirange, out months int4multirange,
    out weekdays int4multirange, out either_day boolean
)
    language plpgsql stable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_word    text[] := queue.timing_words(timing);
    v_longest int;
begin
    if length(timing) > 500 then
        perform access.refuse('QC213', 'a timing has at most 500 characters');
    elsif cardinality(v_word) <> 5 then
        perform access.refuse('QC213',
            format('"%s" is no timing: cron has five fields, not %s', timing, cardinality(v_word)),
            'Write minute, hour, day of month, month, day of week; or @daily; or "every 15 minutes".');
    end if;

    minutes  := queue.cron_field(v_word[1], 'minute', 0, 59);
    hours    := queue.cron_field(v_word[2], 'hour', 0, 23);
    -- Day 0 of the next month.
    days     := queue.cron_field(v_word[3], 'day of month', 1, 31, '[0:0]={l}');
    months   := queue.cron_field(v_word[4], 'month', 1, 12,
        '[1:12]={jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}');
    -- 7 is another name of Sunday, and SUN means it where a range ends on one.
    weekdays := queue.cron_field(
        regexp_replace(v_word[5], '(?<!\m(?:sun|0))-sun\M', '-7', 'g'), 'day of week', 0, 6,
        '[0:7]={sun,mon,tue,wed,thu,fri,sat,7}');
    if weekdays @> 7 then
        weekdays := weekdays + '{[0,1)}'::int4multirange - '{[7,8)}'::int4multirange;
    end if;
    either_day := v_word[3] !~ '^\*' and v_word[5] !~ '^\*';

    v_longest := case
        when months && '{[1,2), [3,4), [5,6), [7,9), [10,11), [12,13)}'::int4multirange then 31
        when months = '{[2,3)}' then 29
        else 30
    end;
    if lower(days) > v_longest and not either_day then
        perform access.refuse('QC214',
            format('"%s" never comes: its months have no day %s', timing, lower(days)),
            'Use L for the last day of a month.');
    end if;
end
$$;

comment on function queue.cron_fields(text) is
    'The values a cron expression allows: minute, hour, day of month, month, day of week (0 and 7 are Sunday).
Lists, ranges, steps, names (JAN, MON) in any case, L for the last day of the month (0 in the answer);
@hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually. either_day: neither day field begins with
*, so a day may match either of them; else it must match both.
Errors: QC213 it cannot be read, QC214 no such day ever comes.';

-- Granted to nobody: queue.next_time calls it.
