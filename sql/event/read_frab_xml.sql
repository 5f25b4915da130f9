-- Pentabarf's XML, as frab, pretalx and the c3voc tools still write it: /schedule/day/room/event.
create or replace function event.frab_xml_header(document xml)
    returns event.schedule_header
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_header event.schedule_header;
begin
    select 'frab XML', nullif(c.acronym, ''), nullif(c.title, ''), nullif(c.version, ''),
        coalesce(nullif(c.url, ''), nullif(c.base_url, '')), nullif(c.time_zone, ''),
        nullif(c.starts, ''), nullif(c.ends, '')
    into v_header.format, v_header.slug, v_header.title, v_header.version,
        v_header.url, v_header.time_zone,
        v_header.starts, v_header.ends
    from xmltable('/schedule' passing document columns
        acronym   text path 'normalize-space(conference/acronym)',
        title     text path 'normalize-space(conference/title)',
        version   text path 'normalize-space(version)',
        url       text path 'normalize-space(conference/url)',
        base_url  text path 'normalize-space(conference/base_url)',
        time_zone text path 'normalize-space(conference/time_zone_name)',
        starts    text path 'normalize-space(conference/start)',
        ends      text path 'normalize-space(conference/end)') as c;

    v_header.rooms := (
        select jsonb_agg(distinct r.name)
        from xmltable('/schedule/day/room' passing document columns
            name text path 'normalize-space(@name)') as r
        where r.name <> '');
    -- Named in an attribute (c3voc) or as the element's text (FOSDEM).
    v_header.tracks := (
        select jsonb_agg(jsonb_build_object(
            'name', coalesce(nullif(t.name, ''), t.content), 'color', nullif(t.color, '')))
        from xmltable(
            '/schedule/conference/track | /schedule/tracks/track | /schedule/conference/tracks/track'
            passing document columns
            name    text path 'normalize-space(@name)',
            content text path 'normalize-space(.)',
            color   text path 'normalize-space(@color)') as t);
    v_header.days := (
        select jsonb_agg(jsonb_build_object(
            'path', format('/schedule/day[%s]/@date', d.n), 'date', nullif(d.date, ''),
            'starts', nullif(d.starts, ''), 'ends', nullif(d.ends, '')) order by d.n)
        from xmltable('/schedule/day' passing document columns
            n      for ordinality,
            date   text path 'normalize-space(@date)',
            starts text path 'normalize-space(@start)',
            ends   text path 'normalize-space(@end)') as d);
    return v_header;
end
$$;

comment on function event.frab_xml_header(xml) is
    'What a Pentabarf or frab XML schedule says of the conference.';

create or replace function event.frab_xml_items(document xml)
    returns setof event.schedule_item
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select
        case
            when e.id <> ''
                then format('/schedule/day[@date="%s"]/room[@name="%s"]/event[@id="%s"]',
                    e.day_date, e.room_name, e.id)
            when e.guid <> ''
                then format('/schedule/day[@date="%s"]/room[@name="%s"]/event[@guid="%s"]',
                    e.day_date, e.room_name, e.guid)
            else format('(//event)[%s]', e.n)
        end,
        coalesce(nullif(e.guid, ''), nullif(e.id, ''), nullif(e.slug, '')),
        coalesce(nullif(e.title, ''), nullif(e.subtitle, ''), nullif(e.slug, '')),
        nullif(e.subtitle, ''),
        event.session_start(nullif(e.date, ''), nullif(e.day_date, ''), nullif(e.start, ''),
            nullif(e.day_change, '')),
        null::timestamptz,
        nullif(e.ends, ''),
        nullif(e.duration, ''),
        nullif(e.day_date, ''),
        coalesce(nullif(e.room, ''), nullif(e.room_name, '')),
        nullif(e.track, ''),
        nullif(e.kind, ''),
        nullif(e.language, ''),
        e.abstract,
        e.description,
        nullif(e.url, ''),
        array(select t.tag
              from xmltable('/e/tags/tag | /e/keywords/keyword' passing xmlelement(name e, e.tags) columns
                  tag text path 'normalize-space(.)') as t
              where t.tag <> ''),
        (select jsonb_agg(jsonb_build_object(
                'key', coalesce(nullif(p.guid, ''), nullif(p.id, ''), nullif(p.code, '')),
                'name', nullif(p.name, '')) order by p.n)
         from xmltable('/e/persons/person' passing xmlelement(name e, e.persons) columns
            n    for ordinality,
            guid text path 'normalize-space(@guid)',
            id   text path 'normalize-space(@id)',
            code text path 'normalize-space(@code)',
            name text path 'normalize-space(.)') as p)
    from xmltable('/schedule/day//event' passing document columns
        n           for ordinality,
        guid        text path 'normalize-space(@guid)',
        id          text path 'normalize-space(@id)',
        day_date    text path 'normalize-space(ancestor::day/@date)',
        day_change  text path 'normalize-space(/schedule/conference/day_change)',
        room_name   text path 'normalize-space(parent::room/@name)',
        date        text path 'normalize-space(date)',
        start       text path 'normalize-space(start)',
        ends        text path 'normalize-space(end)',
        duration    text path 'normalize-space(duration)',
        room        text path 'normalize-space(room)',
        slug        text path 'normalize-space(slug)',
        url         text path 'normalize-space(url)',
        title       text path 'normalize-space(title)',
        subtitle    text path 'normalize-space(subtitle)',
        track       text path 'normalize-space(track)',
        kind        text path 'normalize-space(type)',
        language    text path 'normalize-space(language)',
        abstract    text path 'string(abstract)',
        description text path 'string(description)',
        tags        xml  path 'tags | keywords',
        persons     xml  path 'persons') as e;
end;

comment on function event.frab_xml_items(xml) is
    'Sessions of a Pentabarf or frab XML schedule, not yet checked.';
-- Granted to nobody: the importer uses them as the owner.
