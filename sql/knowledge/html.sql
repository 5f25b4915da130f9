-- What a crawler has to know of a page before a converter reads it. Not a parser: it finds tags as their authors write
-- them, never takes longer than in proportion to the page, and what it misses is a link less.

create or replace function knowledge.without_scripts(html text)
    returns text
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
-- One pass: what comes first decides whether "<!--" stands in a script or "<script" in a comment. Alternatives are greedy
-- unless said otherwise, at the end.
return regexp_replace(html, '(?:<!--.*?(?:-->|$)|<script\M.*?(?:</script[^>]*?>|$)|<style\M.*?(?:</style[^>]*?>|$)'
    || '|<noscript\M.*?(?:</noscript[^>]*?>|$)|<template\M.*?(?:</template[^>]*?>|$)|<svg\M.*?(?:</svg[^>]*?>|$)'
    || '|<iframe\M.*?(?:</iframe[^>]*?>|$)){1,1}?', ' ', 'gi');

comment on function knowledge.without_scripts(text) is
    'A page without comments, scripts, styles and what else is not its text.';
-- Granted to nobody: functions of this schema call it.

-- Where links lead is no word of the text, what stands on every page says nothing about this one, and the title is kept
-- apart: a page that has no <head> would have it in its text.
create or replace function knowledge.html_to_convert(html text)
    returns text
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
return regexp_replace(regexp_replace(knowledge.without_scripts(html),
    '(?:<nav\M.*?(?:</nav[^>]*?>|$)|<title\M.*?(?:</title[^>]*?>|$)){1,1}?', ' ', 'gi'), '</?a(?:\s[^>]*?)?>', '', 'gi');

comment on function knowledge.html_to_convert(text) is
    'What of a page is worth a search: without scripts, title, navigation and addresses of links.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.character(code int)
    returns text
    language sql immutable strict parallel safe
return case when code between 1 and 55295 or code between 57344 and 1114111 then chr(code) else U&'\FFFD' end;

comment on function knowledge.character(int) is
    'The character of a code point; the replacement character where there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.unescaped(html text)
    returns text
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
return case when position('&' in html) = 0 then html else (
    select string_agg(case
            when p.piece ~* '^&#x[0-9a-f]{1,6};?$'
                then knowledge.character(('x' || lpad(rtrim(substr(p.piece, 4), ';'), 8, '0'))::bit(32)::int)
            when p.piece ~ '^&#[0-9]{1,7};?$' then knowledge.character(rtrim(substr(p.piece, 3), ';')::int)
            when p.piece ~ '^&[a-zA-Z]+;$' then coalesce('{"amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "''",
                "nbsp": " ", "ndash": "–", "mdash": "—", "hellip": "…", "lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”",
                "bdquo": "„", "laquo": "«", "raquo": "»", "middot": "·", "bull": "•", "copy": "©", "reg": "®", "trade": "™",
                "euro": "€", "shy": "", "auml": "ä", "ouml": "ö", "uuml": "ü", "Auml": "Ä", "Ouml": "Ö", "Uuml": "Ü",
                "szlig": "ß", "eacute": "é", "egrave": "è", "agrave": "à", "ccedil": "ç"}'::jsonb
                ->> btrim(p.piece, '&;'), p.piece)
            else p.piece end, '' order by p.place)
    from regexp_matches(html, '&#x[0-9a-fA-F]{1,6};?|&#[0-9]{1,7};?|&[a-zA-Z]{2,8};|[^&]+|&', 'g')
        with ordinality as m (found, place)
    cross join lateral (select m.found[1], m.place) as p (piece, place)) end;

comment on function knowledge.unescaped(text) is
    'Text of a page with its entities read; an unknown one stays as it stands.';
-- Granted to nobody: functions of this schema call it.

-- Tags of the kinds wanted, in their order, each with its attributes. Cut at each "<", so that a quote that nobody closes
-- costs its own tag only; and the first twenty thousand only, for who writes more means no reader.
create or replace function knowledge.html_tags(html text, kinds text[])
    returns table (place bigint, kind text, attributes jsonb, text text)
    language sql immutable strict parallel safe rows 100
    set search_path = pg_catalog, pg_temp
