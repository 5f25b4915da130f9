-- A tenant's rule stands in for the default of its name, also to switch it off.
create or replace function access.redaction_rules_of(tenant_id uuid)
    returns setof access.redaction_rules
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select distinct on (r.name) r.*
    from access.redaction_rules as r
    where r.tenant_id is null or r.tenant_id = redaction_rules_of.tenant_id
    order by r.name, r.tenant_id nulls last;
end;

comment on function access.redaction_rules_of(uuid) is
    'The rules of a tenant, or with null the defaults, those that are off, too.';
-- Granted to nobody: functions of this schema call it.

create or replace function access.list_redaction_rules()
    returns table (
        name text, kind text, label text, validator text, confidence real, context text[], pattern text,
        is_own boolean, is_on boolean
    )
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select r.name, r.kind, r.label, r.validator, r.confidence, r.context, r.pattern, r.tenant_id is not null,
        r.enabled and not exists (
            select from access.redaction_settings as s
            where s.tenant_id = (select access.tenant_id()) and r.kind = any (s.kinds_off))
    from access.redaction_rules_of((select access.tenant_id())) as r
    order by r.kind, r.name;
end;

comment on function access.list_redaction_rules() is
    'What the signed-in person''s tenant has its texts searched for, own rules and defaults. Errors:
QC401-QC403.';

grant execute on function access.list_redaction_rules() to concierge_app;

-- What makes a pattern slow, or match nothing, is seen from it. Looking behind by one character is cheap; by
-- more, it begins at the start of the text again after every match.
create or replace function access.check_redaction_pattern(pattern text)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_plain text := replace(pattern, '\\', '');
begin
    begin
        perform '' ~ pattern;
    exception
        when invalid_regular_expression then
            perform access.refuse('QC232', format('"%s" is no regular expression', pattern), null, sqlerrm);
    end;
    if v_plain ~ '\\[1-9]' then
        perform access.refuse('QC232', format('the pattern "%s" refers back to what it matched', pattern),
            'Write it without \1, which takes time that grows faster than the text.');
    end if;
    if regexp_replace(v_plain, '\(\?<[=!](?:\\.|\[\^?\]?(?:\[:[a-z]+:\]|[^]])*\]|[^][\\()])\)', '', 'g')
        ~ '\(\?<'
    then
        perform access.refuse('QC232',
            format('the pattern "%s" looks behind by more than one character', pattern),
            'Look behind by one character or one [class]; the validator number sees more.');
    end if;
    if exists (
        select from unnest(array['', pattern, E'a B-1 2.x, (y) @z\n\t"q": 10/20 + ü漢']) as t (probe)
        where strpos(regexp_replace(t.probe, pattern, E'\x01\\&\x02', 'g'), E'\x01\x02') > 0)
    then
        perform access.refuse('QC232', format('the pattern "%s" matches the empty text', pattern),
            'Use + for *, or say what must be there.');
    end if;
end
$$;

comment on function access.check_redaction_pattern(text) is
    'Refuses a pattern no text can be searched for. Errors: QC232 no regular expression; it matches the
empty text, refers back, or looks behind too far.';
-- Granted to nobody: functions of this schema call it.

