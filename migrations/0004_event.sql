-- Conferences: what is on when and where, who speaks, who pays, who came.
set local role concierge_owner;

create table event.events (
    event_id       uuid             primary key default gen_random_uuid(),
    tenant_id      uuid             not null references access.tenants on delete cascade,
    slug           access.slug      not null,
    title          text             not null check (title <> ''),
    time_zone      access.time_zone not null,
    starts_at      timestamptz      not null,
    ends_at        timestamptz      not null,
    follow_up_days int              not null default 30 check (follow_up_days >= 0),
    url            text,
    version        text,
    created_at     timestamptz      not null default now(),
    updated_at     timestamptz      not null default now(),
    constraint "a slug names one event of a tenant" unique (tenant_id, slug),
    constraint "an event does not end before it starts" check (ends_at >= starts_at)
);
comment on table  event.events                is 'A conference, trade show or fair.';
comment on column event.events.slug           is 'The acronym of its schedule, in lower case.';
comment on column event.events.time_zone      is 'IANA zone its schedule is shown in.';
comment on column event.events.ends_at        is 'End of the last day or of the last session, whichever is later.';
comment on column event.events.follow_up_days is 'For so many days after the end the event is post_event, then past_event.';
comment on column event.events.version        is 'Version of the schedule last imported, as its file says.';

create table event.event_days (
    event_id  uuid        not null references event.events on delete cascade,
    tenant_id uuid        not null references access.tenants on delete cascade,
    day_index int         not null,
    date      date        not null,
    starts_at timestamptz not null,
    ends_at   timestamptz not null,
    primary key (event_id, day_index)
);
comment on table event.event_days is 'Conference days; one may end in the small hours of the next date.';

create table event.rooms (
    event_id  uuid not null references event.events on delete cascade,
    name      text not null check (name <> ''),
    tenant_id uuid not null references access.tenants on delete cascade,
    zone      text,
    primary key (event_id, name)
);
comment on table  event.rooms      is 'Rooms of an event, named as its schedule names them.';
comment on column event.rooms.zone is 'The booth zone the room is next to; null: unknown.';

create table event.tracks (
    event_id  uuid not null references event.events on delete cascade,
    name      text not null check (name <> ''),
    tenant_id uuid not null references access.tenants on delete cascade,
    color     text,
    primary key (event_id, name)
);
comment on table event.tracks is 'Tracks of an event, named as its schedule names them.';

create table event.event_speakers (
    session_id    uuid           primary key default gen_random_uuid(),
    tenant_id     uuid           not null references access.tenants on delete cascade,
    event_id      uuid           not null references event.events on delete cascade,
    source_key    text,
    session_title text           not null check (session_title <> ''),
    subtitle      text,
    session_start timestamptz    not null,
    session_end   timestamptz    not null,
    room          text,
    track         text,
    session_type  text,
    language      text,
    abstract      text,
    description   text,
    url           text,
    topics        text[]         not null default '{}',
    goals         text[]         not null default '{}',
    roles         text[]         not null default '{}',
    audience      text[]         not null default '{}',
    regions       text[]         not null default '{}',
    revenue_bands text[]         not null default '{}',
    embedding     extensions.vector(256),
    cancelled_at  timestamptz,
    created_at    timestamptz    not null default now(),
    updated_at    timestamptz    not null default now(),
    constraint "a session does not end before it starts" check (session_end >= session_start),
    constraint "a source key names one session of an event" unique (event_id, source_key),
    constraint "a session's room is a room of its event" foreign key (event_id, room)
        references event.rooms (event_id, name) on update cascade,
    constraint "a session's track is a track of its event" foreign key (event_id, track)
        references event.tracks (event_id, name) on update cascade
);
comment on table  event.event_speakers               is 'One row a session, whoever speaks in it.';
comment on column event.event_speakers.source_key    is 'Its guid, id or code in the imported schedule; null for a session made by hand.';
comment on column event.event_speakers.session_end   is 'Exclusive; equal to session_start for a session of no length.';
comment on column event.event_speakers.topics        is 'What it is about.';
comment on column event.event_speakers.goals         is 'Which goals it serves: tags "goal:…".';
comment on column event.event_speakers.roles         is 'Whom it is for: tags "role:…"; empty: everyone.';
comment on column event.event_speakers.audience      is 'Team sizes it is for, solo, small, medium, large: tags "audience:…"; empty: all.';
comment on column event.event_speakers.regions       is 'Regions it is for: tags "region:…"; empty: all.';
comment on column event.event_speakers.revenue_bands is 'Revenue bands it is for: tags "revenue:…"; empty: all.';
comment on column event.event_speakers.embedding     is 'Unit vector of title, track, tags and abstract.';
comment on column event.event_speakers.cancelled_at  is 'Since when it is off; null while it stands.';
create index event_speakers_by_time on event.event_speakers (event_id, session_start) where cancelled_at is null;

