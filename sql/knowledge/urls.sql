-- One way to write each octet: unreserved ones plain, others as %XX in capitals (RFC 3986, 6.2.2).
create or replace function knowledge.normal_octets(part text)
    returns text
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
return case when part ~ '^[A-Za-z0-9._~!$&''()*+,;=:@/?\[\]-]*$' then part else (
    select string_agg(case
            when o.octet !~ '^%..$' and o.octet ~ '[A-Za-z0-9._~!$&''()*+,;=:@/?\[\]%-]' then o.octet
            when o.octet !~ '^%..$' then regexp_replace(upper(encode(convert_to(o.octet, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
            when o.octet ~* '^%(2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])$'
                then convert_from(decode(substr(o.octet, 2), 'hex'), 'UTF8')
            else upper(o.octet) end, '' order by o.place)
    from regexp_matches(part, '%[0-9A-Fa-f]{2}|.', 'g') with ordinality as m (found, place)
    cross join lateral (select m.found[1], m.place) as o (octet, place)) end;

comment on function knowledge.normal_octets(text) is
    'A path or query with each octet written the one way: what needs no %XX has none, the rest has it in capitals.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.without_dots(path text)
    returns text
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_kept text[] := array[]::text[];
    v_part text;
begin
    if path !~ '/\.' then
        return path;
    end if;
    foreach v_part in array string_to_array(substr(path, 2), '/') loop
        if v_part = '..' then
            v_kept := trim_array(v_kept, least(cardinality(v_kept), 1));
        elsif v_part <> '.' then
            v_kept := v_kept || v_part;
        end if;
    end loop;
    return '/' || array_to_string(v_kept, '/')
        || case when v_part in ('.', '..') and v_kept <> '{}' then '/' else '' end;
end
$$;

comment on function knowledge.without_dots(text) is
    'An absolute path without its "." and ".." (RFC 3986, 5.2.4).';
-- Granted to nobody: functions of this schema call it.

-- Two addresses that are certainly of one thing are written alike. Neither queries nor trailing slashes are touched: what
-- they mean is the server's affair.
create or replace function knowledge.canonical_url(url text, base text default null)
    returns text
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_form  constant text := '^(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?$';
    -- As browsers read it: what is around it, and line ends and tabs in it, are no part of it.
    v_parts text[] := regexp_match(translate(btrim(url, E' \t\n\f\r'), E'\\\t\n\r', '/'), v_form);
    v_base  text[] := regexp_match(base, v_form);
    v_host  text[];
    v_path  text;
    v_query text;
    v_whole text;
begin
    if v_parts is null then
        return null;
    elsif v_parts[1] is null and v_base is not null then
        v_parts[1] := v_base[1];
        if v_parts[2] is null then
            v_parts[2] := v_base[2];
            if v_parts[3] = '' then
                v_parts[3] := v_base[3];
                v_parts[4] := coalesce(v_parts[4], v_base[4]);
            elsif left(v_parts[3], 1) <> '/' then
                v_parts[3] := regexp_replace(v_base[3], '[^/]*$', '') || v_parts[3];
            end if;
        end if;
    end if;
    v_host := regexp_match(lower(v_parts[2]), '^(\[[0-9a-f:.]+\]|[^][[:space:][:cntrl:]:@%<>"|^`{}]+)(?::([0-9]*))?$');
    if lower(v_parts[1]) not in ('http', 'https') or v_parts[1] is null or v_host is null
        or length(v_host[2]) > 5 or nullif(v_host[2], '')::int > 65535
    then
        return null;
    end if;
    v_path := knowledge.without_dots(knowledge.normal_octets(
        '/' || ltrim(substr(v_parts[3], 1, 1), '/') || substr(v_parts[3], 2)));
    v_query := knowledge.normal_octets(nullif(v_parts[4], ''));
    v_whole := concat(lower(v_parts[1]), '://', rtrim(v_host[1], '.'),
        ':' || nullif(nullif(ltrim(v_host[2], '0'), ''), case lower(v_parts[1]) when 'http' then '80' else '443' end),
        v_path, '?' || v_query);
    return case when length(v_whole) <= 2000 and rtrim(v_host[1], '.') <> '' then v_whole end;
end
$$;

comment on function knowledge.canonical_url(text, text) is
    'The one way to write a URL, seen from base if it is relative: scheme and host in small letters, without default port,
fragment and dot segments, octets normal. Null for what is no http or https URL, has a password in it, or is longer than
2000 characters.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.host_of(url text)
    returns text
    language sql immutable strict parallel safe
return substring(url from '^https?://([^/?#]+)');

comment on function knowledge.host_of(text) is
    'Host of a canonical URL, with its port unless that is the default.';
-- Granted to nobody: functions of this schema call it.
