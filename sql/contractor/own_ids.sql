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

comment on function contractor.own_ids() is
    'The contractors the signed-in person is. Errors: QC401, QC402, QC403.';

grant execute on function contractor.own_ids() to concierge_app;
