-- Patterns are the same for all tenants; an operator reads them, functions use them as the owner.
drop policy if exists "operators see all" on chat.message_patterns;
create policy "operators see all" on chat.message_patterns for select to concierge_admin using (true);

grant select on chat.message_patterns to concierge_admin;
