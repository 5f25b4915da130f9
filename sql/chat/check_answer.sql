-- What a model may not have made up: every paragraph cites, ids are those of the bundle, and numbers, times and names stand in it or in the
-- question. It is strict on purpose: a wrong room costs more than a second call.
create or replace function chat.words_in(content text)
    returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return ' ' || regexp_replace(lower(extensions.unaccent('extensions.unaccent', normalize(coalesce(content, ''), NFKC))),
    '[^[:alnum:].:,/%]+', ' ', 'g') || ' ';

comment on function chat.words_in(text) is 'A text as facts are looked for in it: lower case, no accents, one blank between words.';

create or replace function chat.known_text(bundle jsonb, question text)
    returns text
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select chat.words_in(concat_ws(' ', question, bundle ->> 'event', bundle ->> 'contractor', bundle ->> 'clock',
        to_char((bundle ->> 'clock')::timestamptz at time zone coalesce(bundle ->> 'time_zone', 'UTC'),
            'HH24:MI FMDay DD FMMonth YYYY'),
        (select string_agg(concat_ws(' ', i ->> 'title', i ->> 'text'), ' ') from jsonb_array_elements(bundle -> 'items') as i)));
end;

comment on function chat.known_text(jsonb, text) is 'All that an answer may repeat.';

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
            select i ->> 'id' from jsonb_array_elements(bundle -> 'items') as i) as ids
    ), bare as (
        -- Without citations, and the signs of a list.
        select regexp_replace(regexp_replace(answer, '\[[^][]{1,40}\]', ' ', 'g'), '^\s*([-*•]|[0-9]{1,2}[.)])\s', '', 'gn') as said
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
        select 2 as rank, format('"%s" cites nothing', left(btrim(p.paragraph), 60)) as problem
        from regexp_split_to_table(answer, '\n\s*\n') as p (paragraph)
        where chat.cited_ids(p.paragraph) = '{}' and p.paragraph ~ '[[:alpha:]]'
            and not chat.says_nothing(p.paragraph)
        union all
        select distinct 3 as rank, format('"%s" is nowhere in what is known', n.found[1]) as problem
        from known as k
        cross join bare as b
        cross join lateral regexp_matches(b.said, '[0-9]+(?:[.,:/][0-9]+)*', 'g') as n (found)
        where strpos(regexp_replace(k.words, '[^0-9.,:/]', ' ', 'g') || ' ', ' ' || n.found[1] || ' ') = 0
            and k.words !~ ('(^|[^0-9])' || replace(n.found[1], '.', '\.') || '($|[^0-9])')
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
paragraphs that cite none, numbers, times and names that neither the bundle nor the question has.';

grant execute on function chat.words_in(text)                    to concierge_app;
grant execute on function chat.known_text(jsonb, text)           to concierge_app;
grant execute on function chat.cited_ids(text)                   to concierge_app;
grant execute on function chat.says_nothing(text)                to concierge_app;
grant execute on function chat.check_answer(text, jsonb, text)   to concierge_app;
