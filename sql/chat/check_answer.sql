-- What a model may not have made up: every paragraph cites, ids are those of the bundle, and numbers, times and names stand in it or in the
-- question; addresses and markup stand in the bundle as they are, for whoever shows an answer may follow them. It is strict on purpose: a wrong
-- room costs more than a second call.
create or replace function chat.words_in(content text)
    returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return ' ' || regexp_replace(regexp_replace(lower(extensions.unaccent('extensions.unaccent', normalize(coalesce(content, ''), NFKC))),
    '([[:alpha:]])[-_]([0-9])', '\1\2', 'g'), '[^[:alnum:].:,/%]+', ' ', 'g') || ' ';

comment on function chat.words_in(text) is
    'A text as facts are looked for in it: lower case, no accents, one blank between words, codes such as P-7 in one (p7).';

create or replace function chat.known_text(bundle jsonb, question text)
    returns text
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select chat.words_in(concat_ws(' ', question, bundle ->> 'event', bundle ->> 'contractor', bundle ->> 'clock',
        to_char((bundle ->> 'clock')::timestamptz at time zone coalesce(bundle ->> 'time_zone', 'UTC'),
            'HH24:MI FMDay DD FMDD FMMonth YYYY'),
        (select string_agg(concat_ws(' ', i ->> 'title', i ->> 'text'), ' ') from jsonb_array_elements(bundle -> 'items') as i)));
end;

comment on function chat.known_text(jsonb, text) is 'All that an answer may repeat.';

-- Controls but for those of lines and tabs, marks that turn the direction of reading, and tags: what a person does not see, and a model reads.
create or replace function chat.without_invisible(content text)
    returns text
    language sql immutable parallel safe
return regexp_replace(content,
    '[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]', '', 'g');

comment on function chat.without_invisible(text) is 'A text without what a person does not see in it.';

create or replace function chat.cited_ids(answer text)
    returns text[]
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(distinct upper(btrim(i.id))), '{}')
    from regexp_matches(answer, '\[([A-Za-z][0-9]{1,3}(?:\s*[,;]\s*[A-Za-z][0-9]{1,3})*)\]', 'g') as m (part)
    cross join lateral regexp_split_to_table(m.part[1], '[,;]') as i (id);
end;

comment on function chat.cited_ids(text) is 'What an answer cites: [S1] or [S1, D2].';

-- The one thing that needs no source.
create or replace function chat.says_nothing(paragraph text)
    returns boolean
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return chat.words_in(paragraph) ~ '\m(i don t know|i do not know|i have nothing|i find nothing|not in what i have|ich weiss es nicht|ich weiss nicht|je ne sais pas|no lo se)\M';

comment on function chat.says_nothing(text) is 'Whether a paragraph says no more than that nothing is known.';

