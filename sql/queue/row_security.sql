-- Operators read the queue; apps see the effects of their jobs in their own tables, the daemon works by
-- functions only.
do $$
declare
    v_table regclass;
begin
    foreach v_table in array array['queue.job', 'queue.refresh', 'queue.setting', 'queue.worker', 'queue.history',
        'queue.dead_letter', 'queue.floor', 'queue.closed_gate', 'queue.concurrency_limit', 'queue.rate_limit',
        'queue.breaker_state', 'queue.schedule', 'queue.upkeep_state', 'queue.emission']::regclass[]
    loop
        execute format('drop policy if exists "operators see all" on %s', v_table);
        execute format('create policy "operators see all" on %s for select to concierge_admin using (true)', v_table);
        execute format('grant select on %s to concierge_admin', v_table);
    end loop;
end
$$;

grant execute on function queue.kinds() to concierge_admin;
