-- The one place where a token is believed. HS256 only: "none" and asymmetric algorithms are refused by name, so that a
-- token cannot choose how it is checked. Times are compared with the real clock: a set one revives nothing.
create or replace function access.token_identity(token text)
    returns access.identity
    language plpgsql stable security definer parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts    text[] := string_to_array(token, '.');
    v_header   jsonb;
    v_claims   jsonb;
    v_mac      bytea;
    v_key      access.token_keys;
    v_identity access.identity;
begin
    if array_length(v_parts, 1) is distinct from 3 then
        perform access.refuse('QC403', 'the token is not valid', 'A token has three parts separated by dots.');
    end if;

    begin
        v_header := convert_from(access.base64url_decode(v_parts[1]), 'UTF8')::jsonb;
        v_claims := convert_from(access.base64url_decode(v_parts[2]), 'UTF8')::jsonb;
        v_mac    := access.base64url_decode(v_parts[3]);
    exception
        when invalid_parameter_value or invalid_text_representation or character_not_in_repertoire
            or untranslatable_character or invalid_binary_representation then
            perform access.refuse('QC403', 'the token is not valid', 'Its parts are not base64url-encoded JSON.');
    end;

    select k.* into v_key
    from access.token_keys as k
    where k.key_id = v_header ->> 'kid' and k.retired_at is null;

    -- Digests of the two codes are compared, not the codes: how long the comparison takes then tells nothing.
    if v_header ->> 'alg' is distinct from 'HS256' or v_key.key_id is null
        or sha256(extensions.hmac(convert_to(v_parts[1] || '.' || v_parts[2], 'UTF8'), v_key.secret, 'sha256'))
            is distinct from sha256(v_mac)
    then
        perform access.refuse('QC403', 'the token is not valid', 'Sign in again; its key, algorithm or signature does not match.');
    end if;

    if jsonb_typeof(v_claims -> 'exp') is distinct from 'number'
        or coalesce(jsonb_typeof(v_claims -> 'nbf'), 'number') <> 'number' then
        perform access.refuse('QC403', 'the token is not valid', 'It needs a numeric "exp", and "nbf" must be numeric when present.');
    end if;
    if (v_claims ->> 'exp')::numeric <= extract(epoch from now()) then
        perform access.refuse('QC402', 'the token has expired', 'Sign in again.');
    end if;
    if (v_claims ->> 'nbf')::numeric > extract(epoch from now()) then
        perform access.refuse('QC403', 'the token is not valid yet', 'Wait until its "nbf", or check the clock of the issuer.');
    end if;

    select p.tenant_id, p.person_id, p.subject, p.roles, to_timestamp((v_claims ->> 'exp')::float8)
    into v_identity
    from access.tenants as t
    join access.people as p on p.tenant_id = t.tenant_id and p.subject = v_claims ->> 'sub'
    where t.slug = v_claims ->> 'tenant'
        and t.disabled_at is null and p.disabled_at is null
        and (v_key.tenant_id is null or v_key.tenant_id = t.tenant_id);

    if v_identity.person_id is null then
        perform access.refuse('QC403', 'the token is not valid', 'It names nobody active here, or its key may not vouch for that tenant.');
    end if;
    return v_identity;
end
$$;

comment on function access.token_identity(text) is
    'Whom an HS256 JSON web token speaks for. Claims: tenant (slug), sub, exp, optional nbf; header: alg HS256, kid.
Errors: QC402 expired, QC403 malformed, forged, unknown or disabled. RFC 7519, RFC 7515.';

grant execute on function access.token_identity(text) to concierge_app, concierge_admin;