create or replace function chat.check_answer(answer text, bundle jsonb, question text)
    returns text[]
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    with known as materialized (
        select chat.known_text(bundle, question) as words, array(
            select i ->> 'id' from jsonb_array_elements(bundle -> 'items') as i) as ids, (
            select lower(string_agg(concat_ws(' ', i ->> 'title', i ->> 'text', i ->> 'url'), ' '))
            from jsonb_array_elements(bundle -> 'items') as i) as raw
    ), bare as (
        -- Without citations, and the signs of a list.
        select regexp_replace(regexp_replace(answer, '\[[^][]{1,40}\]', ' ', 'g'), '^\s*([-*•]|[0-9]{1,2}[.)])\s', '', 'gn') as said
    ), number as (
        select t.word, replace(t.part[2], '.', '\.') as figure, t.part, t.before
        from (
            select w.word, regexp_match(w.word, '^([[:alpha:]]*)([0-9]+(?:[.,:/][0-9]+)*)([[:alpha:]%]*)$') as part,
                (regexp_match(lag(w.word) over (order by w.place), '^[[:alpha:]]+$'))[1] as before
            from bare as b
            cross join lateral (
                select rtrim(r.word, '.,:/') as word, r.place
                from regexp_split_to_table(btrim(chat.words_in(b.said)), ' ') with ordinality as r (word, place)) as w
        ) as t
        where t.word ~ '[0-9]'
    ), inside as (
        -- And without what sentences begin with, which is no part of the name it stands before.
        select regexp_replace(b.said, '(^|[.!?:;,]\s+|["“«„(])(Ask|Attend|Begin|Book|Call|Check|Consider|Find|Go|Head|Join|Listen|Look|Meet'
            || '|Next|Now|Read|See|Sign|Start|Stop|Talk|Then|Today|Tomorrow|Try|Visit|Watch|With|Yes|Besuchen|Heute|Jetzt|Morgen|Sehen'
            || '|Sprechen|Treffen)\M', '\1', 'gn') as said
        from bare as b
    ), problem as (
        select 1 as rank, format('there is no [%s] to cite', c.id) as problem
        from known as k cross join lateral unnest(chat.cited_ids(answer)) as c (id)
        where c.id <> all (k.ids)
        union all
        select 0 as rank, 'it says nothing' as problem where answer !~ '[[:alnum:]]'
        union all
        select 0 as rank, 'it has characters that cannot be seen' as problem where answer <> chat.without_invisible(answer)
        union all
        select distinct 1 as rank, format('"%s" is nowhere in what is known', left(m.found[1], 60)) as problem
        from known as k
        cross join lateral regexp_matches(answer, '((?:[a-z][a-z0-9+.-]*:)?//[^\s<>()"''\]]+|\m(?:javascript|vbscript|data|mailto|tel):[^\s<>()"''\]]+'
            || '|\mwww\.[^\s<>()"''\]]+|</?[a-z!][^>]*>|!\[)', 'gi') as m (found)
        where coalesce(strpos(k.raw, rtrim(lower(m.found[1]), '.,;:!?')), 0) = 0
        union all
        select 2 as rank, format('"%s" cites nothing', left(btrim(p.paragraph), 60)) as problem
        from regexp_split_to_table(answer, '\n\s*\n') as p (paragraph)
        where chat.cited_ids(p.paragraph) = '{}' and p.paragraph ~ '[[:alpha:]]'
            and not chat.says_nothing(p.paragraph)
        union all
        select distinct 3 as rank, format('"%s" is nowhere in what is known', n.word) as problem
        from known as k
        cross join number as n
        where case
            when n.part is null then strpos(k.words, n.word) = 0
            -- Of a code the whole of it: P-7 says nothing of seven pumps.
            when n.part[1] <> '' then k.words !~ ('\m' || n.part[1] || ' ?' || n.figure || '(?![0-9]|[.,:/][0-9])')
            else k.words !~ ('(?<![[:alnum:]]|[0-9][.,:/])' || n.figure || '(?::00)?(?![0-9]|[.,:/][0-9])')
                and (n.before is null or k.words !~ ('\m' || n.before || n.figure || '(?![0-9]|[.,:/][0-9])')) end
        union all
        -- From three on: one and two say other things as well.
        select distinct 3 as rank, format('"%s" is nowhere in what is known', n.found[1]) as problem
        from known as k
        cross join bare as b
        cross join lateral regexp_matches(chat.words_in(b.said), '\m(three|four|five|six|seven|eight|nine|ten|eleven|twelve'
            || '|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety'
            || '|hundred|thousand|million|drei|vier|funf|sechs|sieben|acht|neun|zehn|elf|zwolf|zwanzig|dreissig|vierzig|funfzig'
            || '|hundert|tausend)\M', 'g') as n (found)
        where k.words !~ ('\m' || n.found[1] || '\M')
        union all
        select distinct 4 as rank, format('"%s" is nowhere in what is known', n.found[1]) as problem
        from known as k
        cross join inside as i
        cross join lateral regexp_matches(i.said,
            '([[:upper:]][[:alnum:]''’-]+(?:[ \u00a0](?:(?:of|the|and|for|de|van|von|der) )?[[:upper:]][[:alnum:]''’-]+)+)', 'g') as n (found)
        where exists (
            select from regexp_split_to_table(btrim(chat.words_in(n.found[1])), ' ') as w (word)
            where strpos(k.words, ' ' || w.word) = 0 and length(w.word) > 1
                and ts_lexize('english_stem', w.word) <> '{}' and ts_lexize('german_stem', w.word) <> '{}'
                and ts_lexize('french_stem', w.word) <> '{}' and ts_lexize('spanish_stem', w.word) <> '{}')
    )
    select coalesce(array_agg(p.problem order by p.rank, p.problem), '{}') from problem as p;
end;

comment on function chat.check_answer(text, jsonb, text) is
    'What is wrong with an answer, as sentences for whoever is to mend it; empty for nothing: ids that are not in the bundle,
paragraphs that cite none, numbers, times and names that neither the bundle nor the question has, addresses and markup that the bundle has not,
characters that cannot be seen.';

grant execute on function chat.words_in(text)                    to concierge_app;
grant execute on function chat.without_invisible(text)           to concierge_app;
grant execute on function chat.known_text(jsonb, text)           to concierge_app;
grant execute on function chat.cited_ids(text)                   to concierge_app;
grant execute on function chat.says_nothing(text)                to concierge_app;
grant execute on function chat.check_answer(text, jsonb, text)   to concierge_app;
