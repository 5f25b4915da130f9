-- A document is its audience's; what was made of it is read by search alone, which looks at the same number.
do $$
declare
    v_table text;
begin
    foreach v_table in array array['workspaces', 'generations', 'clearances', 'audiences', 'documents', 'chunks', 'chunk_words',
        'lexical', 'terms', 'statistics', 'uncounted', 'embeddings', 'pending_vectors', 'document_embeddings',
        'indexes', 'routes', 'content_changes', 'found_before', 'query_vectors',
        'sites', 'site_pages', 'watches', 'changed_rows']
    loop
        execute format('drop policy if exists "operators see all" on knowledge.%I', v_table);
        execute format('create policy "operators see all" on knowledge.%I for select to concierge_admin using (true)', v_table);
        execute format('grant select on knowledge.%I to concierge_admin', v_table);
    end loop;
end
$$;

drop policy if exists "people see their own tenant" on knowledge.workspaces;
create policy "people see their own tenant" on knowledge.workspaces for select to concierge_app
    using (tenant_id = (select access.tenant_id()));
drop policy if exists "people see their own tenant" on knowledge.generations;
create policy "people see their own tenant" on knowledge.generations for select to concierge_app
    using (tenant_id = (select access.tenant_id()));
drop policy if exists "people see their own" on knowledge.clearances;
create policy "people see their own" on knowledge.clearances for select to concierge_app
    using (tenant_id = (select access.tenant_id())
        and (person_id = (select access.person_id()) or (select access.has_role('organizer', 'service'))));
drop policy if exists "people see what is for them" on knowledge.documents;
create policy "people see what is for them" on knowledge.documents for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and audience_id = any ((select knowledge.my_audiences())::bigint[])
        and workspace_id in (select w.workspace_id from knowledge.workspaces as w));
drop policy if exists "people see what is for them" on knowledge.chunks;
create policy "people see what is for them" on knowledge.chunks for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and (workspace_id, document_id) in (
        select d.workspace_id, d.document_id from knowledge.documents as d));

drop policy if exists "who fills workspaces sees their sites" on knowledge.sites;
create policy "who fills workspaces sees their sites" on knowledge.sites for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and (select access.has_role('organizer', 'service')));
drop policy if exists "who fills workspaces sees their sites" on knowledge.site_pages;
create policy "who fills workspaces sees their sites" on knowledge.site_pages for select to concierge_app
    using (tenant_id = (select access.tenant_id()) and (select access.has_role('organizer', 'service')));

grant select on knowledge.sites, knowledge.site_pages, knowledge.workspaces, knowledge.generations, knowledge.clearances, knowledge.documents,
    knowledge.chunks to concierge_app;
-- chunk_words, lexical, terms, statistics, uncounted, embeddings: not to apps, who search.

call access.audit_table('knowledge.workspaces', 'workspace_id');
call access.audit_table('knowledge.generations', 'generation_id');
call access.audit_table('knowledge.clearances', 'person_id');
call access.audit_table('knowledge.sites', 'site_id');
call access.audit_table('knowledge.watches', 'watch_id');
-- Documents are written in their partitions, past any trigger here: who adds or removes some notes it.
