-- A NOTIFY takes a lock on the whole cluster at commit (about 300 inserts a second at 64 writers instead of
-- 2,400, measured). So a transaction that finds another notifier in flight leaves it to that one: at worst
-- the job waits for the next poll.
--
-- Without a pinned search_path, which would cost an insert a tenth: every name says its schema, and it may do
-- nothing its caller may not.
create or replace function queue.wake()
    returns void
    language plpgsql volatile
as $$
begin
    if pg_catalog.pg_try_advisory_xact_lock(
        pg_catalog.hashtext('concierge'), pg_catalog.hashtext('queue_job'))
    then
        perform pg_catalog.pg_notify('queue_job', '');
    end if;
end
$$;

comment on function queue.wake() is
    'Has the daemons look once this transaction is committed, unless another one is about to.';
-- Granted to nobody: only what changes the queue wakes its workers.

create or replace function queue.tg__notify()
    returns trigger
    language plpgsql volatile
as $$
begin
    -- As queue.wake, whose call would cost every insert.
    if pg_catalog.pg_try_advisory_xact_lock(
        pg_catalog.hashtext('concierge'), pg_catalog.hashtext('queue_job'))
    then
        perform pg_catalog.pg_notify('queue_job', '');
    end if;
    return null;
end
$$;

comment on function queue.tg__notify() is 'Statement trigger: wakes daemons.';

create or replace trigger notify after insert on queue.job
    for each statement execute function queue.tg__notify();
