-- An app that speaks for its attendees has role service; who may do everything in a tenant
-- has role organizer.
create or replace function access.has_role(variadic wanted text[])
    returns boolean
    language sql stable parallel safe
return (access.me()).roles && wanted;

comment on function access.has_role(text[]) is
    'Whether the signed-in person has one of the roles. Errors: QC401, QC402, QC403.';

grant execute on function access.has_role(text[]) to concierge_app, concierge_admin;

create or replace function access.require_role(variadic wanted text[])
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if not access.has_role(variadic wanted) then
        perform access.refuse('QC405', format('this needs role %s', array_to_string(wanted, ' or ')),
            'Ask an administrator for the role, or sign in as someone who has it.');
    end if;
end
$$;

comment on function access.require_role(text[]) is
    'Refuses (QC405) unless the signed-in person has one of the roles.';

grant execute on function access.require_role(text[]) to concierge_app, concierge_admin;
