create or replace function queue.enqueue(
    kind text, payload jsonb default '{}', continuation text default null, run_at timestamptz default now(),
    key text default null, tenant_id uuid default null, max_attempts int default 5
)
    returns bigint
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_job_id bigint;
begin
    if continuation is not null and to_regprocedure(continuation || '(bigint, jsonb)') is null then
        perform access.refuse('QC212',
            format('there is no function %s(bigint, jsonb) to continue with', continuation),
            'Name a function that takes the job id and the result.');
    end if;

    -- Again when a live job had the key at the insert and was finished at the look.
    while v_job_id is null loop
        insert into queue.job (kind, payload, continuation, run_at, key, tenant_id, max_attempts)
        values (enqueue.kind, enqueue.payload, enqueue.continuation, enqueue.run_at, enqueue.key,
            enqueue.tenant_id, enqueue.max_attempts)
        on conflict (key) where key is not null and state in ('ready', 'running') do nothing
        returning job_id into v_job_id;

        if v_job_id is null then
            select j.job_id into v_job_id from queue.job as j
            where j.key = enqueue.key and j.state in ('ready', 'running');
        end if;
    end loop;
    return v_job_id;
end
$$;

comment on function queue.enqueue(text, jsonb, text, timestamptz, text, uuid, int) is
    'Adds an effect to be performed at or after run_at; its result goes to the continuation. With a key that a
live job has, returns that job. Errors: QC212 unknown continuation, 23514 unknown kind.';
-- Granted to nobody: only functions of the owner decide on effects.
