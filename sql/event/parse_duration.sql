-- H:MM and HH:MM, HH:MM:SS as Pentabarf writes it, D:HH:MM as the c3voc schema allows, minutes as pretalx counts, ISO 8601.
create or replace function event.parse_duration(duration text)
    returns interval
    language sql immutable strict parallel safe
return case
    when duration ~ '^\d{1,3}:[0-5]\d$'             then make_interval(hours => split_part(duration, ':', 1)::int, mins => split_part(duration, ':', 2)::int)
    when duration ~ '^\d{2}:[0-5]\d:[0-5]\d$'       then duration::interval
    when duration ~ '^\d{1,3}:([01]?\d|2[0-3]):[0-5]\d$' then make_interval(
        hours => 24 * split_part(duration, ':', 1)::int + split_part(duration, ':', 2)::int, mins => split_part(duration, ':', 3)::int)
    when duration ~ '^\d{1,5}(\.0+)?$'              then make_interval(mins => duration::numeric::int)
    when duration ~ '^P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?$' then duration::interval
end;

comment on function event.parse_duration(text) is
    'Length of a session: "0:45", "00:45", "00:45:00", "1:00:30" (a day and half an hour), "45" (minutes), "PT45M"; null when it is none of these.';
