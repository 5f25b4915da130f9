-- Definers pass row-level security: the tenant is named here.
create or replace function evaluation.run_to_record(run_id bigint)
    returns evaluation.runs
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_run evaluation.runs;
begin
    perform access.require_role('organizer', 'service');
    select r.* into v_run from evaluation.runs as r
    where r.run_id = run_to_record.run_id and r.tenant_id = (select access.tenant_id())
    for no key update;
    if v_run.run_id is null then
        perform access.refuse('QC242', format('there is no run %s', run_id),
            'Runs are listed in evaluation.runs.');
    elsif v_run.finished_at is not null then
        perform access.refuse('QC441', format('run %s is finished', run_id),
            'Start another one with evaluation.start_run.');
    end if;
    return v_run;
end
$$;

comment on function evaluation.run_to_record(bigint) is
    'The run of the signed-in person''s tenant, locked, while it may still be added to. Errors: QC242 unknown run, QC405,
QC441 it is finished.';
-- Granted to nobody: the functions that record call it.
