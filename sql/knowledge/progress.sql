create or replace view knowledge.progress with (security_invoker = true) as
select t.slug as tenant, w.slug as workspace, d.created, d.processing, d.processed, d.error, w.waiting_vectors,
    p.pages_to_fetch, p.pages_failed, r.changed_rows, o.oldest, f.failures
from (
    select w.*, (
        select count(*) from knowledge.generations as g join knowledge.pending_vectors as v using (generation_id)
        where g.workspace_id = w.workspace_id) as waiting_vectors
    from knowledge.workspaces as w
) as w
join access.tenants as t on t.tenant_id = w.tenant_id
cross join lateral (
    select count(*) filter (where d.status = 'created') as created,
        count(*) filter (where d.status = 'processing') as processing,
        count(*) filter (where d.status = 'processed') as processed, count(*) filter (where d.status = 'error') as error,
        min(d.updated_at) filter (where d.status in ('created', 'processing')) as oldest
    from knowledge.documents as d where d.workspace_id = w.workspace_id
) as d
cross join lateral (
    select count(*) filter (where p.state = 'waiting' or p.run < s.run and p.state <> 'gone') as pages_to_fetch,
        count(*) filter (where p.state in ('failed', 'unreadable'))
            + count(distinct s.site_id) filter (where s.robots_error is not null)
            as pages_failed
    from knowledge.sites as s left join knowledge.site_pages as p using (site_id)
    where s.workspace_id = w.workspace_id
) as p
cross join lateral (
    select count(*) as changed_rows from knowledge.watches as x join knowledge.changed_rows as c using (watch_id)
    where x.workspace_id = w.workspace_id
) as r
cross join lateral (
    select now() - least(d.oldest, (
        select min(v.asked_at) from knowledge.generations as g join knowledge.pending_vectors as v using (generation_id)
        where g.workspace_id = w.workspace_id and v.failed is null)) as oldest
) as o
cross join lateral (
    -- Each reason once, the commonest first, with one it happened to.
    select coalesce(jsonb_agg(jsonb_build_object('what', e.what, 'error', e.error, 'count', e.count, 'one', e.one)
        order by e.count desc, e.what, e.error), '[]') as failures
    from (
        select u.what, u.error, count(*) as count, min(u.one) as one
        from (
            select 'document' as what, concat_ws(' ', n.sqlstate, n.error) as error, coalesce(n.key, n.document_id::text) as one
            from knowledge.documents as n where n.workspace_id = w.workspace_id and n.status = 'error'
            union all
            select 'vector' as what, v.failed, v.chunk_id::text
            from knowledge.generations as g join knowledge.pending_vectors as v using (generation_id)
            where g.workspace_id = w.workspace_id and v.failed is not null
            union all
            select 'page' as what, n.error, n.url
            from knowledge.sites as s join knowledge.site_pages as n using (site_id)
            where s.workspace_id = w.workspace_id and n.state in ('failed', 'unreadable')
            union all
            select 'robots.txt' as what, s.robots_error, s.url from knowledge.sites as s
            where s.workspace_id = w.workspace_id and s.robots_error is not null
            union all
            select 'table' as what, coalesce(knowledge.why_not_indexed(x), x.error), x.name from knowledge.watches as x
            where x.workspace_id = w.workspace_id and coalesce(knowledge.why_not_indexed(x), x.error) is not null
        ) as u
        group by u.what, u.error
        order by count(*) desc, u.what, u.error
        limit 10
    ) as e
) as f;

comment on view knowledge.progress is
    'How far each workspace is: documents by status, vectors, pages and rows that wait, how old the oldest is, and what failed:
the ten commonest reasons as [{"what", "error", "count", "one"}].';

grant select on knowledge.progress to concierge_admin;
