create or replace function knowledge.upkeep(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.forget_results();
    -- What came while another transaction was about to ask, and was not seen by the count it asked for.
    select knowledge.have_words_counted(w.workspace_id)
    from (select distinct u.workspace_id from knowledge.uncounted as u) as w;
end;

comment on function knowledge.upkeep(bigint, jsonb) is
    'Continuation of schedule knowledge.upkeep: forgets old results, and has counted what nobody has.';
-- Granted to nobody: queue.finish calls it.

do $$
begin
    perform queue.set_schedule('knowledge.upkeep', 'every 5 minutes', 'call', '{}', 'knowledge.upkeep');
end
$$;
