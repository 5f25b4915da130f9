-- Chinese, Japanese and Thai write words without spaces between them: each pair of neighbouring characters is taken
-- for one, as search engines do. First the pairs that begin at even places of a run, then those at odd ones.
create or replace function knowledge.pairs(content text)
    returns text
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return case
    when content ~ '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]' then
        regexp_replace(content,
            '([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{2})',
            ' \1 ', 'g')
        || ' ' ||
        regexp_replace(
            regexp_replace(
                regexp_replace(content,
                    '(^|[^\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])'
                    || '[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]',
                    '\1', 'g'),
                '[^\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+',
                ' ', 'g'),
            '([^ ]{2})', ' \1 ', 'g')
    else content
end;

comment on function knowledge.pairs(text) is
    'The text, with scripts that put no space between words cut into overlapping pairs of characters.';
-- Granted to nobody: knowledge.words calls it.

-- PostgreSQL's parser takes ERR_42 for two words. Whoever asks for a code means all of it.
create or replace function knowledge.codes(content text)
    returns text[]
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(distinct lower(m.code[1])), '{}')
    from regexp_matches(content, '[[:alnum:]]+(?:[-_.:/#][[:alnum:]]+)+', 'g') as m (code)
    where m.code[1] ~ '[0-9_]' and length(m.code[1]) <= 100;
end;

comment on function knowledge.codes(text) is
    'What is written together with _ . : / # or - and has a digit or _ in it, in lower case: err_42, v2.1.7.';
-- Granted to nobody: knowledge.words calls it.

create or replace function knowledge.words(content text, language text)
    returns tsvector
    language sql stable parallel safe
    set search_path = pg_catalog, pg_temp
return to_tsvector(language::regconfig, knowledge.pairs(content)) || array_to_tsvector(knowledge.codes(content));

comment on function knowledge.words(text, text) is
    'What a text is found by: the lexemes of its language, pairs of characters where words have no spaces
between them, and codes whole. Errors: 42704 no such language.';

grant execute on function knowledge.words(text, text) to concierge_app, concierge_admin;
