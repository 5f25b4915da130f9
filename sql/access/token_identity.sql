-- The one place where a token is believed. HS256 only: "none" and asymmetric algorithms are refused by
-- name, so that a token cannot choose how it is checked. Times are compared with the real clock: a set
-- one revives nothing.
--
-- Nothing in it is parsed before its signature is verified, only the name of the key is picked out. So there
-- is nothing to catch: an exception block is a subtransaction, and a parallel query refuses to start one.
create or replace function access.token_identity(token text)
    returns access.identity
    language plpgsql stable security definer parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_parts    text[] := string_to_array(token, '.');
    v_claims   jsonb;
    v_key      access.token_keys;
    v_identity access.identity;
begin
    if token is null then
        perform access.refuse('QC401', 'nobody is signed in',
            'Call access.sign_in(token) in this transaction, or set request.jwt to a signed token.');
    end if;
    -- The last part is a code of 32 bytes; no base64 text is one longer than a multiple of four.
    if length(token) > 8192 or token ~ '[^A-Za-z0-9._-]' or cardinality(v_parts) <> 3
        or length(v_parts[1]) % 4 = 1 or length(v_parts[2]) % 4 = 1 or length(v_parts[3]) <> 43
    then
        perform access.refuse('QC403', 'the token is not valid',
            'A token is three base64url texts separated by dots, at most 8192 characters.');
    end if;

    select k.* into v_key
    from access.token_keys as k
    where k.retired_at is null
        -- The next quoted word after "kid". Should it be another, that key has not signed this.
        and k.key_id = split_part(
            split_part(encode(access.base64url_decode(v_parts[1]), 'escape'), '"kid"', 2), '"', 2);

    -- Digests of the two codes are compared, not the codes: how long the comparison takes then tells nothing.
    if v_key.key_id is null
        or sha256(extensions.hmac(
                convert_to(v_parts[1] || '.' || v_parts[2], 'UTF8'), v_key.secret, 'sha256'))
            is distinct from sha256(access.base64url_decode(v_parts[3]))
    then
        perform access.refuse('QC403', 'the token is not valid',
            'Sign in again; its key, algorithm or signature does not match.');
    end if;

    -- From here on these are the words of who holds the key.
    if convert_from(access.base64url_decode(v_parts[1]), 'UTF8')::jsonb ->> 'alg'
        is distinct from 'HS256'
    then
        perform access.refuse('QC403', 'the token is not valid',
            'Sign in again; its key, algorithm or signature does not match.');
    end if;
    v_claims := convert_from(access.base64url_decode(v_parts[2]), 'UTF8')::jsonb;
    if jsonb_typeof(v_claims -> 'exp') is distinct from 'number'
        or coalesce(jsonb_typeof(v_claims -> 'nbf'), 'number') <> 'number'
        -- A date in milliseconds would be one that never comes.
        or (v_claims ->> 'exp')::numeric >= 253402300800
    then
        perform access.refuse('QC403', 'the token is not valid',
            'It needs an "exp" in seconds since 1970, before the year 10000; "nbf", when present, is one too.');
    end if;
    if (v_claims ->> 'exp')::numeric <= extract(epoch from now()) then
        perform access.refuse('QC402', 'the token has expired', 'Sign in again.');
    end if;
    if (v_claims ->> 'nbf')::numeric > extract(epoch from now()) then
        perform access.refuse('QC403', 'the token is not valid yet',
            'Wait until its "nbf", or check the clock of the issuer.');
    end if;

    select p.tenant_id, p.person_id, p.subject, p.roles, to_timestamp((v_claims ->> 'exp')::float8)
    into v_identity
    from access.tenants as t
    join access.people as p on p.tenant_id = t.tenant_id and p.subject = v_claims ->> 'sub'
    where t.slug = v_claims ->> 'tenant'
        and t.disabled_at is null and p.disabled_at is null
        and (v_key.tenant_id is null or v_key.tenant_id = t.tenant_id);

    if v_identity.person_id is null then
        perform access.refuse('QC403', 'the token is not valid',
            'It names nobody active here, or its key may not vouch for that tenant.');
    end if;
    return v_identity;
end
$$;

comment on function access.token_identity(text) is
    'Whom an HS256 JSON web token speaks for. Claims: tenant (slug), sub, exp, optional nbf; header:
alg HS256, kid.
Errors: QC401 null, QC402 expired, QC403 malformed, forged, unknown or disabled; 22P02 signed, but not JSON.
RFC 7519, RFC 7515.';

grant execute on function access.token_identity(text) to concierge_app, concierge_admin;
