-- So that no grapheme is cut, Unicode's rules (UAX 29) are followed nearly. There is no break
--
--   - before a mark: combining and enclosing ones, variation selectors, joiners, skin tones, tags
--   - after a joiner: the zero width joiner, and viramas that make one letter of two
--   - within a pair of regional indicators (flags), counted from the first of a run
--   - within Hangul jamo: between leading ones, from these to a syllable, vowel or final, from those to the latter two
--
-- Joiners are marks. Line ends and tabs, unlike other white space, carry no mark. Left out are signs that belong to what
-- follows them, such as the Arabic number sign.
create or replace function knowledge.grapheme_marks()
    returns text
    language sql immutable parallel safe
return
    '\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1-\u05c2\u05c4-\u05c5\u05c7\u0610-\u061a'
    || '\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a'
    || '\u07a6-\u07b0\u07eb-\u07f3\u07fd\u0816-\u0819\u081b-\u0823\u0825-\u0827\u0829-\u082d\u0859-\u085b'
    || '\u0897-\u089f\u08ca-\u08e1\u08e3-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962-\u0963'
    || '\u0981-\u0983\u09bc\u09be-\u09cd\u09d7\u09e2-\u09e3\u09fe-\u0a03\u0a3c-\u0a51\u0a70-\u0a71\u0a75'
    || '\u0a81-\u0a83\u0abc\u0abe-\u0acd\u0ae2-\u0ae3\u0afa-\u0b03\u0b3c\u0b3e-\u0b57\u0b62-\u0b63\u0b82'
    || '\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3c\u0c3e-\u0c56\u0c62-\u0c63\u0c81-\u0c83\u0cbc\u0cbe-\u0cd6'
    || '\u0ce2-\u0ce3\u0cf3-\u0d03\u0d3b-\u0d3c\u0d3e-\u0d4d\u0d57\u0d62-\u0d63\u0d81-\u0d83\u0dca-\u0ddf'
    || '\u0df2-\u0df3\u0e31\u0e33-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ece\u0f18-\u0f19\u0f35'
    || '\u0f37\u0f39\u0f3e-\u0f3f\u0f71-\u0f84\u0f86-\u0f87\u0f8d-\u0fbc\u0fc6\u102b-\u103e\u1056-\u1059'
    || '\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\u135d-\u135f'
    || '\u1712-\u1715\u1732-\u1734\u1752-\u1753\u1772-\u1773\u17b4-\u17d3\u17dd\u180b-\u180d\u180f'
    || '\u1885-\u1886\u18a9\u1920-\u193b\u1a17-\u1a1b\u1a55-\u1a7f\u1ab0-\u1b04\u1b34-\u1b44\u1b6b-\u1b73'
    || '\u1b80-\u1b82\u1ba1-\u1bad\u1be6-\u1bf3\u1c24-\u1c37\u1cd0-\u1cd2\u1cd4-\u1ce8\u1ced\u1cf4'
    || '\u1cf7-\u1cf9\u1dc0-\u1dff\u200c-\u200d\u20d0-\u20f0\u2cef-\u2cf1\u2d7f\u2de0-\u2dff\u302a-\u302f'
    || '\u3099-\u309a\ua66f-\ua672\ua674-\ua67d\ua69e-\ua69f\ua6f0-\ua6f1\ua802\ua806\ua80b\ua823-\ua827'
    || '\ua82c\ua880-\ua881\ua8b4-\ua8c5\ua8e0-\ua8f1\ua8ff\ua926-\ua92d\ua947-\ua953\ua980-\ua983'
    || '\ua9b3-\ua9c0\ua9e5\uaa29-\uaa36\uaa43\uaa4c-\uaa4d\uaa7b-\uaa7d\uaab0\uaab2-\uaab4\uaab7-\uaab8'
    || '\uaabe-\uaabf\uaac1\uaaeb-\uaaef\uaaf5-\uaaf6\uabe3-\uabea\uabec-\uabed\ufb1e\ufe00-\ufe0f'
    || '\ufe20-\ufe2f\uff9e-\uff9f\U000101fd\U000102e0\U00010376-\U0001037a\U00010a01-\U00010a0f'
    || '\U00010a38-\U00010a3f\U00010ae5-\U00010ae6\U00010d24-\U00010d27\U00010d69-\U00010d6d'
    || '\U00010eab-\U00010eac\U00010efa-\U00010eff\U00010f46-\U00010f50\U00010f82-\U00010f85'
    || '\U00011000-\U00011002\U00011038-\U00011046\U00011070\U00011073-\U00011074\U0001107f-\U00011082'
    || '\U000110b0-\U000110ba\U000110c2\U00011100-\U00011102\U00011127-\U00011134\U00011145-\U00011146'
    || '\U00011173\U00011180-\U00011182\U000111b3-\U000111c0\U000111c9-\U000111cc\U000111ce-\U000111cf'
    || '\U0001122c-\U00011237\U0001123e\U00011241\U000112df-\U000112ea\U00011300-\U00011303'
    || '\U0001133b-\U0001133c\U0001133e-\U0001134d\U00011357\U00011362-\U00011374\U000113b8-\U000113d0'
    || '\U000113d2\U000113e1-\U000113e2\U00011435-\U00011446\U0001145e\U000114b0-\U000114c3'
    || '\U000115af-\U000115c0\U000115dc-\U000115dd\U00011630-\U00011640\U000116ab-\U000116b7'
    || '\U0001171d-\U0001172b\U0001182c-\U0001183a\U00011930-\U0001193e\U00011940\U00011942-\U00011943'
    || '\U000119d1-\U000119e0\U000119e4\U00011a01-\U00011a0a\U00011a33-\U00011a39\U00011a3b-\U00011a3e'
    || '\U00011a47\U00011a51-\U00011a5b\U00011a8a-\U00011a99\U00011b60-\U00011b67\U00011c2f-\U00011c3f'
    || '\U00011c92-\U00011cb6\U00011d31-\U00011d45\U00011d47\U00011d8a-\U00011d97\U00011ef3-\U00011ef6'
    || '\U00011f00-\U00011f01\U00011f03\U00011f34-\U00011f42\U00011f5a\U00013440\U00013447-\U00013455'
    || '\U0001611e-\U0001612f\U00016af0-\U00016af4\U00016b30-\U00016b36\U00016f4f\U00016f51-\U00016f92'
    || '\U00016fe4-\U00016ff1\U0001bc9d-\U0001bc9e\U0001cf00-\U0001cf46\U0001d165-\U0001d169'
    || '\U0001d16d-\U0001d172\U0001d17b-\U0001d182\U0001d185-\U0001d18b\U0001d1aa-\U0001d1ad'
    || '\U0001d242-\U0001d244\U0001da00-\U0001da36\U0001da3b-\U0001da6c\U0001da75\U0001da84'
    || '\U0001da9b-\U0001daaf\U0001e000-\U0001e02a\U0001e08f\U0001e130-\U0001e136\U0001e2ae'
    || '\U0001e2ec-\U0001e2ef\U0001e4ec-\U0001e4ef\U0001e5ee-\U0001e5ef\U0001e6e3\U0001e6e6'
    || '\U0001e6ee-\U0001e6ef\U0001e6f5\U0001e8d0-\U0001e8d6\U0001e944-\U0001e94a\U0001f3fb-\U0001f3ff'
    || '\U000e0020-\U000e01ef';

