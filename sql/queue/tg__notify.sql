-- A NOTIFY takes a lock on the whole cluster at commit (about 300 inserts a second at 64 writers instead of
-- 2,400, measured). So a transaction that finds another notifier in flight leaves it to that one: at worst
-- the job waits for the next poll.
create or replace function queue.tg__notify()
    returns trigger
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    if pg_try_advisory_xact_lock(hashtext('concierge'), hashtext('queue_job')) then
        perform pg_notify('queue_job', '');
    end if;
    return null;
end
$$;

comment on function queue.tg__notify() is
    'Statement trigger: wakes daemons, unless another transaction is about to.';

create or replace trigger notify after insert on queue.job
    for each statement execute function queue.tg__notify();
