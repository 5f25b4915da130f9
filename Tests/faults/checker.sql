-- The verdict on a fault, from nothing but what was committed, what was received and what the queue says: one row, in which
-- everything up to "stuck" and "dead" must be zero, except "units".
--
-- It does not ask how the queue works, only what became of each unit, and it is never to be weakened to fit a finding.
with outcome as (
    select u.tag, u.way, u.made_at,
        (select count(*) from fault.effect as e where e.tag = u.tag) as effects,
        (select count(*) from queue.history as h where h.job_id = u.job_id and h.state = 'done') as ends,
        (select count(*) from queue.dead_letter as d where d.job_id = u.job_id) as deaths,
        (select count(*) from fault.receipt as r where r.tag = u.tag) as receipts,
        (select count(distinct r.key) from fault.receipt as r where r.tag = u.tag) as keys,
        (select max(h.finished_at) from queue.history as h where h.job_id = u.job_id) as ended_at
    from fault.unit as u
), recovery as (
    -- What had been committed when a fault was over, and was not done: how long until the last of it was.
    select max(o.ended_at) - m.at as took
    from fault.mark as m
    join outcome as o on o.made_at <= m.at and o.ended_at > m.at
    group by m.at
)
select
    (select count(*) from outcome) as units,
    -- Promised and not done, or not received, or told to be committed and not there.
    (select count(*) from outcome as o
     where o.way <> 'poison' and (o.ends = 0
        or o.way in ('call', 'deliver', 'group') and o.effects = 0
        or o.way in ('deliver', 'told', 'group') and o.receipts = 0))
    + (select count(*) from fault.acknowledged as a where a.tag not in (select o.tag from outcome as o)) as lost,
    -- Done twice, or received under two names: the receiver tells a second delivery of one job by its key.
    (select count(*) from outcome as o where o.effects > 1 or o.ends > 1 or o.keys > 1) as double_effects,
    -- Done without having been committed, or having been refused.
    (select count(*) from fault.effect as e where e.tag is null)
    + (select count(*) from fault.receipt as r where r.tag not in (select o.tag from outcome as o))
    + (select count(*) from outcome as o
       where o.way = 'poison' and o.effects + o.ends > 0
          or o.way in ('plain', 'told') and o.effects > 0
          or o.deaths > 0 and o.effects + o.ends > 0) as strays,
    -- The result of an execution was taken although a later one had begun: the fence is down.
    (select count(*) from fault.effect as e
     where exists (
        select from fault.receipt as r where r.tag = e.tag and r.execution > e.execution and r.at < e.at)) as stale,
    -- Neither over nor given up.
    (select count(*) from queue.job as j) + (select count(*) from queue.stuck)
    + (select count(*) from outcome as o where o.way = 'poison' and o.deaths = 0) as stuck,
    (select count(*) from outcome as o where o.way <> 'poison' and o.deaths > 0) as dead,
    -- Allowed, and counted.
    (select coalesce(sum(o.receipts - 1), 0) from outcome as o where o.receipts > 1) as double_executions,
    (select coalesce(round(extract(epoch from max(r.took)) * 1000), 0) from recovery as r) as slowest_recovery_ms
