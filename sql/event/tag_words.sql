-- Tags are compared as lower-case words; "goal:Grow Revenue" and "goal:grow-revenue" mean the same.
create or replace function event.tag_words(tags text[], namespace text default null)
    returns text[]
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(distinct t.word order by t.word), '{}')
    from (
        select regexp_replace(btrim(lower(
            case when namespace is null then tag else substr(tag, length(namespace) + 2) end)),
            '\s+', '-', 'g') as word
        from unnest(tags) as tag
        where case when namespace is null then tag !~* '^(goal|role|audience|region|revenue):'
                   else lower(left(tag, length(namespace) + 1)) = namespace || ':' end
    ) as t
    where t.word <> '';
end;

comment on function event.tag_words(text[], text) is
    'Words of the tags with this namespace ("goal:x" gives x), or of those without one; lower case,
sorted, no repeats.';

create or replace function event.lower_words(words text[])
    returns text[]
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(distinct lower(btrim(w)) order by lower(btrim(w))), '{}')
    from unnest(words) as w
    where btrim(w) <> '';
end;

comment on function event.lower_words(text[]) is
    'The texts in lower case, trimmed, sorted, without repeats; empty for null.';
