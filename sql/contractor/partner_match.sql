create or replace function contractor.partner_match(contractor_id uuid, max_items int default 12)
    returns table (
        partner_id uuid, key text, name text, category text, description text,
        score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
begin
    return query
        select p.partner_id, p.key::text, p.name, p.category, p.description, w.score,
            event.explain_sum('{goal,similarity,region}', array[v.goal, v.likeness, v.region]::real[],
                '{0.4,0.3,0.3}')
        from contractor.strategic_partners as p
        cross join lateral (
            select
                case when v_contractor.goal = any (p.goals) then 1 else 0 end::double precision as goal,
                coalesce(greatest(
                    1 - (v_contractor.embedding operator(extensions.<=>) p.embedding), 0), 0) as likeness,
                event.match_listed(v_contractor.region, p.regions)::double precision as region
        ) as v
        cross join lateral (select 0.4 * v.goal + 0.3 * v.likeness + 0.3 * v.region as score) as w
        -- Said here, too: a turn that goes on in the daemon is under no policy.
        where p.tenant_id = v_contractor.tenant_id
        order by w.score desc, p.name, p.partner_id
        limit max_items;
end
$$;

comment on function contractor.partner_match(uuid, int) is
    'Partners a contractor could work with, best first: goal 0.4, likeness of texts 0.3, region 0.3, with
score in [0,1] and why.
Errors: 22004 null, QC202 unknown contractor, QC405 someone else''s.';

grant execute on function contractor.partner_match(uuid, int) to concierge_app;
