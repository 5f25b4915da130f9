-- How good search is, as numbers: questions whose right answers are known, what a workspace found for them, and when.
-- Documents are named by their keys, so that a collection outlives every workspace it is tried on.
create schema evaluation authorization concierge_owner;
comment on schema evaluation is 'Collections with judgements, runs over them, and the figures that compare runs.';
grant usage on schema evaluation to concierge_app, concierge_admin;

set local role concierge_owner;

create table evaluation.collections (
    collection_id bigint      generated always as identity primary key,
    tenant_id     uuid        not null references access.tenants on delete cascade,
    slug          access.slug not null,
    name          text        not null check (name <> ''),
    created_at    timestamptz not null default now(),
    constraint "a slug names one collection of a tenant" unique (tenant_id, slug)
);
comment on table evaluation.collections is 'Questions with judged documents.';

create table evaluation.queries (
    query_id      bigint generated always as identity primary key,
    tenant_id     uuid   not null references access.tenants on delete cascade,
    collection_id bigint not null references evaluation.collections on delete cascade,
    key           text   not null check (length(key) between 1 and 2000),
    text          text   not null check (text <> ''),
    constraint "a key names one query of a collection" unique (collection_id, key)
);
comment on table  evaluation.queries     is 'What is asked.';
comment on column evaluation.queries.key is 'What the collection''s source calls it.';

create table evaluation.judgements (
    query_id     bigint not null references evaluation.queries on delete cascade,
    document_key text   collate "C" not null check (length(document_key) between 1 and 2000),
    grade        int    not null,
    tenant_id    uuid   not null references access.tenants on delete cascade,
    primary key (query_id, document_key)
);
comment on table  evaluation.judgements              is 'How well a document answers a query; one that is not listed does not.';
comment on column evaluation.judgements.document_key is 'As knowledge.documents.key.';
comment on column evaluation.judgements.grade        is 'Above 0 it is relevant, the more the better; else it was looked at and is not.';

create table evaluation.runs (
    run_id        bigint      generated always as identity primary key,
    tenant_id     uuid        not null references access.tenants on delete cascade,
    collection_id bigint      not null references evaluation.collections on delete cascade,
    workspace_id  bigint      references knowledge.workspaces on delete set null,
    label         text        not null default '',
    config        jsonb       not null default '{}' check (jsonb_typeof(config) = 'object'),
    started_at    timestamptz not null default clock_timestamp(),
    finished_at   timestamptz,
    constraint "a run ends after it starts" check (finished_at >= started_at)
);
comment on table  evaluation.runs              is 'One ranking for each query of a collection.';
comment on column evaluation.runs.workspace_id is 'What was searched; null: something else, or it is gone.';
comment on column evaluation.runs.config       is 'How it was searched: the workspace''s settings at that time, and depth.';
comment on column evaluation.runs.finished_at  is 'Null: it is not yet, or never will be.';
create index run_by_collection on evaluation.runs (collection_id, started_at);
create index run_by_workspace on evaluation.runs (workspace_id);

create table evaluation.results (
    run_id       bigint not null references evaluation.runs on delete cascade,
    query_id     bigint not null references evaluation.queries on delete cascade,
    rank         int    not null check (rank > 0),
    document_key text   collate "C" not null check (length(document_key) between 1 and 2000),
    score        real,
    tenant_id    uuid   not null references access.tenants on delete cascade,
    primary key (run_id, query_id, rank),
    constraint "a run finds a document once" unique (query_id, run_id, document_key)
);
comment on table  evaluation.results       is 'What a run found, best first.';
comment on column evaluation.results.score is 'By which it was ranked, where that is known; not comparable between runs.';

alter table evaluation.collections enable row level security;
alter table evaluation.queries     enable row level security;
alter table evaluation.judgements  enable row level security;
alter table evaluation.runs        enable row level security;
alter table evaluation.results     enable row level security;
