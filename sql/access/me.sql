-- Proved anew in every query: the parameter may have been set by anyone, only a verified token counts. A
-- plain expression, so that a policy calls one function and not three.
create or replace function access.me()
    returns access.identity
    language sql stable parallel safe
-- An empty string is what a transaction-local setting leaves behind.
return access.token_identity(nullif(current_setting('request.jwt', true), ''));

comment on function access.me() is
    'The identity proved by the token in request.jwt.
Errors: QC401 no token, QC402 expired, QC403 not valid.';

grant execute on function access.me() to concierge_app, concierge_admin;
