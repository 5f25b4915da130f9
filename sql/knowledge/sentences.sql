-- Rows of a table, items of a list and headings have lines of their own, and often nothing at their end.
create or replace function knowledge.sentences(content text)
    returns table (starts_at int, ends_at int)
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    with word as (
        select u.starts_at, u.ends_at, u.level, coalesce(lag(u.ends_at) over (order by u.starts_at), 0) as ended_at
        from knowledge.text_units(content, 'recursive', 'characters', 2147483647) as u
    ), unit as (
        select w.starts_at, w.ends_at,
            -- The stop behind an item's number ends nothing.
            coalesce(lag(case
                when w.level = 2 and w.ends_at - w.starts_at <= 10 and substr(E'\n' || content, w.ended_at + 1,
                    w.ends_at - w.ended_at + 1) ~ '\n\s*[0-9]{1,9}[.)]$' then 1
                else w.level end) over (order by w.starts_at), 3) >= 2 as begins
        from word as w
    ), numbered as (
        select u.starts_at, u.ends_at, count(*) filter (where u.begins) over (order by u.starts_at) as sentence
        from unit as u
    ), sentence as (
        select min(n.starts_at) as starts_at, max(n.ends_at) as ends_at from numbered as n group by n.sentence
    ), line as (
        select s.starts_at as sentence, l.line,
            s.starts_at + coalesce(sum(length(l.line) + 1) over (
                partition by s.starts_at order by l.place rows between unbounded preceding and 1 preceding), 0)::int as starts_at,
            l.place = 1 or l.line ~ '^\s*(\||#{1,6}\s|[-*+]\s|[0-9]{1,9}[.)]\s)'
                or lag(l.line) over (partition by s.starts_at order by l.place) ~ '^\s*(\||#{1,6}\s)' as begins
        from sentence as s
        cross join lateral string_to_table(substr(content, s.starts_at + 1, s.ends_at - s.starts_at), E'\n')
            with ordinality as l (line, place)
    ), part as (
        select l.*, count(*) filter (where l.begins) over (partition by l.sentence order by l.starts_at) as part from line as l
    )
    select min(p.starts_at + length(p.line) - length(ltrim(p.line, E' \t\r')))::int,
        max(p.starts_at + length(rtrim(p.line, E' \t\r')))::int
    from part as p
    -- What is between the head of a table and its rows says nothing, nor does an empty line.
    where p.line !~ '^[\s|:+-]*$'
    group by p.sentence, p.part
    order by 1;
end;

comment on function knowledge.sentences(text) is
    'Where the sentences of a text begin and end, in code points; a paragraph ends one, too, and a row of a table, an item of a
list and a heading is one by itself.';
-- Granted to nobody: functions of this schema call it.
