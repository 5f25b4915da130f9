-- Collections, and what was found for them, are their tenant's.
do $$
declare
    v_table text;
begin
    foreach v_table in array array['collections', 'queries', 'judgements', 'runs', 'results'] loop
        execute format('drop policy if exists "people see their own tenant" on evaluation.%I', v_table);
        execute format('create policy "people see their own tenant" on evaluation.%I
            for select to concierge_app
            using (tenant_id = (select access.tenant_id()))', v_table);
        execute format('drop policy if exists "operators see all" on evaluation.%I', v_table);
        execute format('create policy "operators see all" on evaluation.%I
            for select to concierge_admin using (true)', v_table);
    end loop;
end
$$;

grant select on evaluation.collections, evaluation.queries, evaluation.judgements, evaluation.runs, evaluation.results
    to concierge_app, concierge_admin;

call access.audit_table('evaluation.collections', 'collection_id');
