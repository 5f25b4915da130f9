-- pretalx talks as its API gives them: a list under "results" or "talks", or a grid {date: {minute:
-- {room: talk}}} under "schedule". Names may be objects by language; rooms, tracks and speakers may be ids
-- that lists beside the talks explain.
create or replace function event.pretalx_talks(document jsonb)
    returns table (path text, talk jsonb)
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select format('schedule."%s"."%s"."%s"', day.key, minute.key, room.key), room.value
    from jsonb_each(
        case when jsonb_typeof(document -> 'schedule') = 'object' then document -> 'schedule'
             else '{}' end) as day
    cross join lateral jsonb_each(event.json_object(day.value, format('schedule."%s"', day.key))) as minute
    cross join lateral jsonb_each(
        event.json_object(minute.value, format('schedule."%s"."%s"', day.key, minute.key))) as room
    union all
    select format('%s[%s]', list.name, t.ordinality - 1), t.value
    from (values ('results', document -> 'results'), ('talks', document -> 'talks')) as list (name, talks)
    cross join lateral jsonb_array_elements(event.json_array(list.talks, list.name)) with ordinality as t;
end;

comment on function event.pretalx_talks(jsonb) is
    'Talks of a pretalx document with their paths, whatever its outer form. Errors: QC204.';

create or replace function event.pretalx_name(document jsonb, list text, reference jsonb)
    returns text
    language sql immutable
return case
    when jsonb_typeof(reference) = 'number' then coalesce((
        select event.json_text(e -> 'name')
        from jsonb_array_elements(
            case when jsonb_typeof(document -> list) = 'array' then document -> list else '[]' end) as e
        where e -> 'id' = reference limit 1), reference #>> '{}')
    when jsonb_typeof(reference -> 'name') is not null then event.json_text(reference -> 'name')
    else event.json_text(reference)
end;

comment on function event.pretalx_name(jsonb, text, jsonb) is
    'Name of a room or track given as text, {language: text}, {name: …} or an id listed in the document.';

create or replace function event.pretalx_header(document jsonb)
    returns event.schedule_header
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_header event.schedule_header;
begin
    -- Its API answers in pages; what the others hold would be cancelled.
    if event.json_text(document -> 'next') is not null
        or event.json_text(document -> 'previous') is not null
    then
        perform event.refuse_schedule('next', 'this is one page of several',
            'Put the results of all pages into one list.');
    elsif not document ?| array['results', 'talks'] then
        perform event.json_object(document -> 'schedule', 'schedule');
    end if;

    v_header.format    := 'pretalx JSON';
    v_header.slug      := coalesce(event.json_text(document -> 'event'), event.json_text(document -> 'slug'));
    v_header.title     := coalesce(event.json_text(document -> 'name'), event.json_text(document -> 'title'));
    v_header.version   := event.json_text(document -> 'version');
    v_header.time_zone := event.json_text(document -> 'timezone');
    v_header.starts    := coalesce(event.json_text(document -> 'event_start'),
        event.json_text(document -> 'date_from'));
    v_header.ends      := coalesce(event.json_text(document -> 'event_end'),
        event.json_text(document -> 'date_to'));
    -- Rooms the document lists but no talk uses are not this schedule's.
    v_header.rooms     := '[]';
    v_header.tracks    := '[]';
    v_header.days      := (
        select jsonb_agg(jsonb_build_object('path', format('schedule."%s"', k), 'date', k) order by k)
        from jsonb_object_keys(
            case when jsonb_typeof(document -> 'schedule') = 'object' then document -> 'schedule'
                 else '{}' end) as k
        where k ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$');
    return v_header;
end
$$;

comment on function event.pretalx_header(jsonb) is
    'What a pretalx document says of the conference, which may be nothing. Errors: QC204.';

create or replace function event.pretalx_items(document jsonb)
    returns setof event.schedule_item
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select
        p.path,
        coalesce(event.json_text(t -> 'code'), event.json_text(t -> 'id')),
        -- A break may have no title, only its slot_type.
        coalesce(event.json_text(t -> 'title'), initcap(event.json_text(t -> 'slot_type'))),
        null as subtitle,
        time.starts,
        null::timestamptz,
        time.ends,
        -- What was submitted as 30 minutes may have been given 45.
        case when time.ends is null then event.json_text(t -> 'duration') end,
        null as day_date,
        event.pretalx_name(document, 'rooms', coalesce(nullif(slot -> 'room', 'null'), t -> 'room')),
        event.pretalx_name(document, 'tracks', t -> 'track'),
        event.pretalx_name(document, 'submission_types', t -> 'submission_type'),
        coalesce(event.json_text(t -> 'content_locale'), event.json_text(t -> 'language')),
        event.json_text(t -> 'abstract'),
        event.json_text(t -> 'description'),
        event.json_text(t -> 'url'),
        array(select w from jsonb_array_elements(event.json_array(t -> 'tags', p.path || '.tags')) as e
              cross join lateral (
                  select coalesce(event.json_text(e -> 'tag'), event.json_text(e)) as w) as tag
              where w is not null),
        (select jsonb_agg(jsonb_build_object(
                'key', coalesce(event.json_text(h -> 'code'),
                    case when jsonb_typeof(h) = 'string' then event.json_text(h) end),
                'name', coalesce(event.json_text(h -> 'name'), listed.name)) order by n)
         from jsonb_array_elements(event.json_array(t -> 'speakers', p.path || '.speakers'))
             with ordinality as o (h, n)
         left join lateral (
            select event.json_text(l -> 'name') as name
            from jsonb_array_elements(
                case when jsonb_typeof(document -> 'speakers') = 'array' then document -> 'speakers'
                     else '[]' end) as l
            where jsonb_typeof(h) = 'string' and l -> 'code' = h limit 1) as listed on true)
    from event.pretalx_talks(document) as p
    -- offset 0: checked once a talk, not once a field.
    cross join lateral (select event.json_object(p.talk, p.path) as t offset 0) as talk
    -- A talk may be given more than once.
    cross join lateral (
        select event.json_object(s, p.path || '.slots') as slot
        from jsonb_array_elements(event.json_array(t -> 'slots', p.path || '.slots')) as s
        union all
        select event.json_object(t -> 'slot', p.path || '.slot')
        where coalesce(t -> 'slots', '[]') in ('[]', 'null')) as placed
    cross join lateral (
        select coalesce(event.json_text(slot -> 'start'), event.json_text(t -> 'start')) as starts,
            coalesce(event.json_text(slot -> 'end'), event.json_text(t -> 'end')) as ends) as time
    -- A talk without a place in time is a submission, not a session; without a title it is no talk either,
    -- and is refused.
    where (time.starts is not null or event.json_text(t -> 'title') is null)
        and coalesce(event.json_text(t -> 'state'), '')
            not in ('canceled', 'cancelled', 'withdrawn', 'rejected', 'deleted');
end;

comment on function event.pretalx_items(jsonb) is
    'Scheduled talks of a pretalx document, not yet checked. Errors: QC204.';
-- Granted to nobody: the importer uses them as the owner.
