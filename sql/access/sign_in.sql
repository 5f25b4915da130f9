-- Local to the transaction by default, because a pooled connection goes to somebody else after commit.
create or replace function access.sign_in(token text, for_session boolean default false)
    returns jsonb
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_identity access.identity := access.token_identity(token);
begin
    perform set_config('request.jwt', token, not for_session);
    return to_jsonb(v_identity);
end
$$;

comment on function access.sign_in(text, boolean) is
    'Checks a token and makes it the transaction''s, or with for_session the session''s. Returns
{tenant_id, person_id, subject, roles, expires_at}. Errors: QC401 null, QC402 expired, QC403 not valid.';

grant execute on function access.sign_in(text, boolean) to concierge_app, concierge_admin;

create or replace function access.whoami()
    returns jsonb
    language sql stable
return to_jsonb(access.me());

comment on function access.whoami() is
    'Who is signed in: {tenant_id, person_id, subject, roles, expires_at}. Errors: QC401, QC402, QC403.';

grant execute on function access.whoami() to concierge_app, concierge_admin;
