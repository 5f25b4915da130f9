-- Abstracts come as HTML from some tools and as text from others; a reader, and later a model, gets text.
create or replace function event.plain_text(content text)
    returns text
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_text  text := content;
    v_match text[];
begin
    if v_text ~*
        '</?(p|br|a|b|i|ul|ol|li|em|strong|div|span|h[1-6]|code|pre|blockquote|img|table|tr|td|hr|script|style)\M[^>]*>'
    then
        -- One after the other: a back reference would make a long page without an end slow.
        v_text := regexp_replace(v_text, '<script\M.*?</script>', '', 'gi');
        v_text := regexp_replace(v_text, '<style\M.*?</style>', '', 'gi');
        v_text := regexp_replace(v_text, '\s*<li\M[^>]*>\s*', E'\n- ', 'gi');
        v_text := regexp_replace(v_text,
            '\s*<(br|/p|/div|/h[1-6]|/ul|/ol|/tr|/pre|/blockquote|hr)\M[^>]*>\s*', E'\n', 'gi');
        v_text := regexp_replace(v_text, '</?[a-z!][^>]*>', '', 'gi');
    end if;

    if position('&' in v_text) > 0 then
        for v_match in
            select distinct regexp_matches(v_text, '&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));', 'gi')
        loop
            v_text := regexp_replace(v_text,
                case when v_match[1] is not null then '&#x' || v_match[1] || ';'
                     else '&#' || v_match[2] || ';' end,
                event.code_point(v_match[1], v_match[2]), 'gi');
        end loop;
        for v_match in
            select distinct regexp_matches(v_text, '&([a-zA-Z]{2,8});', 'g')
        loop
            v_text := replace(v_text, '&' || v_match[1] || ';', event.named_character(v_match[1]));
        end loop;
        -- Last, so that "&amp;lt;" becomes "&lt;" and not "<".
        v_text := replace(v_text, '&amp;', '&');
    end if;

    v_text := regexp_replace(regexp_replace(v_text, E'\r\n?', E'\n', 'g'), E'[ \t]+(\n|$)', E'\n', 'g');
    return nullif(btrim(regexp_replace(v_text, E'\n{3,}', E'\n\n', 'g'), E' \t\n'), '');
end
$$;

comment on function event.plain_text(text) is
    'The text of an HTML fragment or a text, without tags and entities; null when nothing is left.';
-- Granted to nobody: the importer uses it as the owner.

create or replace function event.code_point(hex text, digits text)
    returns text
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_code bigint := coalesce(('x' || lpad(hex, 8, '0'))::bit(32)::bigint, digits::bigint);
begin
    -- Controls, surrogates and what lies beyond Unicode are no characters of a text.
    if v_code < 32 and v_code not in (9, 10, 13) or v_code between 55296 and 57343 or v_code > 1114111 then
        return '';
    end if;
    -- An ampersand stays an entity until the others are done.
    return case v_code when 38 then '&amp;' else replace(chr(v_code::int), '\', '\\') end;
end
$$;

comment on function event.code_point(text, text) is
    'The character of a numeric HTML entity, given in hex or decimal, escaped for a replacement; empty when
there is none.';

-- The ones people and editors write; an unknown one is left as it stands, and so is &amp;, which comes last.
create or replace function event.named_character(entity text)
    returns text
    language sql immutable parallel safe
return coalesce('{
    "lt": "<", "gt": ">", "quot": "\"", "apos": "''", "nbsp": " ", "ensp": " ", "emsp": " ", "thinsp": " ",
    "shy": "", "zwnj": "", "ndash": "–", "mdash": "—", "hellip": "…", "bull": "•", "middot": "·",
    "lsquo": "‘", "rsquo": "’", "sbquo": "‚", "ldquo": "“", "rdquo": "”", "bdquo": "„", "laquo": "«",
    "raquo": "»", "deg": "°", "times": "×", "copy": "©", "reg": "®", "trade": "™", "euro": "€", "pound": "£",
    "sect": "§", "rarr": "→", "larr": "←", "auml": "ä", "ouml": "ö", "uuml": "ü", "Auml": "Ä", "Ouml": "Ö",
    "Uuml": "Ü", "szlig": "ß", "agrave": "à", "aacute": "á", "acirc": "â", "aring": "å", "aelig": "æ",
    "ccedil": "ç", "egrave": "è", "eacute": "é", "ecirc": "ê", "euml": "ë", "iacute": "í", "icirc": "î",
    "iuml": "ï", "ntilde": "ñ", "oacute": "ó", "ocirc": "ô", "oslash": "ø", "ugrave": "ù", "uacute": "ú",
    "ucirc": "û", "Eacute": "É", "Ccedil": "Ç", "Oslash": "Ø", "Aring": "Å"
}'::jsonb ->> entity, '&' || entity || ';');

comment on function event.named_character(text) is
    'The character an HTML entity names; the entity itself when it is not known.';