begin atomic
    select t.place, lower(t.tag[1]) as kind, coalesce(a.attributes, '{}'),
        substr(t.piece, length(t.tag[1]) + length(t.tag[2]) + 2) as text
    from (
        select p.place, p.piece,
            regexp_match(left(p.piece, 20000), '^([a-zA-Z]+[0-9]?)\M((?:[^>"'']|"[^"]*"|''[^'']*'')*)') as tag
        from string_to_table(html, '<') with ordinality as p (piece, place)
        where lower(substring(p.piece from '^[a-zA-Z]{1,10}[0-9]?')) = any (kinds)
        limit 20000
    ) as t
    cross join lateral (
        -- Of two alike the first counts.
        select jsonb_object_agg(lower(m.part[1]),
            knowledge.unescaped(coalesce(m.part[2], m.part[3], m.part[4], '')) order by m.number desc) as attributes
        from regexp_matches(t.tag[2], '([^\s=/>"'']+)(?:\s*=\s*(?:"([^"]*)"|''([^'']*)''|([^\s"''>]+)))?', 'g')
            with ordinality as m (part, number)
    ) as a
    where t.tag is not null;
end;

comment on function knowledge.html_tags(text, text[]) is
    'Tags of some kinds with their attributes, and the text up to the next tag.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.html_head(html text, url text)
    returns table (title text, base text, canonical text, noindex boolean, nofollow boolean)
    language sql immutable strict parallel safe rows 1
    set search_path = pg_catalog, pg_temp
begin atomic
    with tags as materialized (
        select * from knowledge.html_tags(left(html, 1000000), '{title,base,link,meta}')
    ), robots as (
        select string_agg(lower(t.attributes ->> 'content'), ',') as said
        from tags as t
        where t.kind = 'meta' and lower(t.attributes ->> 'name') in ('robots', 'concierge')
    ), based as (
        select coalesce((
            select knowledge.canonical_url(t.attributes ->> 'href', url) from tags as t
            where t.kind = 'base' and t.attributes ? 'href' order by t.place limit 1), url) as base
    )
    select nullif(left(btrim(regexp_replace((
            select knowledge.unescaped(t.text) from tags as t where t.kind = 'title' order by t.place limit 1),
            '\s+', ' ', 'g')), 500), ''),
        b.base, (
            select knowledge.canonical_url(t.attributes ->> 'href', b.base) from tags as t
            where t.kind = 'link' and lower(t.attributes ->> 'rel') = 'canonical' and t.attributes ->> 'href' <> ''
            order by t.place limit 1),
        coalesce(r.said ~ '\m(noindex|none)\M', false), coalesce(r.said ~ '\m(nofollow|none)\M', false)
    from based as b cross join robots as r;
end;

comment on function knowledge.html_head(text, text) is
    'What a page, already without scripts, says of itself.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.html_links(html text, base text)
    returns table (place bigint, url text)
    language sql immutable strict parallel safe rows 100
    set search_path = pg_catalog, pg_temp
begin atomic
    select min(l.place), l.url
    from (
        select t.place, knowledge.canonical_url(t.attributes ->> 'href', base) as url
        from knowledge.html_tags(html, '{a,area}') as t
        where t.attributes ? 'href'
            and not string_to_array(lower(coalesce(t.attributes ->> 'rel', '')), ' ') @> '{nofollow}'
    ) as l
    where l.url is not null
    group by l.url;
end;

comment on function knowledge.html_links(text, text) is
    'Where a page, already without scripts, leads: canonical URLs, each once, but for links its author gives no weight to.';
-- Granted to nobody: functions of this schema call it.

-- In its own words: those of the answer before those of the page, and else UTF-8, or what all else was once.
create or replace function knowledge.html_of(bytes bytea, media_type text)
    returns text
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_name text := coalesce(substring(lower(media_type) from 'charset\s*=\s*["'']?([a-z0-9_:.-]+)'),
        substring(lower(encode(substr(bytes, 1, 2048), 'escape')) from '<meta[^>]*charset\s*=\s*["'']?([a-z0-9_:.-]+)'),
        'utf-8');
begin
    return knowledge.decode_text(bytes,
        case when v_name in ('iso-8859-1', 'latin1', 'us-ascii', 'ascii') then 'windows-1252' else v_name end);
end
$$;

comment on function knowledge.html_of(bytea, text) is
    'A page as text, by the encoding its media type or itself names. Errors: QC220 it is not in that encoding.';
-- Granted to nobody: functions of this schema call it.
