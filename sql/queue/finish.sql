-- The result takes effect exactly once: the continuation runs in this transaction, and a stale
-- token changes nothing.
create or replace function queue.finish(job_id bigint, token bigint, result jsonb default '{}')
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_continuation text;
begin
    update queue.job as j
    set state = 'done', result = finish.result, finished_at = now(), leased_until = null, last_error = null
    where j.job_id = finish.job_id and j.token = finish.token and j.state = 'running'
    returning j.continuation into v_continuation;
    if not found then
        return false;
    end if;

    if v_continuation is not null then
        -- Resolved to a function first: the text came from queue.enqueue, but is not trusted as SQL.
        execute format('select %s($1, $2)', (v_continuation || '(bigint, jsonb)')::regprocedure::regproc)
        using finish.job_id, finish.result;
    end if;
    return true;
end
$$;

comment on function queue.finish(bigint, bigint, jsonb) is
    'Ends a job with its result and runs its continuation, in one transaction. False when the
token is stale.';

grant execute on function queue.finish(bigint, bigint, jsonb) to concierge_worker;
