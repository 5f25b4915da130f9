-- A tenant's calls and budgets are its own; who is asked, and what for, is the operators' to know.
do $$
declare
    v_table text;
begin
    foreach v_table in array array['providers', 'models', 'prices', 'calls', 'budgets', 'spending', 'reservations',
        'prompt_versions', 'prompt_labels', 'agent_versions', 'rollouts', 'assignments']
    loop
        execute format('drop policy if exists "operators see all" on model.%I', v_table);
        execute format('create policy "operators see all" on model.%I for select to concierge_admin using (true)', v_table);
        execute format('grant select on model.%I to concierge_admin', v_table);
    end loop;
end
$$;

drop policy if exists "organizers see their tenant's" on model.budgets;
create policy "organizers see their tenant's" on model.budgets for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and (select access.has_role('organizer', 'service')));
drop policy if exists "organizers see their tenant's" on model.spending;
create policy "organizers see their tenant's" on model.spending for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and (select access.has_role('organizer', 'service')));
drop policy if exists "organizers see their tenant's" on model.calls;
create policy "organizers see their tenant's" on model.calls for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and (select access.has_role('organizer', 'service')));

grant select on model.budgets, model.spending, model.calls to concierge_app;
-- Granted to nobody: providers, models, prices, reservations.

do $$
declare
    v_table text;
begin
    foreach v_table in array array['prompt_versions', 'prompt_labels', 'agent_versions', 'rollouts', 'assignments'] loop
        execute format('drop policy if exists "organizers see their tenant''s" on model.%I', v_table);
        execute format('create policy "organizers see their tenant''s" on model.%I for select to concierge_app
            using (tenant_id = (select access.tenant_id()) and (select access.has_role(''organizer'', ''service'')))', v_table);
        execute format('grant select on model.%I to concierge_app', v_table);
    end loop;
end
$$;

call access.audit_table('model.budgets', 'budget_id');
call access.audit_table('model.prompt_versions', 'prompt_version_id');
call access.audit_table('model.prompt_labels', 'name');
call access.audit_table('model.agent_versions', 'agent_version_id');
call access.audit_table('model.rollouts', 'rollout_id');
