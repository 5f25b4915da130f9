-- What was asked, of whom, from what, and what was said: as it was when the turn ended, and never otherwise. Who agrees to it
-- lets others learn from it.
set local role concierge_owner;

create table chat.records (
    recorded_at timestamptz not null default now(),
    turn_id     uuid        not null,
    tenant_id   uuid        not null references access.tenants on delete cascade,
    record      jsonb       not null,
    primary key (recorded_at, turn_id)
) partition by range (recorded_at);
comment on table  chat.records        is 'Ended turns as they ended, a partition a month; append-only.';
comment on column chat.records.record is
    '{question, bundle, plan, action, agent, agent_version, prompt, prompt_version, model, raw_answer, checks, answer, citations, note, state, error, cost, events[]}.';
create index record_by_turn on chat.records (turn_id);
create index record_by_tenant on chat.records (tenant_id, recorded_at);

create table chat.consents (
    person_id    uuid        primary key references access.people on delete cascade,
    tenant_id    uuid        not null references access.tenants on delete cascade,
    given_at     timestamptz not null,
    withdrawn_at timestamptz check (withdrawn_at >= given_at)
);
comment on table chat.consents is 'Who lets their conversations be learned from, since when, and until when.';
create index consent_by_tenant on chat.consents (tenant_id);

alter table chat.records  enable row level security;
alter table chat.consents enable row level security;