comment on function knowledge.grapheme_marks() is
    'Characters that belong to the one before them, as the inside of a regular expression''s brackets.';
-- Granted to nobody: knowledge.text_units calls it.

-- As CommonMark has it, as far as it matters for cutting: sections, each from an ATX heading to the next one, and in them
-- blocks: fenced code, and tables, which are two or more lines in a row that begin with |. What lies between is prose.
create or replace function knowledge.markdown_segments(content text)
    returns table (segment bigint, section bigint, heading text, is_block boolean, body text)
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_lines    constant text := '[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+';
    v_line     record;
    v_text     text;
    v_level    int;
    v_path     text[] := array_fill(null::text, array[6]);
    v_fence    text;                    -- what closes the code we are in; null outside
    v_row      bigint   := -1::bigint;  -- the last line that begins with |
    -- Line numbers: where sections begin, where blocks begin, and what follows these.
    v_sections bigint[] := '{}'::bigint[];
    v_headings text[]   := '{}'::text[];
    v_blocks   bigint[] := '{}'::bigint[];
    v_ends     bigint[] := '{}'::bigint[];
begin
    for v_line in
        select l.n, l.match[1] as line
        from regexp_matches(content, c_lines, 'g') with ordinality as l (match, n)
        where l.match[1] ~ '^ {0,3}(?:#{1,6}(?:[ \t\r\n]|$)|`{3}|~{3}|\|)'
        order by l.n
    loop
        v_text := ltrim(rtrim(v_line.line, E' \t\r\n'), ' ');
        if v_fence is not null then
            if starts_with(v_text, v_fence) and ltrim(v_text, left(v_fence, 1)) = '' then
                v_fence := null;
                v_ends := v_ends || (v_line.n + 1);
            end if;
        elsif starts_with(v_text, '|') then
            if v_row = v_line.n - 1 and v_ends[cardinality(v_ends)] = v_line.n then
                v_ends[cardinality(v_ends)] := v_line.n + 1;
            elsif v_row = v_line.n - 1 then
                v_blocks := v_blocks || v_row;
                v_ends := v_ends || (v_line.n + 1);
            end if;
            v_row := v_line.n;
        elsif starts_with(v_text, '#') then
            v_level := length(v_text) - length(ltrim(v_text, '#'));
            v_text := ltrim(ltrim(v_text, '#'), E' \t');
            if v_text ~ '(?:^|[ \t])#+$' then
                v_text := rtrim(rtrim(v_text, '#'), E' \t');
            end if;
            v_path[v_level:6] := array_fill(null::text, array[7 - v_level]);
            v_path[v_level] := nullif(v_text, '');
            v_sections := v_sections || v_line.n;
            v_headings := v_headings || array_to_string(v_path, ' > ');
        elsif v_text !~ '^`+[^`]+`' then
            v_fence := substring(v_text from '^(?:`+|~+)');
            v_blocks := v_blocks || v_line.n;
        end if;
    end loop;

    return query
        with begun as (
            select b.line, bool_or(b.is_block) as is_block, max(b.heading) as heading
            from (
                select 1::bigint, false, null
                union all
                select s.line, false, s.heading from unnest(v_sections, v_headings) as s (line, heading)
                union all
                select s.line, true, null from unnest(v_blocks) as s (line)
                union all
                select s.line, false, null from unnest(v_ends) as s (line)
            ) as b (line, is_block, heading)
            group by b.line
        ), line as (
            select l.n, l.match[1] as line, max(b.line) over (order by l.n) as segment
            from regexp_matches(content, c_lines, 'g') with ordinality as l (match, n)
            left join begun as b on b.line = l.n
        ), joined as (
            select l.segment, string_agg(l.line, '' order by l.n) as content from line as l group by l.segment
        ), counted as (
            select j.segment, count(b.heading) over (order by j.segment) as section, b.is_block, j.content
            from joined as j join begun as b on b.line = j.segment
        )
        select c.segment, c.section, coalesce(v_headings[c.section], ''), c.is_block, c.content from counted as c;
