-- The hot table keeps what is live, history what is over, by the day, and dead letters wait for an operator. Workers hold
-- leases, not jobs; what may not run now is held off the claim's index until its gate opens.
set local role concierge_owner;

create table queue.setting (
    only_row             boolean          primary key default true check (only_row),
    history_for          interval         not null default '7 days'  check (history_for >= interval '1 day'),
    dead_letters_for     interval         not null default '100 years' check (dead_letters_for >= interval '1 day'),
    breaker_after        int              not null default 3         check (breaker_after > 0),
    breaker_pause        interval         not null default '5 s'     check (breaker_pause > interval '0'),
    breaker_longest      interval         not null default '5 min'   check (breaker_longest >= breaker_pause)
);
comment on table  queue.setting                  is 'What an operator may want otherwise; one row.';
comment on column queue.setting.history_for      is 'How long history is kept; whole days are dropped.';
comment on column queue.setting.dead_letters_for is 'How long dead letters are kept, if nobody purges them before.';
comment on column queue.setting.breaker_after    is 'Faults of a provider in a row until its breaker opens.';
comment on column queue.setting.breaker_pause    is 'How long a breaker is open at first; twice as long after each probe that fails.';
comment on column queue.setting.breaker_longest  is 'How long a breaker is open at most.';
insert into queue.setting default values;

create table queue.worker (
    worker       text        primary key,
    leased_until timestamptz not null,
    since        timestamptz not null default now()
) with (fillfactor = 50);
comment on table  queue.worker              is 'Who works, and until when it alone may end the jobs it has claimed.';
comment on column queue.worker.leased_until is 'By the server''s clock; after it, whoever comes first frees the worker''s jobs.';
comment on column queue.worker.since        is 'Its first claim.';

create table queue.history (
    job_id      bigint      not null,
    tenant_id   uuid,
    kind        text        not null,
    payload     jsonb       not null,
    key         text,
    state       text        not null constraint "history is done or cancelled" check (state in ('done', 'cancelled')),
    result      jsonb,
    attempts    int         not null,
    worker      text,
    trace_id    uuid,
    created_at  timestamptz not null,
    claimed_at  timestamptz,
    finished_at timestamptz not null,
    primary key (job_id, finished_at)
) partition by range (finished_at);
comment on table  queue.history             is 'Jobs that are over, by the day they ended (UTC); days are dropped whole, never deleted from.';
comment on column queue.history.finished_at is 'When the transaction that ended it began.';
create index history_by_tenant on queue.history (tenant_id) where tenant_id is not null;

create table queue.dead_letter (
    job_id            bigint           primary key,
    tenant_id         uuid             references access.tenants on delete cascade,
    kind              text             not null,
    payload           jsonb            not null,
    continuation      text,
    on_failure        text,
    key               text,
    priority          smallint         not null,
    concurrency_group text,
    rate_group        text,
    rate_units        double precision not null,
    provider          text,
    max_attempts      int              not null,
    attempts          int              not null,
    token             bigint           not null,
    trace_id          uuid,
    fault             text             not null,
    sqlstate          text,
    error             text,
    created_at        timestamptz      not null,
    died_at           timestamptz      not null default now()
);
comment on table  queue.dead_letter          is 'Jobs given up: queue.retry brings one back with all it had, queue.purge forgets.';
comment on column queue.dead_letter.fault    is 'What gave up: item, lost (its worker, on the last attempt) or deadline.';
comment on column queue.dead_letter.sqlstate is 'Of the continuation, where it was the one that failed.';
comment on column queue.dead_letter.error    is 'Of the last attempt.';
create index dead_letter_by_tenant on queue.dead_letter (tenant_id) where tenant_id is not null;
create index dead_letter_by_age on queue.dead_letter (died_at);

-- What is over leaves the hot table.
do $$
declare
    v_day date;
begin
    for v_day in
        select distinct (coalesce(j.finished_at, j.created_at) at time zone 'UTC')::date
        from queue.job as j where j.state in ('done', 'cancelled')
    loop
        execute format('create table queue.history_%s partition of queue.history for values from (%L) to (%L)',
            to_char(v_day, 'YYYYMMDD'), v_day || ' 00:00+00', v_day + 1 || ' 00:00+00');
        execute format('alter table queue.history_%s enable row level security', to_char(v_day, 'YYYYMMDD'));
    end loop;
end
$$;

insert into queue.history (job_id, tenant_id, kind, payload, key, state, result, attempts, worker, created_at, finished_at)
select job_id, tenant_id, kind, payload, key, state, result, attempts, worker, created_at, coalesce(finished_at, created_at)
from queue.job
where state in ('done', 'cancelled');

insert into queue.dead_letter (
    job_id, tenant_id, kind, payload, continuation, key, priority, rate_units, max_attempts, attempts, token, fault, error,
    created_at, died_at)
select job_id, tenant_id, kind, payload, continuation, key, 1, 0, max_attempts, attempts, token, 'item', last_error,
    created_at, coalesce(finished_at, now())
from queue.job
where state = 'dead';

