-- A schedule file is the whole truth about an event's imported sessions: what it has is added or updated,
-- what it no longer has is cancelled. Read and checked entirely before anything is written, and written in
-- the caller's transaction.
create or replace function event.import_schedule(
    document text, event_slug text default null, time_zone text default null
)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    -- The planner takes a nested document for millions of rows; compiling for them takes longer
    -- than reading it.
    set jit = off
as $$
declare
    v_read   event.schedule;
    v_header event.schedule_header;
    v_items  event.schedule_item[];
    v_slug   text;
    v_zone   text;
    v_event  event.events;
    v_report jsonb;
begin
    perform access.require_role('organizer');
    if document is null then
        perform access.refuse('22004', 'a document is required', 'Pass the text of the schedule file.');
    end if;

    v_read   := event.read_schedule(document);
    v_header := v_read.header;
    v_items  := v_read.items;

    v_slug := event.slug_of(coalesce(event_slug, v_header.slug));
    if v_slug is null then
        perform access.refuse('QC205', 'the schedule does not name its event',
            'Pass event_slug (--event), a short name such as ''my-conference-2027''.');
    end if;

    v_zone := event.schedule_zone(time_zone, v_header, v_items);
    v_items := array(select k from event.keyed_items(v_items, v_zone) as k);
    perform event.check_header(v_header);
    perform event.check_items(v_items, v_zone);

    -- Two imports of one event take turns.
    perform pg_advisory_xact_lock(hashtext('event.import_schedule'), hashtext(access.tenant_id() || v_slug));

    v_event  := event.merge_event(v_slug, v_zone, v_header, v_items);
    v_report := event.merge_sessions(v_event, v_items);
    return jsonb_build_object('event_id', v_event.event_id, 'event', v_event.slug, 'format', v_header.format,
        'time_zone', v_zone, 'time_zone_from', case
            when time_zone is not null        then 'caller'
            when v_header.time_zone is not null then 'file'
            else 'offsets' end) || v_report;
end
$$;

comment on function event.import_schedule(text, text, text) is
    'Imports a schedule (frab or pretalx JSON, Pentabarf or frab XML) for the signed-in organizer''s tenant.
Returns {event_id, event, format, time_zone, time_zone_from, sessions, added, changed, cancelled, unchanged,
rooms, tracks, speakers, days}. event_slug and time_zone overrule the file.
Errors: QC401-QC403 token, QC405 not an organizer, 22004 null, QC203 unknown time zone, QC204 malformed, with
line or path, QC205 no schedule, or no name for the event.';

grant execute on function event.import_schedule(text, text, text) to concierge_app;

create or replace function event.slug_of(name text)
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
return nullif(left(rtrim(ltrim(
    regexp_replace(lower(extensions.unaccent('extensions.unaccent', name)), '[^a-z0-9._]+', '-', 'g'),
    '._-'), '-'), 63), '');

comment on function event.slug_of(text) is
    'A name as a slug: "38C3" is 38c3, "Café 2027" is cafe-2027; null when no letter or digit is left.';

create or replace function event.schedule_zone(
    wanted text, header event.schedule_header, items event.schedule_item[]
)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_zone text := coalesce(wanted, (header).time_zone,
        event.zone_of_offsets(array(select i.starts from unnest(items) as i)));
begin
    if v_zone is null then
        perform access.refuse('QC203', 'the schedule names no time zone and its times have no offset',
            'Pass time_zone (--time-zone), an IANA name such as ''Europe/Berlin''.');
    end if;
    return v_zone::access.time_zone::text;
exception
    when invalid_parameter_value or check_violation then
        perform access.refuse('QC203', format('"%s" is no time zone this server knows', v_zone),
            'Use an IANA name such as ''Europe/Berlin''.');
        return null;
end
$$;

comment on function event.schedule_zone(text, event.schedule_header, event.schedule_item[]) is
    'The zone of a schedule: the caller''s, else the file''s, else the offset its times share.
Errors: QC203.';

-- The conference itself, its days, rooms and tracks.
create or replace function event.merge_event(
    slug text, zone text, header event.schedule_header, items event.schedule_item[]
)
    returns event.events
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant_id uuid := access.tenant_id();
    v_starts    timestamptz;
    v_ends      timestamptz;
    v_event     event.events;
