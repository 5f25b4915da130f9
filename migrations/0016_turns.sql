-- A question becomes an answer in steps, each a row of what happened: whoever looks sees where a turn is, and a crash loses none.
set local role concierge_owner;

create table chat.conversations (
    conversation_id uuid        primary key default gen_random_uuid(),
    tenant_id       uuid        not null references access.tenants on delete cascade,
    person_id       uuid        not null references access.people on delete cascade,
    agent           access.slug,
    event_id        uuid        references event.events on delete cascade,
    contractor_id   uuid        references contractor.contractors on delete cascade,
    workspace_id    bigint      references knowledge.workspaces on delete set null,
    title           text        check (length(title) <= 200),
    opened_at       timestamptz not null default now(),
    constraint "an event is asked about for a contractor" check ((event_id is null) = (contractor_id is null))
);
comment on table  chat.conversations               is 'Who talks with which agent, about which event and documents.';
comment on column chat.conversations.agent         is 'Null: the offline answerer, which needs no model.';
comment on column chat.conversations.contractor_id is 'For whom; it is who talks, or somebody whom an organizer or service speaks for.';
create index conversation_by_person on chat.conversations (tenant_id, person_id, opened_at);
create index conversation_by_event on chat.conversations (event_id);
create index conversation_by_contractor on chat.conversations (contractor_id);
create index conversation_by_workspace on chat.conversations (workspace_id);

create table chat.turns (
    turn_id           uuid           primary key default gen_random_uuid(),
    tenant_id         uuid           not null references access.tenants on delete cascade,
    conversation_id   uuid           not null references chat.conversations on delete cascade,
    person_id         uuid           not null references access.people on delete cascade,
    number            int            not null,
    state             text           not null default 'received' check (state in (
                          'received', 'gathering', 'planning', 'acting', 'answering', 'checking', 'done', 'refused', 'failed')),
    question          text           not null,
    original          text,
    asked_at          timestamptz    not null default now(),
    clock             timestamptz    not null,
    agent_version_id  bigint,
    prompt_version_id bigint,
    model_id          bigint,
    job_id            bigint,
    repairs           int            not null default 0,
    plan              jsonb,
    action            jsonb,
    bundle            jsonb,
    raw_answer        text,
    checks            jsonb,
    answer            text,
    citations         jsonb,
    note              text,
    answered_by       text,
    cost              numeric(16, 8) not null default 0,
    error             text,
    ended_at          timestamptz,
    rating            smallint       check (rating in (-1, 1)),
    comment           text           check (length(comment) <= 4000),
    constraint "turns of a conversation are numbered" unique (conversation_id, number),
    constraint "what is over has an end" check ((state in ('done', 'refused', 'failed')) = (ended_at is not null)),
    constraint "what is done has an answer" check (state <> 'done' or answer is not null and citations is not null)
);
comment on table  chat.turns            is 'A question, and what became of it.';
comment on column chat.turns.question   is 'As it is shown and sent: what is private in it is redacted.';
comment on column chat.turns.original   is 'As it was typed, where the tenant keeps originals.';
comment on column chat.turns.clock      is 'The present the answer speaks of.';
comment on column chat.turns.model_id   is 'The model that is asked, or has answered.';
comment on column chat.turns.job_id     is 'The call it waits for; null: none.';
comment on column chat.turns.repairs    is 'How often its answer was sent back.';
comment on column chat.turns.plan       is '{by, intent, packs[], action}.';
comment on column chat.turns.action     is '{name, arguments, outcome: done or refused, result or reason}.';
comment on column chat.turns.bundle     is 'Everything the answer may be drawn from, exactly as it was used: {items[{id, kind, title, text, …}]}.';
comment on column chat.turns.raw_answer is 'What the model said, before anybody looked at it.';
comment on column chat.turns.checks     is 'What was wrong with each raw answer.';
comment on column chat.turns.note       is 'Why the answer is another''s than was hoped for.';
comment on column chat.turns.rating     is 'Thumb up (1) or down (-1).';
create index turn_open on chat.turns (asked_at) where ended_at is null;
create index turn_by_job on chat.turns (job_id) where job_id is not null;
create index turn_by_tenant on chat.turns (tenant_id, asked_at);
create index turn_by_person on chat.turns (person_id);
create index turn_by_agent on chat.turns (agent_version_id, asked_at) where agent_version_id is not null;

create table chat.turn_events (
    turn_id   uuid        not null references chat.turns on delete cascade,
    tenant_id uuid        not null references access.tenants on delete cascade,
    number    int         not null,
    at        timestamptz not null default clock_timestamp(),
    state     text        not null,
    detail    jsonb       not null default '{}',
    primary key (turn_id, number)
);
comment on table chat.turn_events is 'What a turn went through, and when: the state it came into, or what happened in it.';
create index turn_event_by_tenant on chat.turn_events (tenant_id);

alter table chat.conversations enable row level security;
alter table chat.turns         enable row level security;
alter table chat.turn_events   enable row level security;

-- What a message asks to be done, by patterns as well.
-- allow M104: a few hundred rows
alter table chat.message_patterns
    drop constraint message_patterns_facet_check,
    add constraint message_patterns_facet_check check (facet in ('class', 'intent', 'action')),
    drop constraint "a value is one its facet knows",
    add constraint "a value is one its facet knows" check (
        case facet when 'class'  then value in ('question', 'request', 'small_talk')
                   when 'intent' then value in ('now', 'next', 'sponsors', 'action_items', 'partner', 'learning', 'plan', 'status')
                   when 'action' then value in ('create_action_item', 'capture_event_note') end);
comment on column chat.message_patterns.pattern is
    'POSIX regular expression, matched against the message in lower case and without accents; of an action, against the message as it
is, in any case, and what it captures is what is to be written down.';
