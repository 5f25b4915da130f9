-- Partners are their tenant's; a contractor's profile, and what they promised, noted or want to be told, is
-- their own and the organizers'.
do $$
declare
    v_table text;
begin
    foreach v_table in array
        array['contractors', 'strategic_partners', 'learning_items', 'contractor_action_items', 'event_notes', 'follow_ups']
    loop
        execute format('drop policy if exists "people see their own tenant" on contractor.%I', v_table);
        execute format('create policy "people see their own tenant" on contractor.%I
            for select to concierge_app
            using (tenant_id = (select access.tenant_id()))', v_table);
        execute format('drop policy if exists "operators see all" on contractor.%I', v_table);
        execute format('create policy "operators see all" on contractor.%I
            for select to concierge_admin using (true)', v_table);
    end loop;

    -- Restrictive: on top of the tenant, never instead of it.
    foreach v_table in array array['contractors', 'contractor_action_items', 'event_notes', 'follow_ups'] loop
        execute format('drop policy if exists "contractors see their own" on contractor.%I', v_table);
        execute format('create policy "contractors see their own" on contractor.%I
            as restrictive for select to concierge_app
            using ((select access.has_role(''organizer'', ''service''))
                or contractor_id = any ((select contractor.own_ids())::uuid[]))', v_table);
    end loop;
end
$$;

grant select on contractor.contractors, contractor.strategic_partners, contractor.learning_items, contractor.contractor_action_items,
    contractor.event_notes, contractor.follow_ups to concierge_app, concierge_admin;

call access.audit_table('contractor.contractors', 'contractor_id');
call access.audit_table('contractor.strategic_partners', 'partner_id');
call access.audit_table('contractor.learning_items', 'learning_item_id');
call access.audit_table('contractor.contractor_action_items', 'action_item_id');
call access.audit_table('contractor.event_notes', 'note_id');
call access.audit_table('contractor.follow_ups', 'follow_up_id');