begin
    -- greatest() and least() pass over what a file does not say.
    select
        least(event.parse_instant((header).starts, zone), min(i.starts_at)),
        greatest(
            -- A bare date means until the end of that day, which may have 23 hours.
            case when length((header).ends) = 10
                 then (event.parse_instant((header).ends, 'UTC') at time zone 'UTC' + interval '1 day')
                     at time zone zone
                 else event.parse_instant((header).ends, zone) end,
            max(event.item_end(i.starts_at, i.ends, i.duration, zone)))
    into v_starts, v_ends
    from unnest(items) as i;

    -- An event of which nothing is known yet stands where it stood, else now.
    if v_starts is null then
        select e.starts_at into v_starts
        from event.events as e
        where e.tenant_id = v_tenant_id and e.slug = merge_event.slug;
        v_starts := coalesce(v_starts, v_ends, now());
    end if;

    insert into event.events as e (tenant_id, slug, title, time_zone, starts_at, ends_at, url, version)
    values (v_tenant_id, merge_event.slug, coalesce((header).title, merge_event.slug), zone,
        v_starts, greatest(v_ends, v_starts), (header).url, (header).version)
    on conflict (tenant_id, slug) do update
        set title = excluded.title, time_zone = excluded.time_zone, starts_at = excluded.starts_at,
            ends_at = excluded.ends_at, url = excluded.url, version = excluded.version, updated_at = now()
        where (e.title, e.time_zone, e.starts_at, e.ends_at, e.url, e.version)
            is distinct from (excluded.title, excluded.time_zone, excluded.starts_at, excluded.ends_at,
                excluded.url, excluded.version);
    select e.* into v_event
    from event.events as e
    where e.tenant_id = v_tenant_id and e.slug = merge_event.slug;

    insert into event.rooms (event_id, tenant_id, name)
    select v_event.event_id, v_tenant_id, r.name
    from (
        select jsonb_array_elements_text(coalesce((header).rooms, '[]'))
        union
        select i.room from unnest(items) as i
    ) as r (name)
    where r.name <> ''
    on conflict do nothing;

    insert into event.tracks as t (event_id, tenant_id, name, color)
    select v_event.event_id, v_tenant_id, r.name, max(r.color)
    from (
        select j ->> 'name', j ->> 'color' from jsonb_array_elements(coalesce((header).tracks, '[]')) as j
        union all
        select i.track, null from unnest(items) as i
    ) as r (name, color)
    where r.name <> ''
    group by r.name
    on conflict (event_id, name) do update set color = excluded.color
        where t.color is distinct from excluded.color;

    perform event.merge_days(v_event, header, items);
    return v_event;
end
$$;

comment on function event.merge_event(text, text, event.schedule_header, event.schedule_item[]) is
    'Adds or updates an event with its rooms, tracks and days, for the signed-in tenant.';