end
$$;

comment on function knowledge.markdown_segments(text) is
    'Markdown in pieces, none left out: under which headings, and whether it is a block, that is, fenced code or a table.';
-- Granted to nobody: knowledge.text_units calls it.

-- Where a text may be cut, and how readily, as knowledge.chunk_text says it. Positions of a word are of its text, levels
-- of the break behind the white space that follows it.
create or replace function knowledge.text_units(content text, strategy text, unit text, capacity int)
    returns table (
        section bigint, heading text, starts_at int, ends_at int, start_weight int, end_weight int, level int
    )
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan -- a plan for every call would cost as much as a page of text
as $$
#variable_conflict use_column
declare
    c_mark     constant text := knowledge.grapheme_marks();
    c_joiner   constant text := '\u200d\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d';
    c_line     constant text := E'\t\n\u000b\f\r\u0085\u2028\u2029';
    c_blank    constant text := E' \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'
        '\u202f\u205f\u3000';
    c_stop     constant text := '。！？｡';
    c_comma    constant text := '、，､；：';
    c_end      constant text := '.!?…؟۔։।॥။።។';
    c_closer   constant text := '"''”’»›)\]}」』】）》〉〕〗］｝*_`';
    -- Letters, and what carries a mark; stops and commas with what closes behind them; white space.
    c_piece    constant text := format('(?:[^%1$s%2$s%3$s]|[%2$s%3$s](?=[%5$s]))*'
        '(?:(?:[%3$s](?![%5$s]))+(?:[%4$s](?![%5$s]))*)?(?:[%1$s]|[%2$s](?![%5$s]))*',
        c_line, c_blank, c_stop || c_comma, c_closer, c_mark);
    c_letter   constant text := '(?:[\U0001f1e6-\U0001f1ff]{2}'
        '|[\u1100-\u115f\ua960-\ua97c]+[\uac00-\ud7a3]?[\u1160-\u11ff\ud7b0-\ud7fb]*'
        '|[\uac00-\ud7a3][\u1160-\u11ff\ud7b0-\ud7fb]*|[\u1160-\u11ff\ud7b0-\ud7fb]+|.)';
    c_grapheme constant text := format('[%1$s]*%2$s(?:[%3$s]|[%1$s]+%2$s)*', c_joiner, c_letter, c_mark);
    c_line_end  constant text := '(?:[\n\v\f\u0085\u2028\u2029]|\r(?!\n))';
    c_two_lines constant text := c_line_end || '.*' || c_line_end;
    c_sentence     constant text := format('[%s][%s]*$', c_stop, c_closer);
    c_sentence_end constant text := format('[%s][%s]*$', c_end, c_closer);
    c_ends         constant text := c_stop || c_end || c_closer;
    v_in_bytes  constant boolean := unit = 'tokens';
