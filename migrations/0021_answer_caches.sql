-- An answer may be given again where everything it rests on is the same. Off, unless a version of an agent says otherwise.
set local role concierge_owner;

alter table model.agent_versions add column caching jsonb;
comment on column model.agent_versions.caching is
    '{seconds, similarity}: how long an answer may be given again, and how alike (cosine) another question has to be; without
similarity the same. Null: no answer is given again.';

alter table chat.turns
    add column ground       bytea,
    add column question_key bytea,
    add column known_from   uuid;
comment on column chat.turns.ground       is 'Hash of all an answer rests on but the question and its documents; null: it is not to be given again.';
comment on column chat.turns.question_key is 'Hash of the question and all its items.';
comment on column chat.turns.known_from   is 'The turn whose answer was given again.';

create table chat.known_answers (
    turn_id          uuid        primary key references chat.turns on delete cascade,
    tenant_id        uuid        not null references access.tenants on delete cascade,
    agent_version_id bigint      not null references model.agent_versions on delete cascade,
    ground           bytea       not null,
    question_key     bytea       not null,
    codes            text[]      not null,
    embedding        extensions.vector not null,
    expires_at       timestamptz not null,
    constraint "a question has one answer on one ground" unique (ground, question_key)
);
comment on table  chat.known_answers              is 'Answers that may be given again, until they expire; the answer is its turn''s.';
comment on column chat.known_answers.ground       is
    'Hash of tenant, access scope, agent version, subject of the conversation, content version, prompt, history and facts.';
comment on column chat.known_answers.question_key is 'Hash of the question and all items that were sent.';
comment on column chat.known_answers.codes        is 'Words of the question with digits, sorted: two questions that differ in one are two questions.';
comment on column chat.known_answers.embedding    is 'Of the question, by the model of the workspace, or the offline one; the ground says by which.';
create index known_answer_by_tenant on chat.known_answers (tenant_id);
create index known_answer_by_agent on chat.known_answers (agent_version_id);
create index known_answer_by_end on chat.known_answers (expires_at);

alter table chat.known_answers enable row level security;
