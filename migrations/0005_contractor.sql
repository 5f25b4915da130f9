-- Attendees as contractors: what they want, whom they could work with, what they promised to do.
set local role concierge_owner;

create table contractor.contractors (
    contractor_id    uuid           primary key default gen_random_uuid(),
    tenant_id        uuid           not null references access.tenants on delete cascade,
    person_id        uuid           references access.people on delete set null,
    key              access.slug    not null,
    name             text           not null check (name <> ''),
    company          text,
    goal             text,
    role             text,
    revenue_band     text,
    team_size        int            check (team_size > 0),
    region           text,
    tech_stack       text[]         not null default '{}',
    preferred_tracks text[]         not null default '{}',
    profile          text,
    embedding        extensions.vector(256),
    created_at       timestamptz    not null default now(),
    updated_at       timestamptz    not null default now(),
    constraint "a key names one contractor of a tenant" unique (tenant_id, key)
);
comment on table  contractor.contractors                  is 'Contractors and the features the concierge matches on.';
comment on column contractor.contractors.person_id        is 'The person who signs in as this contractor; null: nobody yet.';
comment on column contractor.contractors.team_size        is 'People, themselves included; 1 solo, to 10 small, to 50 medium, above large.';
comment on column contractor.contractors.preferred_tracks is 'Track names in lower case.';
comment on column contractor.contractors.embedding        is 'Unit vector of goal, profile and tech stack.';
create index contractors_by_person on contractor.contractors (person_id);

create type contractor.feature_set as (
    goal             text,
    role             text,
    revenue_band     text,
    team_size        int,
    segment          text,
    region           text,
    tech_stack       text[],
    preferred_tracks text[],
    embedding        extensions.vector
);
comment on type contractor.feature_set is 'What a contractor wants, as match_score reads it; segment is the team size as a word.';

create table contractor.strategic_partners (
    partner_id  uuid           primary key default gen_random_uuid(),
    tenant_id   uuid           not null references access.tenants on delete cascade,
    key         access.slug    not null,
    name        text           not null check (name <> ''),
    category    text           not null,
    goals       text[]         not null default '{}',
    regions     text[]         not null default '{}',
    topics      text[]         not null default '{}',
    description text,
    embedding   extensions.vector(256),
    constraint "a key names one partner of a tenant" unique (tenant_id, key)
);
comment on table contractor.strategic_partners is 'Companies a contractor could work with.';

create table event.event_attendees (
    event_id      uuid        not null references event.events on delete cascade,
    contractor_id uuid        not null references contractor.contractors on delete cascade,
    tenant_id     uuid        not null references access.tenants on delete cascade,
    registered_at timestamptz not null default now(),
    primary key (event_id, contractor_id)
);
comment on table event.event_attendees is 'Which contractors are registered for which event.';
create index event_attendees_by_contractor on event.event_attendees (contractor_id);

create table contractor.contractor_action_items (
    action_item_id uuid        primary key default gen_random_uuid(),
    tenant_id      uuid        not null references access.tenants on delete cascade,
    contractor_id  uuid        not null references contractor.contractors on delete cascade,
    event_id       uuid        not null references event.events on delete cascade,
    title          text        not null constraint "an action item has a title of 1 to 300 characters"
                               check (length(title) between 1 and 300),
    details        text,
    due_at         timestamptz,
    status         text        not null default 'open' constraint "an action item is open, in_progress, done or cancelled"
                               check (status in ('open', 'in_progress', 'done', 'cancelled')),
    created_by     uuid        references access.people on delete set null,
    created_at     timestamptz not null,
    updated_at     timestamptz not null
);
comment on table contractor.contractor_action_items is 'What a contractor decided to do because of an event.';
create index contractor_action_items_by_contractor on contractor.contractor_action_items (contractor_id, event_id);
create index contractor_action_items_by_event on contractor.contractor_action_items (event_id);

create table contractor.event_notes (
    note_id       uuid        primary key default gen_random_uuid(),
    tenant_id     uuid        not null references access.tenants on delete cascade,
    contractor_id uuid        not null references contractor.contractors on delete cascade,
    event_id      uuid        not null references event.events on delete cascade,
    session_id    uuid        references event.event_speakers on delete set null,
    body          text        not null constraint "a note has 1 to 10000 characters" check (length(body) between 1 and 10000),
    created_by    uuid        references access.people on delete set null,
    created_at    timestamptz not null
);
comment on table contractor.event_notes is 'Information a contractor wanted kept.';
create index event_notes_by_contractor on contractor.event_notes (contractor_id, event_id);
create index event_notes_by_event on contractor.event_notes (event_id);
create index event_notes_by_session on contractor.event_notes (session_id);

create table contractor.follow_ups (
    follow_up_id  uuid        primary key default gen_random_uuid(),
    tenant_id     uuid        not null references access.tenants on delete cascade,
    contractor_id uuid        not null references contractor.contractors on delete cascade,
    event_id      uuid        not null references event.events on delete cascade,
    message       text        not null constraint "a follow-up has a message of 1 to 2000 characters"
                              check (length(message) between 1 and 2000),
    execute_at    timestamptz not null,
    status        text        not null default 'scheduled' constraint "a follow-up is scheduled, delivered or cancelled"
                              check (status in ('scheduled', 'delivered', 'cancelled')),
    job_id        bigint,
    delivered_at  timestamptz,
    created_by    uuid        references access.people on delete set null,
    created_at    timestamptz not null
);
comment on table  contractor.follow_ups        is 'Messages to be delivered to a contractor later; delivered ones are their inbox.';
comment on column contractor.follow_ups.job_id is 'The job in queue.job that delivers it.';
create index follow_ups_by_contractor on contractor.follow_ups (contractor_id, event_id);
create index follow_ups_by_event on contractor.follow_ups (event_id);

alter table contractor.contractors             enable row level security;
alter table contractor.strategic_partners      enable row level security;
alter table event.event_attendees              enable row level security;
alter table contractor.contractor_action_items enable row level security;
alter table contractor.event_notes             enable row level security;
alter table contractor.follow_ups              enable row level security;
