-- Who is asked, what they can do and cost, what they were asked and what it came to, and how much may be spent.
set local role concierge_owner;

comment on schema model is 'Providers, models, prices, calls and budgets; prompts and agents; and the offline model, which needs none of it.';

create table model.providers (
    provider_id    bigint      generated always as identity primary key,
    name           access.slug not null unique,
    kind           text        not null check (
                       kind in ('openai', 'anthropic', 'bedrock', 'ollama', 'cohere', 'jina', 'tei', 'vllm')),
    base_url       text        not null constraint "a provider is at an http or https address without a query" check (
                       base_url ~ '^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$'),
    credential     text        check (credential ~ '^[A-Za-z0-9_-]{1,100}$'),
    authentication text        not null check (authentication in ('bearer', 'x-api-key', 'sigv4', 'none')),
    api_version    text,
    region         text,
    created_at     timestamptz not null default now(),
    constraint "who is authenticated has a credential" check ((authentication = 'none') = (credential is null)),
    constraint "a signature is for a region" check (authentication <> 'sigv4' or region is not null)
);
comment on table  model.providers                is 'Servers that have models.';
comment on column model.providers.kind           is 'The protocol they speak; openai is what vLLM, Ollama''s /v1, llama.cpp and LiteLLM speak, too.';
comment on column model.providers.base_url       is 'What the protocol''s paths are appended to.';
comment on column model.providers.credential     is 'The name of a secret that the daemon has; the secret itself is never here.';
comment on column model.providers.authentication is 'How the secret is shown.';
comment on column model.providers.api_version    is 'Of protocols that have one, as Anthropic''s 2023-06-01.';

create table model.models (
    model_id            bigint      generated always as identity primary key,
    name                text        not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$'),
    purpose             text        not null check (purpose in ('generate', 'embed', 'rerank')),
    provider_id         bigint      references model.providers,
    wire_name           text        not null check (wire_name <> ''),
    sampling            boolean     not null default true,
    token_field         text        not null default 'max_tokens' check (
                            token_field in ('max_tokens', 'max_completion_tokens')),
    json_schema         boolean     not null default false,
    tools               boolean     not null default false,
    streams             boolean     not null default true,
    stream_usage        boolean     not null default true,
    context_tokens      int         not null default 8192 check (context_tokens > 0),
    output_tokens       int         not null default 1024 check (output_tokens > 0),
    dimensions          int         check (dimensions > 0),
    send_dimensions     boolean     not null default false,
    max_inputs          int         not null default 64 check (max_inputs > 0),
    max_request_tokens  int         check (max_request_tokens > 0),
    seconds             real        not null default 120 check (seconds > 0),
    first_token_seconds real        not null default 60 check (first_token_seconds > 0),
    silence_seconds     real        not null default 30 check (silence_seconds > 0),
    created_at          timestamptz not null default now(),
    constraint "a name is one model of a purpose" unique (purpose, name),
    constraint "only the offline model has no provider" check ((name = 'offline') = (provider_id is null))
);
create index model_by_provider on model.models (provider_id);
comment on table  model.models                     is 'Models, and what each can and cannot do: what is sent follows from these columns alone.';
comment on column model.models.name                is 'What agents and workspaces call it.';
comment on column model.models.wire_name           is 'What its provider calls it.';
comment on column model.models.sampling            is 'Whether it takes temperature, top_p and seed.';
comment on column model.models.token_field         is 'What the limit of the answer is called, of OpenAI''s protocol.';
comment on column model.models.json_schema         is 'Whether an answer can be bound to a JSON schema.';
comment on column model.models.stream_usage        is 'Whether a stream can be asked to end with what was used.';
comment on column model.models.context_tokens      is 'Of question and answer together.';
comment on column model.models.output_tokens       is 'Of an answer, at most.';
comment on column model.models.send_dimensions     is 'Whether it is told how long its vectors are to be.';
comment on column model.models.max_inputs          is 'Texts in one request for embeddings.';
comment on column model.models.max_request_tokens  is 'Tokens in one request for embeddings; null: no limit is known.';
comment on column model.models.seconds             is 'A whole answer may take.';
comment on column model.models.first_token_seconds is 'Its first token may take.';
comment on column model.models.silence_seconds     is 'May pass between two tokens.';
insert into model.models (name, purpose, wire_name, dimensions)
values ('offline', 'generate', 'offline', null), ('offline', 'embed', 'offline', 256);

