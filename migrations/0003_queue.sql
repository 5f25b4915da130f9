-- Effects to be done outside, and materialized views to be refreshed.
set local role concierge_owner;

create table queue.job (
    job_id       bigint      generated always as identity primary key,
    tenant_id    uuid        references access.tenants on delete cascade,
    kind         text        not null check (kind in ('deliver', 'refresh', 'fetch', 'convert', 'embed', 'generate', 'rerank')),
    payload      jsonb       not null default '{}',
    continuation text,
    key          text,
    run_at       timestamptz not null default now(),
    state        text        not null default 'ready'
                 constraint "a job is ready, running, done, dead or cancelled" check (state in ('ready', 'running', 'done', 'dead', 'cancelled')),
    attempts     int         not null default 0 check (attempts >= 0),
    max_attempts int         not null default 5 check (max_attempts > 0),
    token        bigint      not null default 0,
    worker       text,
    leased_until timestamptz,
    result       jsonb,
    last_error   text,
    created_at   timestamptz not null default now(),
    finished_at  timestamptz,
    constraint "a running job has a lease and a worker" check (state <> 'running' or (leased_until is not null and worker is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200);
comment on table  queue.job              is 'One row an effect. Executed at least once; its result takes effect exactly once.';
comment on column queue.job.kind         is 'Which effect the daemon performs.';
comment on column queue.job.payload      is 'What the effect needs; never a secret.';
comment on column queue.job.continuation is 'schema.function(job_id bigint, result jsonb) called in the transaction that finishes the job; null: none.';
comment on column queue.job.key          is 'At most one live job has this key: enqueuing it again keeps the first.';
comment on column queue.job.attempts     is 'Counted when claimed, so a job that kills its worker cannot loop for ever.';
comment on column queue.job.token        is 'Fencing token, one higher at each claim: a late worker''s is stale and changes nothing.';
comment on column queue.job.leased_until is 'Until when its worker alone may finish it, by the server''s clock.';

-- Only one live job may carry a key.
create unique index job_key_while_live on queue.job (key) where key is not null and state in ('ready', 'running');
-- The claim: what is due first, oldest first.
create index job_ready on queue.job (run_at, job_id) where state = 'ready';
-- Expired leases are found without reading what is finished.
create index job_running on queue.job (leased_until) where state = 'running';

create table queue.refresh (
    name            text primary key,
    channel         text not null,
    due_function    text not null,
    call            text not null
);
comment on table  queue.refresh              is 'What can be refreshed. The daemon learns its work from here and knows no domain.';
comment on column queue.refresh.channel      is 'Notifications on it mean "look".';
comment on column queue.refresh.due_function is 'schema.function() returning seconds until the refresh is due: 0 now, null not planned.';
comment on column queue.refresh.call         is 'The statement that refreshes, sent alone and outside any transaction.';

alter table queue.job     enable row level security;
alter table queue.refresh enable row level security;
