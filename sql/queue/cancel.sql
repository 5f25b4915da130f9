create or replace function queue.cancel(job_id bigint)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job queue.job;
begin
    select j.* into v_job from queue.job as j where j.job_id = cancel.job_id for update;
    if not found then
        return false;
    elsif v_job.state <> 'running' then
        perform queue.end_cancelled(v_job);
        return true;
    end if;
    -- Its worker may be about to end it: then it is done, and no harm.
    update queue.job as j set cancel_requested = true where j.job_id = cancel.job_id;
    perform queue.wake();
    return true;
end
$$;

comment on function queue.cancel(bigint) is
    'Takes a job back: at once when it does not run, else by asking its worker to stop, who may be done first.
False when there is none.';

grant execute on function queue.cancel(bigint) to concierge_admin;
