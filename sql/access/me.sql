-- Proved anew in every query: the parameter may have been set by anyone, only a verified token counts.
create or replace function access.me()
    returns access.identity
    language plpgsql stable security definer parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- An empty string is what a transaction-local setting leaves behind.
    v_token text := nullif(current_setting('request.jwt', true), '');
begin
    if v_token is null then
        perform access.refuse('QC401', 'nobody is signed in',
            'Call access.sign_in(token) in this transaction, or set request.jwt to a signed token.');
    end if;
    return access.token_identity(v_token);
end
$$;

comment on function access.me() is
    'The identity proved by the token in request.jwt. Errors: QC401 no token, QC402 expired, QC403 not valid.';

grant execute on function access.me() to concierge_app, concierge_admin;
