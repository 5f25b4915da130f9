-- Attendees act for themselves; an organizer, or an app's service account, for anyone of the tenant.
create or replace function contractor.require_own(contractor_id uuid)
    returns contractor.contractors
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
begin
    if v_contractor.person_id is distinct from access.person_id() and not access.has_role('organizer', 'service') then
        perform access.refuse('QC405', 'this is another contractor''s', 'Sign in as that contractor, or as an organizer or service.');
    end if;
    return v_contractor;
end
$$;

comment on function contractor.require_own(uuid) is
    'The contractor, if the signed-in person may act for them. Errors: 22004 null, QC202 unknown contractor, QC405 someone else''s.';

grant execute on function contractor.require_own(uuid) to concierge_app;

-- The contractors whose private rows the signed-in person reads: their own.
create or replace function contractor.own_ids()
    returns uuid[]
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(c.contractor_id), '{}')
    from contractor.contractors as c
    where c.person_id = (select access.person_id());
end;

comment on function contractor.own_ids() is 'The contractors the signed-in person is. Errors: QC401, QC402, QC403.';

grant execute on function contractor.own_ids() to concierge_app;
