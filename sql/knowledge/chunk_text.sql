-- A break lies between two graphemes (knowledge.grapheme_marks says what these are), and has a level:
--
--   3  after white space with two line ends or more in it, that is, a blank line
--   2  after white space behind a sentence end (. ! ? … and their like, and what closes behind them); 。！？ need none
--   1  after other white space, and after 、，；：
--   0  elsewhere; counts only in words larger than a chunk may be
--
-- A chunk begins at a word, and ends before the white space of a break: the furthest that fits is looked for. Where the
-- rest does not, it is the last break of level 3 beyond half the size, else the last of level 2 or more beyond half, else
-- the last of level 1 or more, else the last; a grapheme that is larger than the size is a chunk. The next one begins at
-- the earliest word of this one, not its first, from which the overlap suffices to its end and the next word fits, too;
-- else at the next word.
--
-- In Markdown no chunk crosses a heading. A block (fenced code, a table) has a break of level 3 before and after it, none
-- inside if all of it fits, else of level 2 at line ends and 1 at other white space.
create or replace function knowledge.chunk_text_sql(content text, strategy text, unit text, size int, overlap int)
    returns table (ordinal int, starts_at int, ends_at int, heading text)
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_factor   constant bigint := case unit when 'tokens' then 4::bigint else 1::bigint end;
    v_capacity constant int := case strategy when 'whole' then 2147483647
        else least(v_factor * size, 2147483647)::int end;
    v_overlap  constant bigint := v_factor * overlap;
    v_section  bigint[];
    v_heading  text[];
    v_starts   int[];
    v_ends     int[];
    v_from     int[];           -- weight of what precedes a word
    v_to       int[];           -- and of what precedes its end
    v_level    int[];
    v_count    int;
    v_first    int := 1;        -- the first word of a chunk
    v_last     int;
    v_limit    bigint;
    v_half     bigint;
    v_break     int;            -- the last break of level 1 or more
    v_sentence  int;            -- of level 2 or more, beyond half
    v_paragraph int;            -- of level 3, beyond half
    k           int;
begin
    if strategy not in ('whole', 'recursive', 'markdown') then
        raise exception using errcode = '22023', message = format('"%s" is no way to cut a text', strategy),
            hint = 'There are whole, recursive and markdown.';
    elsif unit not in ('tokens', 'characters') then
        raise exception using errcode = '22023', message = format('"%s" is no unit of a chunk''s size', unit),
            hint = 'There are tokens and characters.';
    elsif size < 1 or overlap < 0 or overlap::bigint * 2 >= size then
        raise exception using errcode = '22023',
            message = format('chunks of %s that overlap by %s cannot be', size, overlap),
            hint = 'A size is 1 or more, an overlap less than half of it.';
    end if;

    select array_agg(u.section order by u.starts_at), array_agg(u.heading order by u.starts_at),
        array_agg(u.starts_at order by u.starts_at), array_agg(u.ends_at order by u.starts_at),
        array_agg(u.start_weight order by u.starts_at), array_agg(u.end_weight order by u.starts_at),
        array_agg(u.level order by u.starts_at), count(*)::int
    into v_section, v_heading, v_starts, v_ends, v_from, v_to, v_level, v_count
    from knowledge.text_units(content, strategy, unit, v_capacity) as u;

    ordinal := 0;
    while v_first <= v_count loop
        v_limit := v_from[v_first]::bigint + v_capacity;
        v_half := v_from[v_first]::bigint * 2 + v_capacity;
        v_last := v_first;
        v_break := null;
        v_sentence := null;
        v_paragraph := null;
        k := v_first;
        while v_to[k] <= v_limit and v_section[k] = v_section[v_first] loop
            v_last := k;
            if v_level[k] > 0 then
                v_break := k;
                if v_level[k] > 1 and v_to[k]::bigint * 2 > v_half then
                    v_sentence := k;
                    if v_level[k] > 2 then
                        v_paragraph := k;
                    end if;
                end if;
            end if;
            k := k + 1;
        end loop;
        if v_section[k] = v_section[v_first] then
            v_last := coalesce(v_paragraph, v_sentence, v_break, v_last);
        end if;

        starts_at := v_starts[v_first];
        ends_at := v_ends[v_last];
        heading := v_heading[v_first];
        return next;
        ordinal := ordinal + 1;

        -- A next word of level 0 begins one that is larger than a chunk.
        v_first := v_last + 1;
        if v_overlap > 0 and v_level[v_last] > 0 and v_level[v_first] > 0 and v_section[v_first] = v_section[v_last] then
            k := v_last;
            while v_starts[k] > starts_at and v_to[v_last] - v_from[k] <= v_overlap
                and v_to[v_last + 1] - v_from[k] <= v_capacity
            loop
                if v_level[k - 1] > 0 then
                    v_first := k;
                end if;
                k := k - 1;
            end loop;
        end if;
    end loop;
end
$$;

comment on function knowledge.chunk_text_sql(text, text, text, int, int) is
    'Cuts a text (whole, recursive, markdown) in chunks of at most so many tokens (a quarter of the UTF-8 bytes, rounded up)
or characters (code points); offsets count code points from 0. Errors: 22023 no such strategy or unit, or sizes that
cannot be.';
-- Granted to nobody: knowledge.chunk_text calls it.

-- Looked for at every call: the extension may come and go, and a dump of this database goes where it is not.
create or replace function knowledge.chunk_text(content text, strategy text, unit text, size int, overlap int)
    returns table (ordinal int, starts_at int, ends_at int, heading text)
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    if to_regprocedure('extensions.concierge_chunk_text(text, text, text, int, int)') is not null then
        return query execute 'select * from extensions.concierge_chunk_text($1, $2, $3, $4, $5)'
            using content, strategy, unit, size, overlap;
    else
        return query select * from knowledge.chunk_text_sql(content, strategy, unit, size, overlap);
    end if;
end
$$;

comment on function knowledge.chunk_text(text, text, text, int, int) is
    'knowledge.chunk_text_sql, by the native extension where it is installed. Errors: 22023 no such strategy or unit, or
sizes that cannot be.';
-- Granted to nobody: indexing calls it.