insert into queue.worker (worker, leased_until)
select worker, max(leased_until) from queue.job where state = 'running' group by worker;

delete from queue.job where state in ('done', 'cancelled', 'dead');

-- They stand on the columns that go; sql/ makes them anew.
-- allow D305, D307: in the same run
drop function if exists queue.claim(text, text[], int, interval), queue.extend(bigint, bigint, interval),
    queue.fail(bigint, bigint, text), queue.cancel(bigint), queue.retry(bigint);

-- allow D304: what they said is in history and in the leases of workers
-- allow D305: sql/ names the columns of history, and of workers
-- allow M104: only what is live is left, a few rows
alter table queue.job
    drop column result,
    drop column finished_at,
    drop column leased_until,
    add column priority          smallint         not null default 1
               constraint "a priority is 0, before all others, to 3" check (priority between 0 and 3),
    add column concurrency_group text,
    add column rate_group        text,
    add column rate_units        double precision not null default 0 check (rate_units >= 0),
    add column provider          text,
    add column deadline          timestamptz,
    add column on_failure        text,
    add column trace_id          uuid,
    add column held_by           text,
    add column cancel_requested  boolean          not null default false,
    add column claimed_at        timestamptz,
    add column provider_faults   int              not null default 0 check (provider_faults >= 0),
    drop constraint "a job is ready, running, done, dead or cancelled",
    add constraint "a job is ready, running, held or parked" check (state in ('ready', 'running', 'held', 'parked')),
    add constraint "a running job has a worker" check (state <> 'running' or worker is not null),
    add constraint "a held job says by what" check ((state = 'held') = (held_by is not null)),
    drop constraint job_kind_check;

-- What goes to an inbox never left the database: its continuation is all there is to it. Refreshes have a table of their own.
update queue.job set kind = 'call' where kind = 'deliver' and payload ->> 'channel' = 'inbox' or kind = 'refresh';
-- allow M104: only what is live is left, a few rows
alter table queue.job add constraint "the daemon knows a handful of effects" check (kind in (
    'call', 'deliver', 'fetch', 'convert', 'embed', 'generate', 'rerank'));

comment on table  queue.job                   is 'One row an effect that is not over. Executed at least once; its result takes effect exactly once.';
comment on column queue.job.kind              is 'Which effect the daemon performs; call is none, the continuation alone.';
comment on column queue.job.run_at            is 'When it became, or becomes, ready; never before the moment that was written.';
comment on column queue.job.state             is 'ready at run_at; running at a worker; held by a gate; parked until somebody mends what it needs.';
comment on column queue.job.priority          is '0 to 3; what is due of a lower one goes first.';
comment on column queue.job.concurrency_group is 'At most so many of a group run at once: queue.limit_concurrency, else one.';
comment on column queue.job.rate_group        is 'Shares the requests and units of an interval: queue.limit_rate, else without limit.';
comment on column queue.job.rate_units        is 'What it takes of its rate group''s units, tokens of a model for one.';
comment on column queue.job.provider          is 'Provider and credential: who is down together, and shares a breaker.';
comment on column queue.job.deadline          is 'After it the job is not begun any more.';
comment on column queue.job.on_failure        is 'schema.function(job_id bigint, failure jsonb) called in the transaction that gives the job up.';
comment on column queue.job.trace_id          is 'W3C trace id; null: queue.trace_of.';
comment on column queue.job.held_by           is 'The gate: concurrency:GROUP, rate:GROUP or breaker:PROVIDER.';
comment on column queue.job.cancel_requested  is 'Its worker is to stop; it learns so when it looks or extends its lease.';
comment on column queue.job.claimed_at        is 'When the last attempt began.';
comment on column queue.job.provider_faults   is 'How often its provider failed it; those it failed least go first when its breaker opens.';

drop index queue.job_ready;  -- allow M102: this transaction has the table locked anyway
-- The claim: by kind and priority, what has been due longest. Entries of what is no longer ready stay in it as long as an old
-- snapshot needs them; queue.floor says where to begin.
create index job_ready on queue.job (kind, priority, run_at, job_id) where state = 'ready';  -- allow M101: few rows are left
-- What a lost worker had.
create index job_by_worker on queue.job (worker) where state = 'running';  -- allow M101: few rows are left
create index job_in_group on queue.job (concurrency_group)  -- allow M101: few rows are left
    where state = 'running' and concurrency_group is not null;
-- What waits at a gate, in the order it is let through: a job that takes its provider down is not the first to try again.
create index job_held on queue.job (held_by, priority, provider_faults, job_id) where state = 'held';  -- allow M101: few rows are left
create index job_to_stop on queue.job (worker) where cancel_requested;  -- allow M101: few rows are left
create index job_by_deadline on queue.job (deadline) where deadline is not null;  -- allow M101: few rows are left
create index job_by_tenant on queue.job (tenant_id) where tenant_id is not null;  -- allow M101: few rows are left

drop index queue.job_key_while_live;  -- allow M102: as above
create unique index job_key_while_live on queue.job (key) where key is not null;  -- allow M101: few rows are left

