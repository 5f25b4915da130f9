create or replace function knowledge.sentences(content text)
    returns table (starts_at int, ends_at int)
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    with unit as (
        select u.starts_at, u.ends_at, coalesce(lag(u.level) over (order by u.starts_at), 3) >= 2 as begins
        from knowledge.text_units(content, 'recursive', 'characters', 2147483647) as u
    ), numbered as (
        select u.starts_at, u.ends_at, count(*) filter (where u.begins) over (order by u.starts_at) as sentence
        from unit as u
    )
    select min(n.starts_at), max(n.ends_at) from numbered as n group by n.sentence order by n.sentence;
end;

comment on function knowledge.sentences(text) is
    'Where the sentences of a text begin and end, in code points; a paragraph ends one, too.';
-- Granted to nobody: functions of this schema call it.
