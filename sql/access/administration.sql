-- What an operator does before an app can sign anybody in. Idempotent by their keys, so that a script can
-- be run again.
create or replace function access.create_tenant(slug text, name text)
    returns uuid
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into access.tenants as t (slug, name)
    values (create_tenant.slug, create_tenant.name)
    on conflict (slug) do update set name = excluded.name
    returning t.tenant_id;
end;

comment on function access.create_tenant(text, text) is
    'Makes a tenant, or renames the one with this slug; returns its id.';

create or replace function access.create_person(
    tenant text, subject text, name text, roles text[] default '{attendee}', email text default null
)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_tenant_id uuid := (select t.tenant_id from access.tenants as t where t.slug = create_person.tenant);
    v_person_id uuid;
begin
    if v_tenant_id is null then
        perform access.refuse('QC202', format('there is no tenant "%s"', tenant),
            'Make it with access.create_tenant(slug, name).');
    end if;

    insert into access.people as p (tenant_id, subject, name, roles, email)
    values (v_tenant_id, create_person.subject, create_person.name, create_person.roles, create_person.email)
    on conflict (tenant_id, subject) do update
        set name = excluded.name, roles = excluded.roles, email = excluded.email
    returning p.person_id into v_person_id;
    return v_person_id;
end
$$;

comment on function access.create_person(text, text, text, text[], text) is
    'Makes a person of a tenant (named by slug), or updates the one with this subject; returns their id.
Errors: QC202 unknown tenant, 23514 unknown role.';

-- Apart from create_person, so that a provisioning script run again revives nobody.
create or replace function access.disable_person(tenant text, subject text, disabled boolean default true)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with changed as (
        update access.people as p
        set disabled_at = case when disable_person.disabled then now() end
        from access.tenants as t
        where t.tenant_id = p.tenant_id and t.slug = disable_person.tenant
            and p.subject = disable_person.subject
            and (p.disabled_at is not null) <> disable_person.disabled
        returning p.person_id
    )
    select exists (select from changed);
end;

comment on function access.disable_person(text, text, boolean) is
    'Refuses a person''s tokens from now on, or with disabled => false accepts them again; false when there
was nothing to change.';

create or replace function access.disable_tenant(slug text, disabled boolean default true)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with changed as (
        update access.tenants as t
        set disabled_at = case when disable_tenant.disabled then now() end
        where t.slug = disable_tenant.slug and (t.disabled_at is not null) <> disable_tenant.disabled
        returning t.tenant_id
    )
    select exists (select from changed);
end;

comment on function access.disable_tenant(text, boolean) is
    'Refuses all tokens of a tenant from now on, or with disabled => false accepts them again; false when
there was nothing to change.';

-- The secret may be given, so that an issuer outside the database signs with it; otherwise it is drawn here
-- and never shown.
create or replace function access.create_token_key(
    key_id text, secret bytea default null, tenant text default null
)
    returns text
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id uuid := (select t.tenant_id from access.tenants as t where t.slug = create_token_key.tenant);
begin
    if tenant is not null and v_tenant_id is null then
        perform access.refuse('QC202', format('there is no tenant "%s"', tenant),
            'Make it with access.create_tenant(slug, name).');
    end if;

    -- A token's key is looked up before anything in the token is believed, without a JSON parser: so no
    -- quotes, no escapes.
    if key_id !~ '^[A-Za-z0-9._:-]+$' then
        perform access.refuse('23514', format('"%s" cannot be the id of a key', key_id),
            'Use letters, digits, dots, dashes, colons and _.');
    end if;

    insert into access.token_keys (key_id, secret, tenant_id)
    values (create_token_key.key_id,
        coalesce(create_token_key.secret, extensions.gen_random_bytes(32)), v_tenant_id);
    return key_id;
end
$$;

comment on function access.create_token_key(text, bytea, text) is
    'Adds a key that tokens may be signed with: 32 bytes or more, random when none is given, for one tenant
when one is named.
Errors: QC202 unknown tenant, 23505 the key id is taken, 23514 an id with other characters than letters,
digits and ._:-, or a short secret.';

create or replace function access.retire_token_key(key_id text)
    returns boolean
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with retired as (
        update access.token_keys as k set retired_at = now()
        where k.key_id = retire_token_key.key_id and k.retired_at is null
        returning k.key_id
    )
    select exists (select from retired);
end;

comment on function access.retire_token_key(text) is
    'Refuses all tokens signed with this key from now on; false when there is no such active key.';

-- Signs as an identity provider would: for the command line, demos and tests.
create or replace function access.issue_token(tenant text, subject text, lifetime interval default '1 hour')
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_key  access.token_keys;
    v_body text;
begin
    if not exists (
        select from access.people as p
        join access.tenants as t using (tenant_id)
        where t.slug = issue_token.tenant and p.subject = issue_token.subject
    ) then
        perform access.refuse('QC202', format('there is no person "%s" in tenant "%s"', subject, tenant),
            'Make them with access.create_person(tenant, subject, name).');
    end if;

    select k.* into v_key
    from access.token_keys as k
    left join access.tenants as t using (tenant_id)
    where k.retired_at is null and (k.tenant_id is null or t.slug = issue_token.tenant)
    order by k.tenant_id nulls last, k.created_at desc
    limit 1;
    if v_key.key_id is null then
        perform access.refuse('QC202', 'there is no active key to sign with',
            'Make one with access.create_token_key(key_id).');
    end if;

    v_body := access.base64url_encode(convert_to(jsonb_build_object(
            'alg', 'HS256', 'typ', 'JWT', 'kid', v_key.key_id)::text, 'UTF8'))
        || '.' || access.base64url_encode(convert_to(jsonb_build_object(
            'tenant', tenant, 'sub', subject,
            'iat', floor(extract(epoch from now())),
            'exp', floor(extract(epoch from now() + lifetime)))::text, 'UTF8'));
    return v_body || '.'
        || access.base64url_encode(extensions.hmac(convert_to(v_body, 'UTF8'), v_key.secret, 'sha256'));
end
$$;

comment on function access.issue_token(text, text, interval) is
    'An HS256 token for a person of a tenant, signed with the tenant''s newest key.
Errors: QC202 unknown person or no key.';

grant execute on function access.create_tenant(text, text)                          to concierge_admin;
grant execute on function access.create_person(text, text, text, text[], text)      to concierge_admin;
grant execute on function access.disable_person(text, text, boolean)                to concierge_admin;
grant execute on function access.disable_tenant(text, boolean)                      to concierge_admin;
grant execute on function access.create_token_key(text, bytea, text)                to concierge_admin;
grant execute on function access.retire_token_key(text)                             to concierge_admin;
grant execute on function access.issue_token(text, text, interval)                  to concierge_admin;
-- Not to concierge_app: whoever can issue tokens is every tenant.
