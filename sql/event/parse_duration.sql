-- H:MM and HH:MM, HH:MM:SS as Pentabarf writes it, D:HH:MM as the c3voc schema allows, minutes as pretalx
-- counts, ISO 8601. Three numbers are days first (pretalx), unless they begin with two digits (Pentabarf) or
-- with no day at all.
create or replace function event.parse_duration(duration text)
    returns interval
    language sql immutable strict parallel safe
return case
    when duration ~ '^[0-9]{1,3}:[0-9]{1,2}$' then make_interval(
        hours => split_part(duration, ':', 1)::int, mins => split_part(duration, ':', 2)::int)
    when duration ~ '^([0-9]{2}|0):[0-5][0-9]:[0-5][0-9]$' then make_interval(
        hours => split_part(duration, ':', 1)::int, mins => split_part(duration, ':', 2)::int,
        secs => split_part(duration, ':', 3)::int)
    when duration ~ '^[0-9]{1,3}:([01]?[0-9]|2[0-3]):[0-5][0-9]$' then make_interval(
        hours => 24 * split_part(duration, ':', 1)::int + split_part(duration, ':', 2)::int,
        mins => split_part(duration, ':', 3)::int)
    when duration ~ '^[0-9]{1,5}([.]0+)?$' then make_interval(mins => duration::numeric::int)
    -- A day is 24 hours here, whatever a zone does to it.
    when duration ~ '^P(?=.)([0-9]{1,3}D)?(T(?=.)([0-9]{1,4}H)?([0-9]{1,5}M)?([0-9]{1,6}S)?)?$'
        then make_interval(secs => extract(epoch from duration::interval)::int)
end;

comment on function event.parse_duration(text) is
    'Length of a session: "0:45", "00:45", "00:45:00", "1:00:30" (a day and half an hour), "45" (minutes),
"PT45M"; null when it is none of these.';
