-- RFC 9309. The groups that name us, or else those for all, count together, wherever they stand.
create or replace function knowledge.read_robots(content text)
    returns jsonb
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    -- Half a megabyte is what a crawler has to read at least, and what we read at most.
    with lines as (
        select l.place, lower(m.part[1]) as field, btrim(m.part[2], E' \t') as value
        from regexp_split_to_table(left(ltrim(content, U&'\FEFF'), 512000), '[\r\n]+') with ordinality as l (line, place)
        cross join lateral regexp_match(regexp_replace(l.line, '#.*$', ''),
            '^\s*(user-agent|allow|disallow|crawl-delay)\s*:(.*)$', 'i') as m (part)
        where m.part is not null
    ), begun as (
        select l.*, l.field = 'user-agent'
            and lag(l.field, 1, '') over (order by l.place) <> 'user-agent' as begins
        from lines as l
    ), grouped as (
        select b.*, count(*) filter (where b.begins) over (order by b.place) as number from begun as b
    ), agents as (
        select g.number, lower(substring(g.value from '^[A-Za-z_*-]+')) as agent from grouped as g where g.field = 'user-agent'
    ), ours as (
        select a.number from agents as a
        where a.agent = case when exists (select from agents as n where n.agent = 'concierge') then 'concierge' else '*' end
    ), rules as (
        select g.place, g.field = 'allow' as allow, p.path,
            replace(replace(replace(replace(regexp_replace(p.path, '\$$', ''),
                '\', '\\'), '%', '\%'), '_', '\_'), '*', '%') || case when right(p.path, 1) = '$' then '' else '%' end
                as pattern
        from grouped as g
        cross join lateral (
            select knowledge.normal_octets(case when g.value ~ '^[/*]' then g.value else '/' || g.value end) as path) as p
        where g.number in (select o.number from ours as o) and g.field in ('allow', 'disallow') and g.value <> ''
            and length(g.value) <= 2000
    )
    select jsonb_build_object(
        'rules', coalesce((
            select jsonb_agg(jsonb_build_object('allow', r.allow, 'path', r.path, 'pattern', r.pattern) order by r.place)
            from rules as r), '[]'),
        'pause', (
            select max(least(g.value::float8, 60)) from grouped as g
            where g.field = 'crawl-delay' and g.number in (select o.number from ours as o)
                and g.value ~ '^[0-9]{1,6}(\.[0-9]{1,6})?$'));
end;

comment on function knowledge.read_robots(text) is
    'What a robots.txt says to us: {"rules": [{"allow", "path", "pattern"}], "pause": seconds, a minute at most, or null}.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.robots_allow(robots jsonb, url text)
    returns boolean
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return coalesce((
    select r.allow
    from jsonb_to_recordset(robots -> 'rules') as r (allow boolean, path text, pattern text)
    where regexp_replace(url, '^https?://[^/]*', '') like r.pattern
    order by length(r.path) desc, r.allow desc
    limit 1), true);

comment on function knowledge.robots_allow(jsonb, text) is
    'Whether a canonical URL may be fetched: the longest rule that matches decides, and of two as long the one that allows.';
-- Granted to nobody: functions of this schema call it.

-- A header may be for all crawlers or begin with the one it is for; some directives have a colon of their own.
create or replace function knowledge.read_robots_tag(headers jsonb)
    returns table (noindex boolean, nofollow boolean)
    language sql immutable parallel safe rows 1
    set search_path = pg_catalog, pg_temp
begin atomic
    with tag as (
        select lower(h.value) as said, substring(lower(h.value) from '^\s*([a-z0-9_-]+)\s*:') as name
        from jsonb_array_elements_text(case when jsonb_typeof(headers) = 'array' then headers else '[]' end) as h (value)
    ), ours as (
        select string_agg(t.said, ',') as said
        from tag as t
        where t.name is null or t.name = 'concierge' or t.name in ('unavailable_after', 'max-snippet', 'max-image-preview',
            'max-video-preview')
    )
    select coalesce(o.said ~ '(^|[,:])\s*(noindex|none)\s*(,|$)', false) as noindex,
        coalesce(o.said ~ '(^|[,:])\s*(nofollow|none)\s*(,|$)', false) as nofollow
    from ours as o;
end;

comment on function knowledge.read_robots_tag(jsonb) is
    'What the X-Robots-Tag headers of an answer, an array of texts, ask of this crawler; nothing when there are none.';
-- Granted to nobody: functions of this schema call it.
