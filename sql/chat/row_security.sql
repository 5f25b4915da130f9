-- Patterns are the same for all tenants; an operator reads them, functions use them as the owner.
drop policy if exists "operators see all" on chat.message_patterns;
create policy "operators see all" on chat.message_patterns for select to concierge_admin using (true);

grant select on chat.message_patterns to concierge_admin;

-- Who asks sees what they asked; an operator sees how it went.
do $$
declare
    v_table text;
begin
    foreach v_table in array array['conversations', 'turns', 'turn_events', 'records', 'consents'] loop
        execute format('drop policy if exists "operators see all" on chat.%I', v_table);
        execute format('create policy "operators see all" on chat.%I for select to concierge_admin using (true)', v_table);
        execute format('drop policy if exists "people see their own" on chat.%I', v_table);
        execute format('grant select on chat.%I to concierge_admin, concierge_app', v_table);
    end loop;
end
$$;
create policy "people see their own" on chat.conversations for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and person_id = (select access.person_id()));
create policy "people see their own" on chat.turns for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and person_id = (select access.person_id()));
create policy "people see their own" on chat.turn_events for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and turn_id in (
        select t.turn_id from chat.turns as t where t.person_id = (select access.person_id())));

create policy "people see their own" on chat.consents for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and person_id = (select access.person_id()));
create policy "people see their own" on chat.records for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and turn_id in (
        select t.turn_id from chat.turns as t where t.person_id = (select access.person_id())));

-- Granted to nobody else: what may be given again is the functions' matter.
drop policy if exists "operators see all" on chat.known_answers;
create policy "operators see all" on chat.known_answers for select to concierge_admin using (true);
grant select on chat.known_answers to concierge_admin;

call access.audit_table('chat.conversations', 'conversation_id');
call access.audit_table('chat.consents', 'person_id');