begin
    return query
        with segment as (
            select m.segment, m.section, m.heading, m.is_block, m.body as content,
                m.is_block and case when v_in_bytes then octet_length(t.trimmed) else length(t.trimmed) end
                    <= capacity as fits
            from knowledge.markdown_segments(text_units.content) as m
            cross join lateral (select btrim(m.body, c_line || c_blank) as trimmed) as t
            where strategy = 'markdown'
            union all
            select 1, 0, '', false, text_units.content, false where strategy <> 'markdown'
        ), piece as (
            -- A block that fits is one piece, from its first mark on.
            select s.segment, 1::bigint as n, s.section, s.heading, s.is_block,
                ltrim(s.content, c_blank) as piece, length(s.content) - length(ltrim(s.content, c_blank)) as indent
            from segment as s where s.fits
            union all
            select s.segment, m.n, s.section, s.heading, s.is_block, m.match[1], 0
            from segment as s cross join lateral regexp_matches(s.content, c_piece, 'g') with ordinality as m (match, n)
            where not s.fits
        ), word as (
            select p.*, rtrim(p.piece, c_line || c_blank) as word,
                lead(p.segment) over (order by p.segment, p.n) is distinct from p.segment as ends_segment
            from piece as p
            where p.piece <> ''
        ), levelled as (
            select w.segment, w.n, w.section, w.heading, w.indent, w.word, g.gap,
                case
                    when w.ends_segment then 3
                    when w.is_block then case when g.gap ~ c_line_end then 2 else 1 end
                    when length(g.gap) > 1 and g.gap ~ c_two_lines then 3
                    when strpos(c_ends, right(w.word, 1)) = 0 then 1    -- most words: the rest costs more
                    when w.word ~ c_sentence or g.gap <> '' and w.word ~ c_sentence_end then 2
                    else 1
                end as level,
                case when v_in_bytes then octet_length(w.word) else length(w.word) end > capacity as is_large
            from word as w
            cross join lateral (select substr(w.piece, length(w.word) + 1) as gap) as g
        ), unit as (
            select l.segment, l.n, 1::bigint as m, l.section, l.heading, l.indent, l.word, l.gap, l.level
            from levelled as l where not l.is_large
            union all
            select l.segment, l.n, g.m, l.section, l.heading, l.indent, g.match[1],
                case when g.m = g.count then l.gap else '' end, case when g.m = g.count then l.level else 0 end
            from levelled as l
            cross join lateral (
                select r.match, r.m, count(*) over () as count
                from regexp_matches(l.word, c_grapheme, 'g') with ordinality as r (match, m)
            ) as g
            where l.is_large
        ), measured as (
            select u.*, length(u.word) as size, sum(u.indent + length(u.word) + length(u.gap)) over w as place,
                octet_length(u.word) as bytes, sum(u.indent + octet_length(u.word) + octet_length(u.gap)) over w as byte
            from unit as u
            window w as (order by u.segment, u.n, u.m)
        ), placed as (
            select m.*, (m.place - length(m.gap))::int as ends_at, (m.byte - octet_length(m.gap))::int as ends_byte
            from measured as m
            where m.word <> ''
        )
        select p.section, p.heading, p.ends_at - p.size, p.ends_at,
            case when v_in_bytes then p.ends_byte - p.bytes else p.ends_at - p.size end,
            case when v_in_bytes then p.ends_byte else p.ends_at end,
            p.level
        from placed as p;
end
$$;

comment on function knowledge.text_units(text, text, text, int) is
    'Words, and graphemes of words larger than the capacity, with how readily a text is cut behind each (0 to 3); weights
are bytes or code points from the text''s start.';
-- Granted to nobody: knowledge.chunk_text calls it.