create table queue.floor (
    only_row   boolean     primary key default true check (only_row),
    floors     jsonb       not null default '{}',
    raised_at  timestamptz not null default '-infinity',
    waits_for  text[]      not null default '{}',
    candidate  timestamptz
) with (fillfactor = 50);
comment on table  queue.floor           is 'Where the claim begins to read its index: nothing older is ready. Only ever saves time; one row.';
comment on column queue.floor.floors    is 'kind/priority to the earliest run_at that may still be ready.';
comment on column queue.floor.raised_at is 'When it was last looked at; a clock that stands before this was put back, and the floors are void.';
comment on column queue.floor.waits_for is 'Transactions that were writing jobs at the candidate.';
comment on column queue.floor.candidate is 'The next floor, once all of those are over.';
insert into queue.floor default values;

create table queue.closed_gate (
    gate     text        primary key,
    opens_at timestamptz not null
);
comment on table  queue.closed_gate          is 'Gates at which jobs wait.';
comment on column queue.closed_gate.opens_at is 'When to let some through; infinity: whatever ends next says so.';

create table queue.concurrency_limit (
    concurrency_group text primary key,
    max_running       int  not null check (max_running > 0)
);
comment on table queue.concurrency_limit is 'How many jobs of a concurrency group may run at once; a group without a row is one at a time.';

create table queue.rate_limit (
    rate_group     text             primary key,
    requests       double precision not null check (requests > 0),
    units          double precision check (units > 0),
    every          interval         not null check (every > interval '0'),
    requests_left  double precision not null,
    units_left     double precision,
    refilled_at    timestamptz      not null default clock_timestamp(),
    blocked_until  timestamptz      not null default '-infinity'
) with (fillfactor = 50);
comment on table  queue.rate_limit               is 'Token buckets: requests and units an interval, filled steadily, full at first.';
comment on column queue.rate_limit.units         is 'What a request may weigh beside its number, tokens of a model for one; null: no limit.';
comment on column queue.rate_limit.requests_left is 'At refilled_at.';
comment on column queue.rate_limit.units_left    is 'At refilled_at; below zero after more than was left was used.';
comment on column queue.rate_limit.blocked_until is 'What the provider said: not before.';

create table queue.breaker_state (
    provider    text        primary key,
    state       text        not null default 'closed' check (state in ('closed', 'open', 'half_open')),
    faults      int         not null default 0,
    openings    int         not null default 0,
    opened_at   timestamptz,
    retry_at    timestamptz,
    probe       bigint,
    last_error  text
) with (fillfactor = 50);
comment on table  queue.breaker_state          is 'Whether a provider is believed to be up, by all workers; a provider without a row is.';
comment on column queue.breaker_state.faults   is 'Of the provider, in a row.';
comment on column queue.breaker_state.openings is 'In a row: how often it was opened without an answer in between.';
comment on column queue.breaker_state.retry_at is 'When one job may try.';
comment on column queue.breaker_state.probe    is 'The job that tries.';

create table queue.schedule (
    name         text        primary key constraint "a schedule has a name of 1 to 200 characters" check (length(name) between 1 and 200),
    tenant_id    uuid        references access.tenants on delete cascade,
    timing       text        not null,
    time_zone    text        not null default 'UTC',
    missed       text        not null default 'once' constraint "what was missed is skipped or run once" check (missed in ('skip', 'once')),
    kind         text        not null,
    payload      jsonb       not null default '{}',
    continuation text,
    options      jsonb       not null default '{}',
    enabled      boolean     not null default true,
    next_at      timestamptz not null,
    last_at      timestamptz,
    last_job_id  bigint,
    last_error   text
);
comment on table  queue.schedule           is 'Recurring work: at each time a job is enqueued, unless the last one is still live.';
comment on column queue.schedule.timing    is 'A cron expression or an interval, as queue.next_time reads it.';
comment on column queue.schedule.missed    is 'Times that passed while nobody looked: skip them, or run once for all of them.';
comment on column queue.schedule.options   is 'Further arguments of queue.enqueue, by name.';
comment on column queue.schedule.next_at   is 'When it is due next.';
comment on column queue.schedule.last_at   is 'The time the last job was for.';
comment on column queue.schedule.last_error is 'Why the last job could not be enqueued; null when it could.';
create index schedule_due on queue.schedule (next_at) where enabled;
create index schedule_by_tenant on queue.schedule (tenant_id) where tenant_id is not null;

create table queue.upkeep_state (
    only_row boolean     primary key default true check (only_row),
    done_at  timestamptz not null default 'epoch'
);
comment on table queue.upkeep_state is 'When queue.upkeep last did what it does once a minute; one row.';
insert into queue.upkeep_state default values;

alter table queue.upkeep_state      enable row level security;
alter table queue.setting           enable row level security;
alter table queue.worker            enable row level security;
alter table queue.history           enable row level security;
alter table queue.dead_letter       enable row level security;
alter table queue.floor             enable row level security;
alter table queue.closed_gate       enable row level security;
alter table queue.concurrency_limit enable row level security;
alter table queue.rate_limit        enable row level security;
alter table queue.breaker_state     enable row level security;
alter table queue.schedule          enable row level security;
