create or replace function model.upkeep(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select model.expire_reservations();
    select model.judge_rollouts();
    select chat.forget_answers();
end;

comment on function model.upkeep(bigint, jsonb) is 'Continuation of schedule model.upkeep: gives back what nobody spent, judges rollouts, and
forgets answers that have expired.';
-- Granted to nobody: queue.finish calls it.

do $$
begin
    perform queue.set_schedule('model.upkeep', 'every 5 minutes', 'call', '{}', 'model.upkeep');
end
$$;
