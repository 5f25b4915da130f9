create or replace view queue.overview
with (security_invoker = true)
as
select k.kind,
    count(j.job_id) filter (where j.state = 'ready' and j.run_at <= clock_timestamp()) as due,
    count(j.job_id) filter (where j.state = 'ready' and j.run_at > clock_timestamp())  as later,
    count(j.job_id) filter (where j.state = 'running')                                 as running,
    count(j.job_id) filter (where j.state = 'held')                                    as held,
    count(j.job_id) filter (where j.state = 'parked')                                  as parked,
    (select count(*) from queue.dead_letter as d where d.kind = k.kind)                as dead,
    clock_timestamp() - min(j.run_at) filter (
        where j.state = 'ready' and j.run_at <= clock_timestamp())                     as oldest_due,
    clock_timestamp() - min(j.created_at) filter (where j.state <> 'ready' or j.run_at <= clock_timestamp())
        as oldest,
    min(j.run_at) filter (where j.state = 'ready' and j.run_at > clock_timestamp())    as next_at
from queue.kinds() as k (kind)
left join queue.job as j on j.kind = k.kind
group by k.kind
order by k.kind;

comment on view queue.overview is
    'One row a kind of job: how many are due, to come later, running, held at a gate, parked, and dead; how long
the oldest has been due, how old the oldest is that is not for later, and when the next is due.';

grant select on queue.overview to concierge_admin;

create or replace view queue.breaker
with (security_invoker = true)
as
select b.provider, b.state, b.faults, clock_timestamp() - b.opened_at as open_for, b.retry_at, b.probe,
    (select count(*) from queue.job as j where j.state = 'held' and j.held_by = 'breaker:' || b.provider) as held,
    b.last_error
from queue.breaker_state as b
order by b.opened_at, b.provider;

comment on view queue.breaker is
    'Providers that have failed since they last answered: state (closed, open, half_open), faults in a row, for how
long it has been open, when one job may try, how many are held.';

grant select on queue.breaker to concierge_admin;

-- Whatever an operator has to see to, and what that is.
create or replace view queue.stuck
with (security_invoker = true)
as
select j.job_id, j.kind, j.state, clock_timestamp() - j.run_at as since, 'nobody claims it' as reason,
    'Is a daemon running that performs this kind? See queue.worker.' as remedy
from queue.job as j
where j.state = 'ready' and j.run_at < clock_timestamp() - interval '1 minute'
union all
select j.job_id, j.kind, j.state, clock_timestamp() - j.claimed_at,
    format('its worker %s has lost its lease', j.worker), 'Any daemon that looks frees it; is one running?'
from queue.job as j
left join queue.worker as w on w.worker = j.worker
where j.state = 'running' and coalesce(w.leased_until < clock_timestamp() - interval '10 seconds', true)
union all
select j.job_id, j.kind, j.state, clock_timestamp() - j.claimed_at, 'it is performed past its deadline',
    'Stop it: select queue.cancel(job_id)'
from queue.job as j
join queue.worker as w on w.worker = j.worker and w.leased_until >= clock_timestamp()
where j.state = 'running' and j.deadline < clock_timestamp() - interval '1 minute'
union all
select j.job_id, j.kind, j.state, clock_timestamp() - j.claimed_at, j.last_error,
    'Mend what it says, then: select queue.retry(job_id), or queue.retry_many(fault => ''config'')'
from queue.job as j
where j.state = 'parked'
union all
select j.job_id, j.kind, j.state, clock_timestamp() - g.opens_at, format('gate %s was to open', j.held_by),
    'Any daemon that looks opens it; is one running?'
from queue.job as j
join queue.closed_gate as g on g.gate = j.held_by
where j.state = 'held' and g.opens_at < clock_timestamp() - interval '1 minute'
union all
select j.job_id, j.kind, j.state, clock_timestamp() - j.created_at, format('held by %s, which is not closed', j.held_by),
    'Let it go on: select queue.retry(job_id)'
from queue.job as j
where j.state = 'held' and not exists (select from queue.closed_gate as g where g.gate = j.held_by);

comment on view queue.stuck is
    'Jobs that do not go on by themselves, or should have by now: since when, why, and what to do.';

grant select on queue.stuck to concierge_admin;
