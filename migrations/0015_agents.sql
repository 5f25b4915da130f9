-- What is asked, how, and which version of it: prompts and agents never change once they are registered; labels, states and
-- rollouts move.
set local role concierge_owner;

create table model.prompt_versions (
    prompt_version_id bigint      generated always as identity primary key,
    tenant_id         uuid        not null references access.tenants on delete cascade,
    name              access.slug not null,
    version           int         not null check (version > 0),
    content           text        not null check (content <> ''),
    variables         jsonb       not null,
    note              text,
    created_by        uuid        references access.people on delete set null,
    created_at        timestamptz not null default now(),
    constraint "a prompt has each version once" unique (tenant_id, name, version)
);
comment on table  model.prompt_versions           is 'Texts that models are instructed with; a new wording is a new version.';
comment on column model.prompt_versions.content   is 'With {{name}} where a variable''s value goes.';
comment on column model.prompt_versions.variables is 'Their types by name: text, number, boolean, time or json.';
comment on column model.prompt_versions.note      is 'Why it is as it is.';
create index prompt_version_by_person on model.prompt_versions (created_by);

create table model.prompt_labels (
    tenant_id uuid        not null references access.tenants on delete cascade,
    name      access.slug not null,
    label     access.slug not null,
    version   int         not null,
    moved_at  timestamptz not null default now(),
    primary key (tenant_id, name, label),
    foreign key (tenant_id, name, version) references model.prompt_versions (tenant_id, name, version) on delete cascade
);
comment on table model.prompt_labels is 'Names that point to a version and can be moved, such as production and candidate.';
create index prompt_label_by_version on model.prompt_labels (tenant_id, name, version);

create table model.agent_versions (
    agent_version_id  bigint      generated always as identity primary key,
    tenant_id         uuid        not null references access.tenants on delete cascade,
    name              access.slug not null,
    version           int         not null check (version > 0),
    prompt_version_id bigint      not null references model.prompt_versions on delete cascade,
    model_id          bigint      not null references model.models,
    fallback_ids      bigint[]    not null default '{}',
    planner_id        bigint      references model.models,
    parameters        jsonb       not null default '{}',
    actions           text[]      not null default '{}',
    retrieval         jsonb       not null default '{}',
    state             text        not null default 'draft' check (state in ('draft', 'candidate', 'active', 'retired')),
    created_by        uuid        references access.people on delete set null,
    created_at        timestamptz not null default now(),
    constraint "an agent has each version once" unique (tenant_id, name, version)
);
comment on table  model.agent_versions              is 'Who answers: prompt, model, parameters, actions and retrieval, together one version.';
comment on column model.agent_versions.fallback_ids is 'Models that are asked, in this order, when the one before is out of order.';
comment on column model.agent_versions.planner_id   is 'The model that is asked what a question wants where rules are unsure; null: rules alone.';
comment on column model.agent_versions.parameters   is 'max_tokens, temperature, top_p, stop, seed, reasoning_effort.';
comment on column model.agent_versions.actions      is 'Guarded actions it may take.';
comment on column model.agent_versions.retrieval    is 'workspace, max_results, budget_tokens, history_turns.';
create unique index agent_active on model.agent_versions (tenant_id, name) where state = 'active';
create unique index agent_candidate on model.agent_versions (tenant_id, name) where state = 'candidate';
create index agent_version_by_prompt on model.agent_versions (prompt_version_id);
create index agent_version_by_model on model.agent_versions (model_id);
create index agent_version_by_planner on model.agent_versions (planner_id);
create index agent_version_by_person on model.agent_versions (created_by);

create table model.rollouts (
    rollout_id   bigint      generated always as identity primary key,
    tenant_id    uuid        not null references access.tenants on delete cascade,
    name         access.slug not null,
    candidate_id bigint      not null references model.agent_versions on delete cascade,
    baseline_id  bigint      not null references model.agent_versions on delete cascade,
    state        text        not null default 'running' check (state in ('running', 'halted', 'promoted')),
    steps        int[]       not null default '{0,10,50,100}',
    step         int         not null default 1,
    share        int         not null default 100 check (share between 1 and 100),
    gate_salt    text        not null default gen_random_uuid()::text,
    arm_salt     text        not null default gen_random_uuid()::text,
    min_samples  int         not null default 100 check (min_samples > 0),
    dwell        interval    not null default '1 hour' check (dwell >= interval '0'),
    automatic    boolean     not null default false,
    bounds       jsonb       not null default
                     '{"error_rate": 0.02, "refusal_rate": 0.05, "latency": 1.5, "cost": 1.5, "rating": 0.1}',
    stepped_at   timestamptz not null default now(),
    reason       text,
    started_at   timestamptz not null default now(),
    ended_at     timestamptz,
    constraint "steps are percents that rise" check (
        cardinality(steps) > 0 and 0 <= all (steps) and 100 >= all (steps) and step >= 1 and step <= cardinality(steps)),
    constraint "what is over has an end" check ((state = 'running') = (ended_at is null))
);
comment on table  model.rollouts             is 'A candidate taking over from a baseline, step by step.';
comment on column model.rollouts.steps       is 'Percents of conversations that are in the rollout.';
comment on column model.rollouts.share       is 'Of a hundred conversations in it, how many get the candidate; the others stay, to be compared with.';
comment on column model.rollouts.gate_salt   is 'Decides who is in the rollout.';
comment on column model.rollouts.arm_salt    is 'Decides who of them gets the candidate: another one, so that neither choice skews the other.';
comment on column model.rollouts.min_samples is 'Answers of each version before they are compared.';
comment on column model.rollouts.dwell       is 'How long a step lasts at least, where a rule takes it.';
comment on column model.rollouts.automatic   is 'Whether a rule takes the steps forward; it halts in any case.';
comment on column model.rollouts.bounds      is 'How much worse the candidate may be: error_rate, refusal_rate and rating (0 to 1) by so much, latency and cost so many times.';
create unique index rollout_running on model.rollouts (tenant_id, name) where state = 'running';
create index rollout_by_candidate on model.rollouts (candidate_id);
create index rollout_by_baseline on model.rollouts (baseline_id);

create table model.assignments (
    tenant_id        uuid        not null references access.tenants on delete cascade,
    conversation_id  uuid        not null,
    rollout_id       bigint      not null references model.rollouts on delete cascade,
    agent_version_id bigint      not null references model.agent_versions on delete cascade,
    assigned_at      timestamptz not null default now(),
    primary key (rollout_id, conversation_id)
);
comment on table model.assignments is 'Which version a conversation got when it came into a rollout; it keeps it while that runs.';
create index assignment_by_version on model.assignments (agent_version_id);
create index assignment_by_tenant on model.assignments (tenant_id);

alter table model.prompt_versions enable row level security;
alter table model.prompt_labels   enable row level security;
alter table model.agent_versions  enable row level security;
alter table model.rollouts        enable row level security;
alter table model.assignments     enable row level security;
