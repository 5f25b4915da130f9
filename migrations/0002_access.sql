-- Who is asking: tenants, people, the keys their tokens are signed with, what they wrote, and repeated writes.
set local role concierge_owner;

create domain access.slug as text
    constraint "a slug is 1-63 lower-case letters, digits, dots, dashes or _"
    check (value ~ '^[a-z0-9][a-z0-9._-]{0,62}$');
comment on domain access.slug is 'A short name for URLs and command lines, for example "hearth-beam-2027".';

create domain access.time_zone as text
    constraint "a time zone is an IANA name such as Europe/Berlin, or UTC"
    check (value ~ '^(UTC|[A-Z][A-Za-z_]+(/[A-Za-z0-9_+-]+)+)$' and (timestamptz 'epoch' at time zone value) is not null);
comment on domain access.time_zone is 'An IANA time zone name the server knows; abbreviations such as CET are refused.';

create table access.tenants (
    tenant_id   uuid        primary key default gen_random_uuid(),
    slug        access.slug not null unique,
    name        text        not null check (name <> ''),
    created_at  timestamptz not null default now(),
    disabled_at timestamptz
);
comment on table  access.tenants             is 'One row an organisation; every row with tenant data names its tenant.';
comment on column access.tenants.slug        is 'Its short name on the command line and in tokens made elsewhere.';
comment on column access.tenants.disabled_at is 'Since when its tokens are refused; null while it is active.';

create table access.people (
    person_id   uuid        primary key default gen_random_uuid(),
    tenant_id   uuid        not null references access.tenants on delete cascade,
    subject     text        not null check (subject <> ''),
    name        text        not null check (name <> ''),
    email       text,
    roles       text[]      not null default '{attendee}'
                constraint "a role is attendee, organizer or service" check (roles <@ array['attendee', 'organizer', 'service']),
    created_at  timestamptz not null default now(),
    disabled_at timestamptz,
    constraint "a subject names one person of a tenant" unique (tenant_id, subject)
);
comment on table  access.people             is 'People and services a token can speak for.';
comment on column access.people.subject     is 'The "sub" of their tokens: whatever the identity provider calls them.';
comment on column access.people.roles       is 'attendee: their own data. organizer: the tenant''s events and everyone''s items. service: an app acting for attendees.';
comment on column access.people.disabled_at is 'Since when their tokens are refused; null while they are active.';

create table access.token_keys (
    key_id      text        primary key check (key_id <> ''),
    tenant_id   uuid        references access.tenants on delete cascade,
    secret      bytea       not null constraint "an HS256 key has at least 32 bytes (RFC 7518, 3.2)" check (length(secret) >= 32),
    created_at  timestamptz not null default now(),
    retired_at  timestamptz
);
comment on table  access.token_keys            is 'Keys that verify HS256 tokens. Readable by the owner alone; a dump holds them, so guard dumps.';
comment on column access.token_keys.key_id     is 'The "kid" of a token''s header.';
comment on column access.token_keys.tenant_id  is 'The one tenant this key can vouch for; null: any.';
comment on column access.token_keys.secret     is 'The shared secret, 32 bytes or more.';
comment on column access.token_keys.retired_at is 'Since when tokens signed with it are refused.';

create table access.audit_log (
    audit_id   bigint      generated always as identity primary key,
    at         timestamptz not null default clock_timestamp(),
    tenant_id  uuid,
    person_id  uuid,
    db_role    text        not null default session_user,
    operation  text        not null check (operation in ('insert', 'update', 'delete', 'truncate')),
    relation   text        not null,
    row_count  int         not null,
    keys       jsonb       not null default '[]',
    changes    jsonb
);
comment on table  access.audit_log           is 'One row for every writing statement on a tenant table. Append-only: not even the owner changes it.';
comment on column access.audit_log.at        is 'The wall clock, never a set one.';
comment on column access.audit_log.person_id is 'Whose token was presented; null for a write without one (an operator, the daemon).';
comment on column access.audit_log.db_role   is 'The login of the database session.';
comment on column access.audit_log.keys      is 'Primary keys of the rows touched.';
comment on column access.audit_log.changes   is 'Update and delete: per row the old values that went, so that history can be read back.';
create index audit_log_by_relation on access.audit_log (relation, at);

create table access.idempotency_keys (
    tenant_id   uuid        not null references access.tenants on delete cascade,
    person_id   uuid        not null references access.people on delete cascade,
    operation   text        not null,
    key         text        not null constraint "an idempotency key has 1 to 200 characters" check (length(key) between 1 and 200),
    request     jsonb       not null,
    response    jsonb,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, person_id, operation, key)
);
comment on table  access.idempotency_keys           is 'What a guarded write answered the first time, so that a repeated call gets the same answer.';
comment on column access.idempotency_keys.request   is 'The arguments of the first call; the same key with others is refused.';
comment on column access.idempotency_keys.response  is 'The first result; null only inside the transaction that is producing it.';

alter table access.tenants          enable row level security;
alter table access.people           enable row level security;
alter table access.token_keys       enable row level security;
alter table access.audit_log        enable row level security;
alter table access.idempotency_keys enable row level security;

create type access.identity as (
    tenant_id  uuid,
    person_id  uuid,
    subject    text,
    roles      text[],
    expires_at timestamptz
);
comment on type access.identity is 'Who a verified token speaks for.';
