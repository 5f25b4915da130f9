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

-- RFC 3492, section 6.3, with its names: code points that are not ASCII, from the smallest to the largest, as the distance
-- from the one before, in digits of base 36 whose worth adapts to what came before.
create or replace function knowledge.punycode(label text)
    returns text
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_digits  constant text := 'abcdefghijklmnopqrstuvwxyz0123456789';
    v_codes   int[]  := array(select ascii(c) from string_to_table(label, null) as c);
    v_basic   text   := regexp_replace(label, '[^\x01-\x7f]', '', 'g');
    v_output  text   := v_basic || case when v_basic = '' then '' else '-' end;
    v_handled int    := length(v_basic);
    v_n       int    := 128;
    v_delta   bigint := 0::bigint;
    v_bias    int    := 72;
    v_next    int;
    v_code    int;
    v_k       int;
    v_t       int;
    v_q       bigint;
begin
    while v_handled < cardinality(v_codes) loop
        v_next := (select min(c) from unnest(v_codes) as c where c >= v_n);
        v_delta := v_delta + (v_next - v_n)::bigint * (v_handled + 1);
        v_n := v_next;
        foreach v_code in array v_codes loop
            if v_code < v_n then
                v_delta := v_delta + 1;
            elsif v_code = v_n then
                v_q := v_delta;
                v_k := 36;
                loop
                    v_t := least(greatest(v_k - v_bias, 1), 26);
                    exit when v_q < v_t;
                    v_output := v_output
                        || substr(c_digits, (v_t + (v_q - v_t) % (36 - v_t))::int + 1, 1);
                    v_q := (v_q - v_t) / (36 - v_t);
                    v_k := v_k + 36;
                end loop;
                v_output := v_output || substr(c_digits, v_q::int + 1, 1);
                -- What the RFC calls adapt.
                v_delta := case when v_handled = length(v_basic) then v_delta / 700 else v_delta / 2 end;
                v_delta := v_delta + v_delta / (v_handled + 1);
                v_k := 0;
                while v_delta > 455 loop
                    v_delta := v_delta / 35;
                    v_k := v_k + 36;
                end loop;
                v_bias := v_k + (36 * v_delta / (v_delta + 38))::int;
                v_delta := 0;
                v_handled := v_handled + 1;
            end if;
        end loop;
        v_delta := v_delta + 1;
        v_n := v_n + 1;
    end loop;
    return v_output;
end
$$;

comment on function knowledge.punycode(text) is 'A text in ASCII letters, digits and hyphens (RFC 3492).';
-- Granted to nobody: functions of this schema call it.

-- A name in the letters of its language and the one it is asked for by are one host (IDNA: RFC 5891; letters are made
-- equal by NFKC and lower case, nearly as in UTS 46).
create or replace function knowledge.ascii_host(host text)
    returns text
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
return case when host ~ '^[\x01-\x7f]*$' then host else (
    select string_agg(case when l.label ~ '^[\x01-\x7f]*$' then l.label else 'xn--' || knowledge.punycode(l.label) end, '.'
        order by l.place)
    from string_to_table(translate(lower(normalize(host, NFKC)), '。', '.'), '.') with ordinality as l (label, place)) end;

comment on function knowledge.ascii_host(text) is 'A host as DNS has it; of an international name each label as punycode.';
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
        or length(v_host[1]) > 254 or length(v_host[2]) > 5 or nullif(v_host[2], '')::int > 65535
    then
        return null;
    end if;
    v_host[1] := rtrim(knowledge.ascii_host(v_host[1]), '.');
    -- Wide letters that mean a slash or an at have become one.
    if v_host[1] !~ '^(\[[0-9a-f:.]+\]|[^][[:space:][:cntrl:]:@%<>"|^`{}/?#\\]+)$' then
        return null;
    end if;
    v_path := knowledge.without_dots(knowledge.normal_octets(
        '/' || ltrim(substr(v_parts[3], 1, 1), '/') || substr(v_parts[3], 2)));
    v_query := knowledge.normal_octets(nullif(v_parts[4], ''));
    v_whole := concat(lower(v_parts[1]), '://', v_host[1],
        ':' || nullif(nullif(ltrim(v_host[2], '0'), ''), case lower(v_parts[1]) when 'http' then '80' else '443' end),
        v_path, '?' || v_query);
    return case when length(v_whole) <= 2000 then v_whole end;
end
$$;

comment on function knowledge.canonical_url(text, text) is
    'The one way to write a URL, seen from base if it is relative: scheme and host in small letters, an international name as
punycode, without default port, fragment and dot segments, octets normal. Null for what is no http or https URL, has a
password in it, or is longer than 2000 characters.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.host_of(url text)
    returns text
    language sql immutable strict parallel safe
return substring(url from '^https?://([^/?#]+)');

comment on function knowledge.host_of(text) is
    'Host of a canonical URL, with its port unless that is the default.';
-- Granted to nobody: functions of this schema call it.
