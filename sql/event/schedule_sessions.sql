-- Every session checked, and given a key that is its own: a talk held twice has one code in the file. Tables
-- are filled from what this returns, so all refusals happen before the first write.
--
-- The first of a code is the earliest, so a file that lists them in another order changes nothing. A code
-- that itself looks like a repeat is numbered too: "a#2" is never the second "a".
create or replace function event.keyed_items(items event.schedule_item[], zone text)
    returns setof event.schedule_item
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select i.path,
        i.unique_key || case when i.repeat > 1 or i.unique_key ~ '#[0-9]+$' then '#' || i.repeat else '' end,
        event.plain_text(i.title), event.plain_text(i.subtitle), i.starts, i.starts_at, i.ends, i.duration,
        i.day_date, i.room, i.track, i.kind, i.language,
        event.plain_text(i.abstract), event.plain_text(i.description), i.url, i.tags, i.persons
    from (
        select k.*,
            row_number() over (partition by k.unique_key order by k.starts_at, k.room, k.position) as repeat
        from (
            select u.path, u.title, u.subtitle, u.starts, event.parse_instant(u.starts, zone) as starts_at,
                u.ends, u.duration, u.day_date, u.room, u.track, u.kind, u.language,
                u.abstract, u.description, u.url, u.tags, u.persons,
                u.ordinality as position,
                -- Without a key of its own it is known by place and title.
                case when length(u.key) <= 200 then u.key
                     else md5(coalesce(u.key, concat_ws('|', u.starts, u.room, u.title)))
                end as unique_key
            from unnest(items) with ordinality as u
        ) as k
    ) as i
    order by i.position;
end;

comment on function event.keyed_items(event.schedule_item[], text) is
    'The items with start times, texts without markup, and unique keys: "code", "code#2" for a repeat.';

create or replace function event.check_items(items event.schedule_item[], zone text)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem record;
begin
    select p.path, p.problem, count(*) over () as problems into v_problem
    from (
        select i.path, i.ordinality, case
            when i.title is null then 'a session has no title'
            when i.starts is null then 'a session has no start'
            when i.starts_at is null
                then format('"%s" is no date and time', left(i.starts, 50))
            when i.duration is not null and event.parse_duration(i.duration) is null
                then format('"%s" is no duration', left(i.duration, 50))
            when i.ends is not null and event.parse_instant(i.ends, zone) is null
                then format('"%s" is no date and time', left(i.ends, 50))
            when event.item_end(i.starts_at, i.ends, i.duration, zone) < i.starts_at
                then 'a session ends before it starts'
            when exists (select from jsonb_array_elements(coalesce(i.persons, '[]')) as h
                         where h ->> 'name' is null)
                then 'a person has no name'
            -- Names are keys, and an index entry has a page at most.
            when greatest(length(i.room), length(i.track)) > 500
                then 'the name of a room or track is longer than 500 characters'
            when exists (select from jsonb_array_elements(coalesce(i.persons, '[]')) as h
                         where greatest(length(h ->> 'name'), length(h ->> 'key')) > 500)
                then 'the name of a person is longer than 500 characters'
        end as problem
        from unnest(items) with ordinality as i
    ) as p
    where p.problem is not null
    order by p.ordinality
    limit 1;

    if v_problem.problem is not null then
        perform event.refuse_schedule(v_problem.path, v_problem.problem,
            case when v_problem.problems = 2 then 'One more session has a problem. Nothing was changed.'
                 when v_problem.problems > 2
                     then format('%s more sessions have problems. Nothing was changed.',
                         v_problem.problems - 1) end);
    end if;
end
$$;

comment on function event.check_items(event.schedule_item[], text) is
    'Refuses (QC204) the first session that cannot be read, with its path, and says how many more there are.';

create or replace function event.check_header(header event.schedule_header)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem record;
begin
    select p.path, p.problem into v_problem
    from (
        select d ->> 'path' as path, format('"%s" is no date', left(d ->> 'date', 50)) as problem
        from jsonb_array_elements(coalesce((header).days, '[]')) as d
        where d ->> 'date' is not null and event.parse_instant(d ->> 'date', 'UTC') is null
        union all
        select 'the list of rooms', 'a name is longer than 500 characters'
        from jsonb_array_elements_text(coalesce((header).rooms, '[]')) as r where length(r) > 500
        union all
        select 'the list of tracks', 'a name is longer than 500 characters'
        from jsonb_array_elements(coalesce((header).tracks, '[]')) as t where length(t ->> 'name') > 500
    ) as p
    limit 1;

    if v_problem.problem is not null then
        perform event.refuse_schedule(v_problem.path, v_problem.problem);
    end if;
end
$$;

comment on function event.check_header(event.schedule_header) is
    'Refuses (QC204) a conference whose days or names cannot be kept.';

create or replace function event.item_end(starts_at timestamptz, ends text, duration text, zone text)
    returns timestamptz
    language sql stable
return coalesce(
    case when duration is null then event.parse_instant(ends, zone) end,
    starts_at + event.parse_duration(duration),
    starts_at);

comment on function event.item_end(timestamptz, text, text, text) is
    'When a session ends: by its duration, else by its end; one that says neither has no length.';
-- All granted to nobody: the importer uses them as the owner.
