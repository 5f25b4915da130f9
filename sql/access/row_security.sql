-- Who reads which rows. Nobody below the owner writes to a table: writes go through functions.
drop policy if exists "people see their own tenant" on access.tenants;
create policy "people see their own tenant" on access.tenants for select to concierge_app
    using (tenant_id = (select access.tenant_id()));
drop policy if exists "operators see all" on access.tenants;
create policy "operators see all" on access.tenants for select to concierge_admin using (true);

drop policy if exists "people see themselves, organizers everyone of their tenant" on access.people;
create policy "people see themselves, organizers everyone of their tenant" on access.people
    for select to concierge_app
    using (tenant_id = (select access.tenant_id())
        and (person_id = (select access.person_id()) or (select access.has_role('organizer', 'service'))));
drop policy if exists "operators see all" on access.people;
create policy "operators see all" on access.people for select to concierge_admin using (true);

drop policy if exists "operators see all" on access.audit_log;
create policy "operators see all" on access.audit_log for select to concierge_admin using (true);

grant select on access.tenants, access.people to concierge_app, concierge_admin;
grant select on access.audit_log              to concierge_admin;
-- access.token_keys and access.idempotency_keys: granted to nobody.
