-- Reading a stranger's file: each helper either gives a value or says where in the file it could not.
create or replace function event.refuse_schedule(path text, problem text, hint text default null)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.refuse('QC204', format('the schedule is malformed at %s: %s', path, problem),
        coalesce(hint, 'Nothing was changed. Correct the file, or export it again, and import it whole.'));
end
$$;

comment on function event.refuse_schedule(text, text, text) is
    'Refuses a schedule (QC204), naming the line or path.';

create or replace function event.json_array(value jsonb, path text)
    returns jsonb
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if coalesce(jsonb_typeof(value), 'null') = 'null' then
        return '[]'::jsonb;
    elsif jsonb_typeof(value) <> 'array' then
        perform event.refuse_schedule(path, format('an array is expected, not %s', jsonb_typeof(value)));
    end if;
    return value;
end
$$;

comment on function event.json_array(jsonb, text) is
    'The array, or an empty one for null. Errors: QC204 anything else.';

create or replace function event.json_object(value jsonb, path text)
    returns jsonb
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- PHP and some templates write an empty object as [].
    if coalesce(jsonb_typeof(value), 'null') = 'null' or value = '[]' then
        return '{}'::jsonb;
    elsif jsonb_typeof(value) <> 'object' then
        perform event.refuse_schedule(path, format('an object is expected, not %s', jsonb_typeof(value)));
    end if;
    return value;
end
$$;

comment on function event.json_object(jsonb, text) is
    'The object, or an empty one for null. Errors: QC204 anything else.';

-- pretalx writes names as {"en": …, "fr": …}; English first, else whichever comes first.
create or replace function event.json_translation(value jsonb)
    returns text
    language sql immutable parallel safe
return (
    select o.value
    from jsonb_each_text(value) as o
    where btrim(o.value) <> ''
    order by o.key <> 'en', o.key <> 'name', o.key
    limit 1);

comment on function event.json_translation(jsonb) is
    'The text of a {language: string}; null when all are empty.';

-- Read thirty times a session: without a subquery of its own it is inlined.
create or replace function event.json_text(value jsonb)
    returns text
    language sql immutable parallel safe
return nullif(btrim(case jsonb_typeof(value)
    when 'object' then event.json_translation(value)
    when 'array' then null
    else value #>> '{}'
end, E' \t\r\n'), '');

comment on function event.json_text(jsonb) is
    'A string, number or {language: string} as trimmed text; null when empty.';

create or replace function event.parse_instant(instant text, zone text)
    returns timestamptz
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if instant ~
        '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)? ?(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'
    then
        return instant::timestamptz;
    elsif instant ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?$' then
        return instant::timestamp at time zone zone;
    end if;
    return null;
exception
    -- 2024-02-30, 25:00, or +25:00.
    when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
        return null;
end
$$;

comment on function event.parse_instant(text, text) is
    'An ISO 8601 date or instant; without an offset it is local time in the zone. Null when it is neither.';

-- Old files give a session only the day it belongs to and a time of day; before the day changes, that is
-- the next date.
create or replace function event.session_start(instant text, day text, start text, day_change text)
    returns text
    language sql stable parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select case
        when length(s.instant) > 10 or s.start is null then s.instant
        when s.instant is not null                     then s.instant || 'T' || s.start
        when left(s.start, 5) < s.day_change           then s.next_day || 'T' || s.start
        else s.day || 'T' || s.start
    end
    from (
        select session_start.instant, session_start.day,
            -- 9:30 is 09:30, so that times compare as texts.
            regexp_replace(session_start.start, '^([0-9]:)', '0\1') as start,
            left(regexp_replace(session_start.day_change, '^([0-9]:)', '0\1'), 5) collate "C" as day_change,
            coalesce(
                to_char(event.parse_instant(session_start.day, 'UTC') at time zone 'UTC' + interval '1 day',
                    'YYYY-MM-DD'),
                session_start.day) as next_day
    ) as s;
end;

comment on function event.session_start(text, text, text, text) is
    'When a session starts, as text that parse_instant reads: its own instant, else its date or day with its
time of day.';

-- A file without a zone still says how far from UTC it is: Etc/GMT-1 is one hour east (the sign is POSIX''s).
create or replace function event.zone_of_offsets(instants text[])
    returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    with offsets as (
        select distinct
            case when i ~ 'Z$' then '+00'
                 else substring(i from '[+-][0-9]{2}(?=:?[0-9]{2}$|$)') end as hours,
            coalesce(substring(i from '[+-][0-9]{2}:?([0-9]{2})$'), '00') as minutes
        from unnest(instants) as i
        where i ~ '[T ][0-9]{2}:.*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$'
    )
    select case
        when count(*) = 0                                then null
        when count(*) > 1 or min(o.minutes) <> '00'      then 'UTC'
        when min(o.hours)::int = 0                       then 'UTC'
        when min(o.hours)::int > 0                       then 'Etc/GMT-' || min(o.hours)::int
        else 'Etc/GMT+' || -min(o.hours)::int
    end
    from offsets as o;
end;

comment on function event.zone_of_offsets(text[]) is
    'The fixed-offset zone all these instants agree on, UTC when they do not, null when none has an offset.';
-- All granted to nobody: the importer uses them as the owner.
