-- What every policy asks. Wrapped there as (select access.tenant_id()), so that it runs once a query and not
-- once a row.
create or replace function access.tenant_id()
    returns uuid
    language sql stable parallel safe
return (access.me()).tenant_id;

comment on function access.tenant_id() is
    'The tenant of the signed-in person. Raises when nobody is: never null, never everything.
Errors: QC401, QC402, QC403.';

grant execute on function access.tenant_id() to concierge_app, concierge_admin;
