-- Security invoker: row-level security decides which collections can be named at all.
create or replace function evaluation.collection_id(slug text)
    returns bigint
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_collection_id bigint := (
        select c.collection_id
        from evaluation.collections as c
        where c.slug = collection_id.slug and c.tenant_id = (select access.tenant_id()));
begin
    if v_collection_id is null then
        perform access.refuse('QC241', format('there is no collection "%s"', slug),
            'Collections are listed in evaluation.collections; evaluation.load_collection makes one.');
    end if;
    return v_collection_id;
end
$$;

comment on function evaluation.collection_id(text) is
    'The id of the collection with this slug. Errors: QC241 unknown collection.';

grant execute on function evaluation.collection_id(text) to concierge_app;

-- Security invoker, too: apps find their tenant's runs, operators everyone's.
create or replace function evaluation.run(run_id bigint)
    returns evaluation.runs
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_run evaluation.runs;
begin
    select r.* into v_run from evaluation.runs as r where r.run_id = run.run_id;
    if v_run.run_id is null then
        perform access.refuse('QC242', format('there is no run %s', run_id),
            'Runs are listed in evaluation.runs.');
    end if;
    return v_run;
end
$$;

comment on function evaluation.run(bigint) is 'The run with this id. Errors: QC242 unknown run.';

grant execute on function evaluation.run(bigint) to concierge_app, concierge_admin;