-- Days as the file lists them; a file that lists none has a day for every date a session starts on.
create or replace function event.merge_days(
    event event.events, header event.schedule_header, items event.schedule_item[]
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event event.events := event;
begin
    with told as (
        select
            coalesce((event.parse_instant(left(d ->> 'date', 10), 'UTC') at time zone 'UTC')::date,
                (event.parse_instant(d ->> 'starts', v_event.time_zone)
                    at time zone v_event.time_zone)::date) as date,
            event.parse_instant(d ->> 'starts', v_event.time_zone) as starts_at,
            event.parse_instant(d ->> 'ends', v_event.time_zone) as ends_at
        from jsonb_array_elements(coalesce((header).days, '[]')) as d
    ), listed as (
        -- A file put together from several has a day more than once.
        select t.date, min(t.starts_at) as starts_at, max(t.ends_at) as ends_at
        from told as t
        where t.date is not null
        group by t.date
        union all
        select distinct (i.starts_at at time zone v_event.time_zone)::date,
            null::timestamptz, null::timestamptz
        from unnest(items) as i
        where not exists (select from told as t where t.date is not null)
    ), numbered as (
        select row_number() over (order by l.date)::int as day_index, l.date,
            coalesce(l.starts_at, l.date::timestamp at time zone v_event.time_zone) as starts_at,
            coalesce(l.ends_at, (l.date + 1)::timestamp at time zone v_event.time_zone) as ends_at
        from listed as l
    ), gone as (
        delete from event.event_days as d
        where d.event_id = v_event.event_id and d.day_index > (select count(*) from numbered)
    )
    insert into event.event_days as d (event_id, tenant_id, day_index, date, starts_at, ends_at)
    select v_event.event_id, v_event.tenant_id, n.day_index, n.date, n.starts_at, n.ends_at from numbered as n
    on conflict (event_id, day_index) do update
        set date = excluded.date, starts_at = excluded.starts_at, ends_at = excluded.ends_at
        where (d.date, d.starts_at, d.ends_at)
            is distinct from (excluded.date, excluded.starts_at, excluded.ends_at);
end
$$;

comment on function event.merge_days(event.events, event.schedule_header, event.schedule_item[]) is
    'Makes an event''s days those of a schedule.';

create or replace function event.merge_sessions(event event.events, items event.schedule_item[])
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event     event.events := event;
    v_added     uuid[];
    v_changed   uuid[];
    v_cancelled uuid[];
    v_recast    uuid[];
begin
    with merged as (
        insert into event.event_speakers as s (
            event_id, tenant_id, source_key, session_title, subtitle, session_start, session_end, room, track,
            session_type, language, abstract, description, url, topics, goals, roles, audience, regions,
            revenue_bands, embedding)
        select v_event.event_id, v_event.tenant_id, i.key, i.title, i.subtitle, i.starts_at,
            event.item_end(i.starts_at, i.ends, i.duration, v_event.time_zone), i.room, i.track, i.kind,
            i.language, i.abstract, i.description, i.url,
            event.tag_words(i.tags), event.tag_words(i.tags, 'goal'),
            event.tag_words(i.tags, 'role'), event.tag_words(i.tags, 'audience'),
            event.tag_words(i.tags, 'region'), event.tag_words(i.tags, 'revenue'),
            model.embed_offline(concat_ws(' ', i.title, i.subtitle, i.track,
                array_to_string(event.tag_words(i.tags), ' '),
                array_to_string(event.tag_words(i.tags, 'goal'), ' '),
                coalesce(i.abstract, left(i.description, 1000))))
        from unnest(items) as i
        on conflict (event_id, source_key) do update set
            session_title = excluded.session_title, subtitle = excluded.subtitle,
            session_start = excluded.session_start, session_end = excluded.session_end,
            room = excluded.room, track = excluded.track, session_type = excluded.session_type,
            language = excluded.language, abstract = excluded.abstract, description = excluded.description,
            url = excluded.url, topics = excluded.topics, goals = excluded.goals, roles = excluded.roles,
            audience = excluded.audience, regions = excluded.regions,
            revenue_bands = excluded.revenue_bands, embedding = excluded.embedding,
            cancelled_at = null, updated_at = now()
        where s.cancelled_at is not null
            or (s.session_title, s.subtitle, s.session_start, s.session_end, s.room, s.track, s.session_type,
                s.language, s.abstract, s.description, s.url, s.topics, s.goals, s.roles, s.audience,
                s.regions, s.revenue_bands)
            is distinct from (excluded.session_title, excluded.subtitle, excluded.session_start,
                excluded.session_end, excluded.room, excluded.track, excluded.session_type,
                excluded.language, excluded.abstract, excluded.description, excluded.url,
                excluded.topics, excluded.goals, excluded.roles, excluded.audience,
                excluded.regions, excluded.revenue_bands)
        -- A row version that this statement made new has no deleter.
        returning s.session_id, s.xmax = 0 as is_new
    )
    select coalesce(array_agg(m.session_id) filter (where m.is_new), '{}'),
        coalesce(array_agg(m.session_id) filter (where not m.is_new), '{}')
    into v_added, v_changed
    from merged as m;

    if v_added <> '{}' then
        perform access.write_audit('insert', 'event.event_speakers', v_event.tenant_id,
            cardinality(v_added), to_jsonb(v_added), null);
    end if;

    with cancelled as (
        update event.event_speakers as s set cancelled_at = now(), updated_at = now()
        where s.event_id = v_event.event_id and s.cancelled_at is null
            and s.source_key is not null and s.source_key not in (select i.key from unnest(items) as i)
        returning s.session_id
    )
    select coalesce(array_agg(c.session_id), '{}') into v_cancelled from cancelled as c;

    v_recast := event.merge_speakers(v_event, items);

    -- What nothing refers to any more is not part of the event.
    delete from event.speakers as p
    where p.event_id = v_event.event_id
        and not exists (select from event.session_speakers as l where l.speaker_id = p.speaker_id);

    return jsonb_build_object(
        'sessions',  cardinality(items),
        'added',     cardinality(v_added),
        'changed',   (
            select count(*)
            from (select unnest(v_changed) union select unnest(v_recast) except select unnest(v_added)) as c),
        'cancelled', cardinality(v_cancelled),
        'unchanged', cardinality(items) - cardinality(v_added)
            - (select count(*) from (
                select unnest(v_changed) union select unnest(v_recast) except select unnest(v_added)) as c),
        'rooms',     (select count(*) from event.rooms as r where r.event_id = v_event.event_id),
        'tracks',    (select count(*) from event.tracks as t where t.event_id = v_event.event_id),
        'speakers',  (select count(*) from event.speakers as p where p.event_id = v_event.event_id),
        'days',      (select count(*) from event.event_days as d where d.event_id = v_event.event_id));
end
$$;

comment on function event.merge_sessions(event.events, event.schedule_item[]) is
    'Makes an event''s imported sessions and speakers those of a schedule; returns the counts
import_schedule reports.';

-- A speaker is known by the key the file gives, else by name. Returns the sessions whose speakers changed.
create or replace function event.merge_speakers(event event.events, items event.schedule_item[])
    returns uuid[]
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event   event.events := event;
    v_renamed uuid[];
    v_recast  uuid[];
begin
    with named as (
        insert into event.speakers as p (event_id, tenant_id, source_key, name)
        select distinct on (h.key) v_event.event_id, v_event.tenant_id, h.key, h.name
        from unnest(items) as i
        cross join lateral (
            select coalesce(x ->> 'key', x ->> 'name') as key, x ->> 'name' as name
            from jsonb_array_elements(coalesce(i.persons, '[]')) as x) as h
        order by h.key, h.name
        on conflict (event_id, source_key) do update set name = excluded.name
            where p.name is distinct from excluded.name
        returning p.speaker_id
    )
    select coalesce(array_agg(n.speaker_id), '{}') into v_renamed from named as n;

    with wanted as (
        select s.session_id, p.speaker_id, min(h.n)::int as position
        from unnest(items) as i
        join event.event_speakers as s on s.event_id = v_event.event_id and s.source_key = i.key
        cross join lateral jsonb_array_elements(coalesce(i.persons, '[]')) with ordinality as h (x, n)
        join event.speakers as p on p.event_id = v_event.event_id
            and p.source_key = coalesce(h.x ->> 'key', h.x ->> 'name')
        group by s.session_id, p.speaker_id
    ), gone as (
        delete from event.session_speakers as l
        using event.event_speakers as s
        where l.event_id = v_event.event_id and s.session_id = l.session_id
            and s.source_key is not null and s.cancelled_at is null
            and not exists (
                select from wanted as w where w.session_id = l.session_id and w.speaker_id = l.speaker_id)
        returning l.session_id
    ), placed as (
        insert into event.session_speakers as l (session_id, speaker_id, event_id, tenant_id, position)
        select w.session_id, w.speaker_id, v_event.event_id, v_event.tenant_id, w.position from wanted as w
        on conflict (session_id, speaker_id) do update set position = excluded.position
            where l.position is distinct from excluded.position
        returning l.session_id
    )
    select coalesce(array_agg(distinct c.session_id), '{}') into v_recast
    from (
        select g.session_id from gone as g
        union all
        select q.session_id from placed as q
        union all
        select w.session_id from wanted as w where w.speaker_id = any (v_renamed)
    ) as c;
    return v_recast;
end
$$;

comment on function event.merge_speakers(event.events, event.schedule_item[]) is
    'Makes an event''s speakers those of a schedule; returns the sessions whose speakers changed.';
-- The parts are granted to nobody: import_schedule calls them.