create table model.prices (
    model_id     bigint         not null references model.models on delete cascade,
    kind         text           not null check (kind in ('input', 'cached_input', 'cache_write', 'output', 'request')),
    above_tokens int            not null default 0 check (above_tokens >= 0),
    valid_from   timestamptz    not null,
    valid_to     timestamptz    check (valid_to > valid_from),
    price        numeric(16, 8) not null check (price >= 0),
    primary key (model_id, kind, above_tokens, valid_from)
);
comment on table  model.prices              is 'What models cost, in US dollars.';
comment on column model.prices.kind         is 'Of a million tokens; request: of one call.';
comment on column model.prices.above_tokens is 'For calls with more input tokens than this.';
comment on column model.prices.valid_to     is 'Null: until another one is valid.';

-- No foreign keys but one: a call is history, and outlives what it names.
create sequence model.call_id;
comment on sequence model.call_id is 'Numbers of calls, over all months.';

create table model.calls (
    called_at          timestamptz    not null default now(),
    call_id            bigint         not null default nextval('model.call_id'),
    tenant_id          uuid           not null references access.tenants on delete cascade,
    workspace_id       bigint,
    person_id          uuid,
    purpose            text           not null,
    provider           text           not null,
    model              text           not null,
    agent_version_id   bigint,
    prompt_version_id  bigint,
    turn_id            uuid,
    job_id             bigint,
    trace_id           uuid,
    input_tokens       int            not null default 0,
    cached_tokens      int            not null default 0,
    cache_write_tokens int            not null default 0,
    output_tokens      int            not null default 0,
    reasoning_tokens   int            not null default 0,
    usage_source       text           not null check (usage_source in ('reported', 'estimated')),
    cost               numeric(16, 8) not null default 0,
    first_token_ms     int,
    total_ms           int,
    finish             text,
    fault              text,
    error              text,
    primary key (called_at, call_id)
) partition by range (called_at);
comment on table  model.calls                    is 'What was asked of models and what came of it; a partition a month.';
comment on column model.calls.cached_tokens      is 'Of the input tokens, those the provider had in its cache.';
comment on column model.calls.cache_write_tokens is 'Of the input tokens, those the provider put into its cache.';
comment on column model.calls.usage_source       is 'Tokens as the provider reported them, or estimated as a quarter of the bytes.';
comment on column model.calls.cost               is 'In US dollars, by the prices of that time.';
comment on column model.calls.finish             is 'Why the answer ended; null: there was none.';
create index call_by_tenant on model.calls (tenant_id, called_at);
create index call_by_turn on model.calls (turn_id) where turn_id is not null;

create table model.budgets (
    budget_id    bigint         generated always as identity primary key,
    tenant_id    uuid           not null references access.tenants on delete cascade,
    workspace_id bigint         references knowledge.workspaces on delete cascade,
    person_id    uuid           references access.people on delete cascade,
    period       text           not null check (period in ('day', 'month')),
    cap          numeric(16, 8) not null check (cap >= 0),
    constraint "a tenant, a workspace or a person has one budget a period"
        unique nulls not distinct (tenant_id, workspace_id, person_id, period)
);
comment on table  model.budgets              is 'What may be spent, in US dollars, by a tenant, in one of its workspaces, by one of its people.';
comment on column model.budgets.workspace_id is 'Null: in all of them.';
comment on column model.budgets.person_id    is 'Null: by all of them together.';
comment on column model.budgets.period       is 'Of UTC.';
create index budget_by_workspace on model.budgets (workspace_id);
create index budget_by_person on model.budgets (person_id);

create table model.spending (
    tenant_id uuid           not null references access.tenants on delete cascade,
    budget_id bigint         not null references model.budgets on delete cascade,
    starts_on date           not null,
    spent     numeric(16, 8) not null default 0,
    reserved  numeric(16, 8) not null default 0,
    primary key (budget_id, starts_on)
);
comment on table  model.spending          is 'What of a budget is spent, and what is set aside for calls that are on their way.';

create table model.reservations (
    reservation_id bigint         generated always as identity primary key,
    tenant_id      uuid           not null references access.tenants on delete cascade,
    amount         numeric(16, 8) not null check (amount >= 0),
    budget_ids     bigint[]       not null,
    starts_on      date[]         not null,
    expires_at     timestamptz    not null,
    expired        boolean        not null default false
);
comment on table  model.reservations            is 'Money set aside for calls, until they are settled or have expired.';
comment on column model.reservations.starts_on  is 'Of the period of each budget.';
comment on column model.reservations.expired    is 'The money was given back; what is spent all the same is still counted.';
create index reservation_by_expiry on model.reservations (expires_at);
create index reservation_by_tenant on model.reservations (tenant_id);

alter table model.providers    enable row level security;
alter table model.models       enable row level security;
alter table model.prices       enable row level security;
alter table model.calls        enable row level security;
alter table model.budgets      enable row level security;
alter table model.spending     enable row level security;
alter table model.reservations enable row level security;
