-- Operators read the queue; apps see the effects of their jobs in their own tables, the daemon works
-- by functions only.
drop policy if exists "operators see all" on queue.job;
create policy "operators see all" on queue.job for select to concierge_admin using (true);
drop policy if exists "operators see all" on queue.refresh;
create policy "operators see all" on queue.refresh for select to concierge_admin using (true);

grant select on queue.job, queue.refresh to concierge_admin;