create or replace function access.set_redaction_rule(
    name text, kind text default null, pattern text default null, validator text default null,
    confidence real default null, context text[] default null, label text default null,
    enabled boolean default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id uuid := access.tenant_id();
    v_old       access.redaction_rules;
begin
    perform access.require_role('organizer', 'service');
    select r.* into v_old from access.redaction_rules_of(v_tenant_id) as r
    where r.name = set_redaction_rule.name;
    if v_old.rule_id is null and (kind is null or pattern is null) then
        perform access.refuse('22004', format('a new rule "%s" needs a kind and a pattern', name),
            'access.list_redaction_rules() has those there are.');
    end if;
    if pattern is not null then
        perform access.check_redaction_pattern(pattern);
    end if;

    insert into access.redaction_rules as r
        (tenant_id, name, kind, pattern, validator, confidence, context, label, enabled)
    values (
        v_tenant_id, set_redaction_rule.name, coalesce(set_redaction_rule.kind, v_old.kind),
        coalesce(set_redaction_rule.pattern, v_old.pattern),
        -- A pattern of another sort is not for the old validator.
        case when set_redaction_rule.pattern is null
            then coalesce(set_redaction_rule.validator, v_old.validator) else set_redaction_rule.validator end,
        coalesce(set_redaction_rule.confidence, v_old.confidence, 0.8),
        coalesce(lower(set_redaction_rule.context::text)::text[], v_old.context, array[]::text[]),
        coalesce(set_redaction_rule.label, v_old.label, replace(set_redaction_rule.kind, '_', ' ')),
        coalesce(set_redaction_rule.enabled, v_old.enabled, true))
    on conflict on constraint "a tenant has one rule of a name" do update
        set kind = excluded.kind, pattern = excluded.pattern, validator = excluded.validator,
            confidence = excluded.confidence, context = excluded.context, label = excluded.label,
            enabled = excluded.enabled;
end
$$;

comment on function access.set_redaction_rule(text, text, text, text, real, text[], text, boolean) is
    'Makes or changes a rule of the signed-in organizer''s, or service''s, tenant. It stands in for the
default of its name; what is not given stays as it is there, but a new pattern has the validator that comes
with it, or none.
Errors: QC401-QC403, QC405, QC232 a pattern that cannot be used, 22004 a new rule without kind or pattern,
23514.';

grant execute on function access.set_redaction_rule(text, text, text, text, real, text[], text, boolean)
    to concierge_app;

create or replace function access.drop_redaction_rule(name text)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.require_role('organizer', 'service');
    delete from access.redaction_rules as r
    where r.tenant_id = (select access.tenant_id()) and r.name = drop_redaction_rule.name;
    return found;
end
$$;

comment on function access.drop_redaction_rule(text) is
    'Removes a tenant''s own rule; a default of its name counts again. False when there was none. Errors:
QC401-QC403, QC405.';

grant execute on function access.drop_redaction_rule(text) to concierge_app;

create or replace function access.configure_redaction(
    kinds_off text[] default null, least_confidence real default null, keeps_originals boolean default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id uuid := access.tenant_id();
    v_unknown   text;
begin
    perform access.require_role('organizer', 'service');
    v_unknown := (
        select k.kind from unnest(kinds_off) as k (kind)
        where k.kind not in (select r.kind from access.redaction_rules_of(v_tenant_id) as r)
        limit 1);
    if v_unknown is not null then
        perform access.refuse('QC231', format('redaction knows no kind "%s"', v_unknown),
            'access.list_redaction_rules() has those there are.');
    end if;

    insert into access.redaction_settings as s (tenant_id, kinds_off, least_confidence, keeps_originals)
    values (v_tenant_id, coalesce(configure_redaction.kinds_off, array[]::text[]),
        coalesce(configure_redaction.least_confidence, 0.5),
        coalesce(configure_redaction.keeps_originals, false))
    on conflict (tenant_id) do update
        set kinds_off = coalesce(configure_redaction.kinds_off, s.kinds_off),
            least_confidence = coalesce(configure_redaction.least_confidence, s.least_confidence),
            keeps_originals = coalesce(configure_redaction.keeps_originals, s.keeps_originals);
end
$$;

comment on function access.configure_redaction(text[], real, boolean) is
    'What the signed-in organizer''s, or service''s, tenant wants: kinds that are left in texts, how sure a
match must be, and whether texts may also be stored as they were written. What is not given stays.
Errors: QC401-QC403, QC405, QC231 unknown kind, 23514.';

grant execute on function access.configure_redaction(text[], real, boolean) to concierge_app;

create or replace function access.keeps_originals(tenant_id uuid)
    returns boolean
    language sql stable
    set search_path = pg_catalog, pg_temp
return coalesce((
    select s.keeps_originals from access.redaction_settings as s
    where s.tenant_id = keeps_originals.tenant_id), false);

comment on function access.keeps_originals(uuid) is
    'Whether a tenant wants texts stored as they were written besides redacted: no, unless it said so.';
-- Granted to nobody: who stores texts asks it, as the owner.

drop policy if exists "people see their own tenant" on access.redaction_rules;
create policy "people see their own tenant" on access.redaction_rules for select to concierge_app
    using (tenant_id = (select access.tenant_id()));
drop policy if exists "operators see all" on access.redaction_rules;
create policy "operators see all" on access.redaction_rules for select to concierge_admin using (true);
drop policy if exists "people see their own tenant" on access.redaction_settings;
create policy "people see their own tenant" on access.redaction_settings for select to concierge_app
    using (tenant_id = (select access.tenant_id()));
drop policy if exists "operators see all" on access.redaction_settings;
create policy "operators see all" on access.redaction_settings for select to concierge_admin using (true);

grant select on access.redaction_rules, access.redaction_settings to concierge_app, concierge_admin;

call access.audit_table('access.redaction_rules', 'rule_id');
call access.audit_table('access.redaction_settings', 'tenant_id');
