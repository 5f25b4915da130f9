-- Where contents come from: files, sites, and rows of the tenant's own tables.
set local role concierge_owner;

alter table knowledge.documents add column source_hash bytea;
comment on column knowledge.documents.source_hash is 'SHA-256 of the bytes it was made of; null: it came as text.';
-- allow M101: no workspace holds documents yet that came before their sources
create index document_by_source on knowledge.documents (source_hash) where source_hash is not null;

create table knowledge.sites (
    site_id       bigint      generated always as identity primary key,
    workspace_id  bigint      not null references knowledge.workspaces on delete cascade,
    tenant_id     uuid        not null references access.tenants on delete cascade,
    url           text        not null,
    host          text        not null,
    max_depth     int         not null constraint "a site is followed 0 to 100 links deep" check (max_depth between 0 and 100),
    max_pages     int         not null constraint "a site has 1 to 10000 pages" check (max_pages between 1 and 10000),
    pause         interval    not null constraint "a site is asked every 0.1 seconds to every minute" check (
                      pause between interval '0.1 s' and interval '1 min'),
    timing        text,
    language      text,
    metadata      jsonb       not null,
    access_level  int         not null,
    access_groups text[]      not null,
    robots        jsonb,
    robots_error  text,
    run           int         not null default 0,
    started_at    timestamptz,
    created_at    timestamptz not null default now(),
    constraint "a site is in a workspace once" unique (workspace_id, url)
);
comment on table  knowledge.sites              is 'Sites whose pages are documents of a workspace.';
comment on column knowledge.sites.url          is 'Where it begins; canonical.';
comment on column knowledge.sites.host         is 'Host, and port unless it is the default: nothing beyond it is fetched for the site.';
comment on column knowledge.sites.pause        is 'Between two requests; robots.txt may ask for a longer one.';
comment on column knowledge.sites.timing       is 'When it is crawled again by itself; null: never.';
comment on column knowledge.sites.robots       is 'What its robots.txt says to us: {"rules": [{"allow", "path", "pattern"}], "pause": seconds}; null: not read yet.';
comment on column knowledge.sites.robots_error is 'Why robots.txt could not be read last time: nothing was fetched then.';
comment on column knowledge.sites.run          is 'Counts crawls.';
create index site_by_host on knowledge.sites (host);

create table knowledge.site_pages (
    site_id       bigint      not null references knowledge.sites on delete cascade,
    tenant_id     uuid        not null references access.tenants on delete cascade,
    url           text        not null,
    state         text        not null default 'waiting'
                      constraint "a page has one of nine states" check (
                          state in ('waiting', 'read', 'alias', 'gone', 'unindexed', 'elsewhere', 'unreadable', 'refused', 'failed')),
    depth         int         not null check (depth >= 0),
    found_on      text,
    document_id   uuid,
    same_as       text,
    source_hash   bytea,
    etag          text,
    last_modified text,
    error         text,
    run           int         not null default 0,
    fetched_at    timestamptz,
    primary key (site_id, url)
);
comment on table  knowledge.site_pages             is 'What is known of the pages of sites.';
comment on column knowledge.site_pages.url         is 'Canonical.';
comment on column knowledge.site_pages.state       is 'waiting to be fetched; read; alias of same_as; gone (404, 410); unindexed (its author asked for it);
elsewhere (it leads to another host); unreadable (no text can be made of it); refused by robots.txt; failed.';
comment on column knowledge.site_pages.depth       is 'Links from the beginning.';
comment on column knowledge.site_pages.found_on    is 'The page whose link led here first.';
comment on column knowledge.site_pages.same_as     is 'The page this one is another address of.';
comment on column knowledge.site_pages.source_hash is 'SHA-256 of what was fetched last.';
comment on column knowledge.site_pages.run         is 'The crawl that fetched it last.';
create index site_page_by_source on knowledge.site_pages (site_id, source_hash);

create table knowledge.watches (
    watch_id      bigint      generated always as identity primary key,
    workspace_id  bigint      not null references knowledge.workspaces on delete cascade,
    tenant_id     uuid        not null references access.tenants on delete cascade,
    relation      regclass    not null,
    name          text        not null,
    key_columns   int[]       not null,
    title         jsonb       not null,
    content       jsonb       not null,
    url           jsonb,
    metadata      jsonb       not null,
    language      text,
    audience_id   bigint      not null references knowledge.audiences on delete cascade,
    error         text,
    created_at    timestamptz not null default now(),
    constraint "a table is watched once for a workspace" unique (workspace_id, relation),
    constraint "tables of one name are not watched for one workspace" unique (workspace_id, name)
);
comment on table  knowledge.watches             is 'Tables of applications whose rows are documents of a workspace.';
comment on column knowledge.watches.name        is 'The table''s name when it was first watched: what keys of its documents begin with.';
comment on column knowledge.watches.key_columns is 'As everywhere here a column is its place among those of the trigger concierge_needs_…, which knows it by
whatever name it has, and after a dump is restored, too.';
comment on column knowledge.watches.title       is 'A template as it was read: texts, and places of columns.';
comment on column knowledge.watches.metadata    is 'Key of the metadata: place of the column.';
comment on column knowledge.watches.error       is 'Why its rows are not taken in any more.';
create index watch_by_relation on knowledge.watches (relation);
create index watch_by_audience on knowledge.watches (audience_id);

-- No foreign key: whoever writes to a table that is watched would pay for it with each row.
create table knowledge.changed_rows (
    watch_id  bigint not null,
    change_id bigint generated always as identity,
    row_key   jsonb,
    primary key (watch_id, change_id)
);
comment on table  knowledge.changed_rows         is 'Rows that changed since their documents were made; one line a change, so that no writer waits for another.';
comment on column knowledge.changed_rows.row_key is 'Values of the key''s columns; null: any row may have gone.';

alter table knowledge.sites        enable row level security;
alter table knowledge.site_pages   enable row level security;
alter table knowledge.watches      enable row level security;
alter table knowledge.changed_rows enable row level security;