create table event.speakers (
    speaker_id uuid primary key default gen_random_uuid(),
    tenant_id  uuid not null references access.tenants on delete cascade,
    event_id   uuid not null references event.events on delete cascade,
    source_key text not null,
    name       text not null check (name <> ''),
    constraint "a source key names one speaker of an event" unique (event_id, source_key)
);
comment on table  event.speakers            is 'People on stage.';
comment on column event.speakers.source_key is 'Their guid, id or code in the schedule, else their name.';

create table event.session_speakers (
    session_id uuid not null references event.event_speakers on delete cascade,
    speaker_id uuid not null references event.speakers on delete cascade,
    event_id   uuid not null references event.events on delete cascade,
    tenant_id  uuid not null references access.tenants on delete cascade,
    position   int  not null,
    primary key (session_id, speaker_id)
);
comment on table event.session_speakers is 'Who speaks in which session, in the order of the schedule.';
create index session_speakers_by_speaker on event.session_speakers (speaker_id);
create index session_speakers_by_event on event.session_speakers (event_id);

create table event.event_sponsors (
    sponsor_id  uuid           primary key default gen_random_uuid(),
    tenant_id   uuid           not null references access.tenants on delete cascade,
    event_id    uuid           not null references event.events on delete cascade,
    key         access.slug    not null,
    name        text           not null check (name <> ''),
    tier        text           not null constraint "a tier is platinum, gold, silver or bronze"
                               check (tier in ('platinum', 'gold', 'silver', 'bronze')),
    booth       text,
    booth_zone  text,
    topics      text[]         not null default '{}',
    offers      jsonb          not null default '[]' check (jsonb_typeof(offers) = 'array'),
    description text,
    url         text,
    embedding   extensions.vector(256),
    constraint "a key names one sponsor of an event" unique (event_id, key)
);
comment on table  event.event_sponsors            is 'Who pays, where their booth stands, and what they offer there.';
comment on column event.event_sponsors.booth_zone is 'Part of the hall; rooms.zone says which rooms are near.';
comment on column event.event_sponsors.offers     is 'Array of {title, details}.';

-- Which event's cached rows no longer count. One row a writing statement and event, never an update:
-- writers do not wait for each other, and a refresh deletes only the marks its snapshot can see. No key: nobody looks for one
-- mark, and every writer pays for an index.
create table event.dirty_marks (
    event_id  uuid        not null,
    marked_at timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
comment on table event.dirty_marks is 'An event with a visible mark is read from base tables until a refresh has covered the write.';
create index dirty_marks_by_event on event.dirty_marks (event_id);
-- Without a key, a publication of all tables needs to be told what names a row.
alter table event.dirty_marks replica identity full;

-- When a daemon was last woken, in milliseconds since 1970. A sequence, because it is read and set outside transactions:
-- a row would make writers wait for each other.
create sequence event.last_wake minvalue 0 start 0;
comment on sequence event.last_wake is 'Milliseconds since 1970 of the last NOTIFY on event_refresh.';

create table event.refresh_state (
    only_row     boolean     primary key default true check (only_row),
    refreshed_at timestamptz not null,
    valid_from   timestamptz not null,
    valid_until  timestamptz not null,
    duration     interval    not null
);
comment on table  event.refresh_state                   is 'When the materialized views were refreshed and for which instants they are complete.';
comment on column event.refresh_state.valid_from        is 'First instant whose "now" and "next 60 minutes" they hold completely.';
comment on column event.refresh_state.valid_until       is 'Instant from which they no longer do.';

alter table event.events           enable row level security;
alter table event.event_days       enable row level security;
alter table event.rooms            enable row level security;
alter table event.tracks           enable row level security;
alter table event.event_speakers   enable row level security;
alter table event.speakers         enable row level security;
alter table event.session_speakers enable row level security;
alter table event.event_sponsors   enable row level security;
alter table event.dirty_marks      enable row level security;
alter table event.refresh_state    enable row level security;

create type event.tag_set as (
    track         text,
    topics        text[],
    goals         text[],
    roles         text[],
    audience      text[],
    regions       text[],
    revenue_bands text[],
    embedding     extensions.vector
);
comment on type event.tag_set is 'What a session offers, as match_score reads it.';

-- One talk, whatever the format of the file it came from.
create type event.schedule_item as (
    path        text,
    key         text,
    title       text,
    subtitle    text,
    starts      text,
    starts_at   timestamptz,
    ends        text,
    duration    text,
    day_date    text,
    room        text,
    track       text,
    kind        text,
    language    text,
    abstract    text,
    description text,
    url         text,
    tags        text[],
    persons     jsonb
);
comment on type event.schedule_item is 'One session of a schedule file before it is checked; path says where in the file it stands.';

create type event.schedule_header as (
    format    text,
    slug      text,
    title     text,
    version   text,
    url       text,
    time_zone text,
    starts    text,
    ends      text,
    rooms     jsonb,
    tracks    jsonb,
    days      jsonb
);
comment on type event.schedule_header is 'What a schedule file says of the conference as a whole.';

create type event.schedule as (
    header event.schedule_header,
    items  event.schedule_item[]
);
comment on type event.schedule is 'A schedule file, read and not yet checked.';
