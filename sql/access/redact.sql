-- What is private in a text, and the text without it. Each rule reads the text once, and all that follows
-- walks over what was found once: time grows with the text, whatever stands in it.

-- All of one rule. Matches are marked with two control characters in one go (the text's own are a space
-- meanwhile), and the text cut there: positions are sums of lengths. Octets are summed besides, because
-- characters of a text are found by counting from its start, its octets directly.
create or replace function access.rule_matches(content text, rule access.redaction_rules)
    returns setof access.private_part
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    with piece as (
        select p.place, split_part(p.piece, E'\x02', 1) as found, split_part(p.piece, E'\x02', 2) as after
        from string_to_table(
            E'\x02' || regexp_replace(
                translate(content, E'\x01\x02', '  '), (rule).pattern, E'\x01\\&\x02', 'g'),
            E'\x01') with ordinality as p (piece, place)
    ), placed as (
        select p.found, sum(length(p.found) + length(p.after)) over before_it as characters,
            sum(octet_length(p.found) + octet_length(p.after)) over before_it as octets,
            right(lag(p.found || right(p.after, 60), 2, '') over (order by p.place)
                || lag(p.found || right(p.after, 60), 1, '') over (order by p.place), 60) as before
        from piece as p
        window before_it as (order by p.place rows between unbounded preceding and 1 preceding)
    ), private as materialized (
        select p.*, access.private_core((rule).validator, p.found, p.before) as core
        from placed as p
        where p.found <> ''
    ) -- materialized, or each mention of the core would be a call
    select (rule).kind, (rule).label, p.core, access.private_identity((rule).validator, p.core),
        (p.characters + s.skipped + 1)::int, (p.characters + s.skipped + length(p.core))::int,
        (p.octets + octet_length(left(p.found, s.skipped)) + 1)::int, octet_length(p.core),
        least(1, (rule).confidence + case when (rule).context <> '{}' and exists (
            select from unnest((rule).context) as w (word)
            where strpos(
                translate(' ' || lower(p.before) || ' ', E'\n\r\t.,:;!?()[]{}<>"''#=/_-', repeat(' ', 24)),
                ' ' || w.word || ' ') > 0) then 0.4 else 0 end)::real
    from private as p
    cross join lateral (select strpos(p.found, p.core) - 1 as skipped) as s
    where p.core <> '';
end;

comment on function access.rule_matches(text, access.redaction_rules) is 'All that one rule finds in a text.';
-- Granted to nobody: functions of this schema call it.

-- Most questions are plain words, and compiling sixteen expressions takes longer than answering: one look says that no default
-- rule can match, for each needs one of these.
create or replace function access.may_be_private(content text)
    returns boolean
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
return content ~* '[0-9@]|://|-----|[^[:space:]]{12}|pass|pwd|kennwort|contrase|secret|token|api|access';

comment on function access.may_be_private(text) is 'Whether a text can match one of the default rules; false is certain.';
-- Granted to nobody: functions of this schema call it.

-- The surest first, of those as sure the longest, then the first; what overlaps one that was taken is not.
create or replace function access.private_parts_of(tenant_id uuid, content text)
    returns setof access.private_part
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_may_be boolean := access.may_be_private(content);
    v_taken  boolean[];
    v_free   boolean;
    v_part   access.private_part;
begin
    for v_part in
        select m.*
        from access.redaction_rules_of(private_parts_of.tenant_id) as r
        left join access.redaction_settings as s on s.tenant_id = private_parts_of.tenant_id
        cross join lateral access.rule_matches(content, r) as m
        where r.enabled and (v_may_be or r.tenant_id is not null) and r.kind <> all (coalesce(s.kinds_off, array[]::text[]))
            and m.confidence >= coalesce(s.least_confidence, 0.5)
        order by m.confidence desc, m.ends_at - m.starts_at desc, m.starts_at, m.kind
    loop
        if v_taken is null then
            v_taken := array_fill(false, array[length(content)]);
        end if;
        v_free := true;
        for i in v_part.starts_at .. v_part.ends_at loop
            if v_taken[i] then
                v_free := false;
                exit;
            end if;
        end loop;
        if v_free then
            for i in v_part.starts_at .. v_part.ends_at loop
                v_taken[i] := true;
            end loop;
            return next v_part;
        end if;
    end loop;
end
$$;

comment on function access.private_parts_of(uuid, text) is
    'What is private in a text by the rules of a tenant, or with null by the defaults. Of matches that
overlap the surest counts, then the longest, then the first.';
-- Granted to nobody: who redacts for a tenant without being signed in calls it, as the owner.

create or replace function access.private_parts(content text)
    returns table (kind text, starts_at int, ends_at int, confidence real)
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select p.kind, p.starts_at, p.ends_at, p.confidence
    from access.private_parts_of((select access.tenant_id()), content) as p
    order by p.starts_at;
end;

comment on function access.private_parts(text) is
    'What is private in a text by the rules of the signed-in person''s tenant: its kind, its first and last
character, counted from 1, and how sure that is. Errors: QC401-QC403.';

grant execute on function access.private_parts(text) to concierge_app;

-- Six digits: few enough that they tell next to nothing of the value, should somebody try all there are, and
-- enough for the values of one conversation.
create or replace function access.salted_number(value text, salt text)
    returns bigint
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
return ('x' || left(encode(extensions.hmac(value, salt, 'sha256'), 'hex'), 8))::bit(32)::bigint % 1000000;

comment on function access.salted_number(text, text) is
    'A number below a million that is the value''s in all texts with one salt, and is kept nowhere.';
-- Granted to nobody: functions of this schema call it.

create or replace function access.redact_for(tenant_id uuid, content text, salt text default null)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_octets bytea := convert_to(content, getdatabaseencoding());
    v_text   bytea;
    v_rest   int;
begin
    with part as (
        select p.*, min(p.starts_at) over (partition by p.label, p.identity) as first_at
        from access.private_parts_of(redact_for.tenant_id, content) as p
    ), numbered as (
        select p.*, lag(p.first_octet + p.octets, 1, 1) over (order by p.starts_at) as gap_from,
            case when redact_for.salt is null
                then dense_rank() over (partition by p.label order by p.first_at)
                else access.salted_number(p.label || ':' || p.identity, redact_for.salt) end as number
        from part as p
    )
    select string_agg(substr(v_octets, n.gap_from, n.first_octet - n.gap_from)
            || convert_to(format('[%s %s]', n.label, n.number), getdatabaseencoding()),
            ''::bytea order by n.starts_at),
        max(n.first_octet + n.octets)
    into v_text, v_rest
    from numbered as n;
    return case when v_text is null then content
        else convert_from(v_text || substr(v_octets, v_rest), getdatabaseencoding()) end;
end
$$;

comment on function access.redact_for(uuid, text, text) is
    'The text without what is private in it by the rules of a tenant, or with null by the defaults; see
access.redact.';
-- Granted to nobody: who redacts for a tenant without being signed in calls it, as the owner.

create or replace function access.redact(content text, salt text default null)
    returns text
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
return access.redact_for(access.tenant_id(), content, salt);

comment on function access.redact(text, text) is
    'The text with what is private in it, by the rules of the signed-in person''s tenant, replaced: [email
1]. The same value has the same number, in all texts with the same salt; a salt is a conversation''s, and
kept from who reads them.
Errors: QC401-QC403.';

grant execute on function access.redact(text, text) to concierge_app;
