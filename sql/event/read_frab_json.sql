-- frab's JSON, which pretalx and the c3voc tools export too:
-- schedule.conference.days[].rooms{name: [sessions]}.
create or replace function event.frab_json_header(document jsonb)
    returns event.schedule_header
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_schedule   jsonb := event.json_object(document -> 'schedule', 'schedule');
    v_conference jsonb := event.json_object(v_schedule -> 'conference', 'schedule.conference');
    v_days       jsonb := event.json_array(v_conference -> 'days', 'schedule.conference.days');
    v_header     event.schedule_header;
begin
    -- No days at all may be true of a new conference; a file that does not speak of them would
    -- cancel every session.
    if coalesce(v_conference -> 'days', 'null') = 'null' then
        perform event.refuse_schedule('schedule.conference', 'it has no days',
            'A conference without sessions says so: "days": [].');
    end if;

    v_header.format    := 'frab JSON';
    v_header.slug      := event.json_text(v_conference -> 'acronym');
    v_header.title     := event.json_text(v_conference -> 'title');
    v_header.version   := event.json_text(v_schedule -> 'version');
    v_header.url       := coalesce(event.json_text(v_conference -> 'url'),
        event.json_text(v_schedule -> 'base_url'));
    v_header.time_zone := event.json_text(v_conference -> 'time_zone_name');
    v_header.starts    := event.json_text(v_conference -> 'start');
    v_header.ends      := event.json_text(v_conference -> 'end');
    v_header.tracks    := (
        select jsonb_agg(jsonb_build_object(
            'name', coalesce(event.json_text(t -> 'name'), event.json_text(t)),
            'color', event.json_text(t -> 'color')))
        from jsonb_array_elements(
            event.json_array(v_conference -> 'tracks', 'schedule.conference.tracks')) as t);
    v_header.rooms     := (
        select jsonb_agg(distinct r.name)
        from (
            select event.json_text(c -> 'name') as name
            from jsonb_array_elements(
                event.json_array(v_conference -> 'rooms', 'schedule.conference.rooms')) as c
            union
            select btrim(jsonb_object_keys(
                event.json_object(event.json_object(d, p.path) -> 'rooms', p.path || '.rooms')))
            from jsonb_array_elements(v_days) with ordinality as x (d, n)
            cross join lateral (select format('schedule.conference.days[%s]', n - 1) as path) as p
        ) as r);
    v_header.days      := (
        select jsonb_agg(jsonb_build_object(
            'path', format('schedule.conference.days[%s].date', n - 1), 'date', event.json_text(d -> 'date'),
            'starts', event.json_text(d -> 'day_start'), 'ends', event.json_text(d -> 'day_end')) order by n)
        from jsonb_array_elements(v_days) with ordinality as x (d, n));
    return v_header;
end
$$;

comment on function event.frab_json_header(jsonb) is
    'What a frab JSON schedule says of the conference. Errors: QC204.';

create or replace function event.frab_json_items(document jsonb)
    returns setof event.schedule_item
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select
        p.path,
        coalesce(event.json_text(s -> 'guid'), event.json_text(s -> 'id'), event.json_text(s -> 'code'),
            event.json_text(s -> 'slug')),
        coalesce(event.json_text(s -> 'title'), event.json_text(s -> 'subtitle'),
            event.json_text(s -> 'slug')),
        event.json_text(s -> 'subtitle'),
        event.session_start(event.json_text(s -> 'date'), event.json_text(d -> 'date'),
            event.json_text(s -> 'start'), event.json_text(document #> '{schedule,conference,day_change}')),
        null::timestamptz,
        event.json_text(s -> 'end'),
        event.json_text(s -> 'duration'),
        event.json_text(d -> 'date'),
        coalesce(event.json_text(s -> 'room'), nullif(btrim(r.name), '')),
        event.json_text(s -> 'track'),
        event.json_text(s -> 'type'),
        event.json_text(s -> 'language'),
        event.json_text(s -> 'abstract'),
        event.json_text(s -> 'description'),
        event.json_text(s -> 'url'),
        array(select t
              from jsonb_array_elements(event.json_array(
                  coalesce(nullif(s -> 'tags', 'null'), s -> 'keywords'), p.path || '.tags')) as e
              cross join lateral (
                  select coalesce(event.json_text(e -> 'tag'), event.json_text(e)) as t) as tag
              where t is not null),
        (select jsonb_agg(jsonb_build_object(
                'key', coalesce(event.json_text(h -> 'guid'), event.json_text(h -> 'id'),
                    event.json_text(h -> 'code')),
                'name', coalesce(event.json_text(h -> 'public_name'),
                    event.json_text(h -> 'full_public_name'), event.json_text(h -> 'name'),
                    case when jsonb_typeof(h) = 'string' then event.json_text(h) end)) order by n)
         from jsonb_array_elements(event.json_array(s -> 'persons', p.path || '.persons'))
             with ordinality as o (h, n))
    from jsonb_array_elements(
            event.json_array(document #> '{schedule,conference,days}', 'schedule.conference.days'))
        with ordinality as day (d, day_number)
    cross join lateral jsonb_each(event.json_object(d -> 'rooms',
        format('schedule.conference.days[%s].rooms', day_number - 1))) as r (name, sessions)
    cross join lateral jsonb_array_elements(event.json_array(r.sessions,
            format('schedule.conference.days[%s].rooms."%s"', day_number - 1, r.name)))
        with ordinality as session (element, session_number)
    cross join lateral (
        select format('schedule.conference.days[%s].rooms."%s"[%s]',
            day_number - 1, r.name, session_number - 1) as path) as p
    -- offset 0: checked once a session, not once a field.
    cross join lateral (select event.json_object(element, p.path) as s offset 0) as checked;
end;

comment on function event.frab_json_items(jsonb) is
    'Sessions of a frab JSON schedule, not yet checked. Errors: QC204.';
-- Granted to nobody: the importer uses them as the owner.
