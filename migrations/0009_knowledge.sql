-- From a source to a ranked, permitted, cited passage. What a workspace holds is in partitions of its own: small indexes, a
-- metric of its own, and gone in one statement. No foreign key points into a partitioned table: it would have everybody wait
-- for whoever makes or drops a workspace.
create schema knowledge authorization concierge_owner;
comment on schema knowledge is 'Workspaces, documents, chunks, words and vectors; search in both, fused and explained.';
grant usage on schema knowledge to concierge_app, concierge_admin;

-- Faster than SQL, and equal to it; a server may do without, and have it later.
do $$
begin
    if exists (select from pg_available_extensions where name = 'concierge_native') then
        create extension if not exists concierge_native with schema extensions;
    end if;
end
$$;

set local role concierge_owner;

create table knowledge.workspaces (
    workspace_id    bigint      generated always as identity primary key,
    tenant_id       uuid        not null references access.tenants on delete cascade,
    slug            access.slug not null,
    name            text        not null check (name <> ''),
    languages       text[]      not null default '{english}'
                    constraint "a workspace has one to three languages" check (
                        cardinality(languages) >= 1 and cardinality(languages) <= 3 and array_position(languages, null) is null),
    chunking        text        not null default 'recursive'
                    constraint "there are five ways to cut a text, whole is one" check (
                        chunking in ('recursive', 'markdown', 'rows', 'semantic', 'whole')),
    chunk_unit      text        not null default 'tokens' check (chunk_unit in ('tokens', 'characters')),
    chunk_size      int         not null default 256 check (chunk_size between 16 and 8192),
    chunk_overlap   int         not null default 32,
    bm25_k1         real        not null default 1.2 check (bm25_k1 >= 0),
    bm25_b          real        not null default 0.75 check (bm25_b between 0 and 1),
    fusion          text        not null default 'linear' check (fusion in ('linear', 'rrf')),
    lexical_weight  real        not null default 0.5 check (lexical_weight >= 0),
    vector_weight   real        not null default 0.5 check (vector_weight >= 0),
    document_weight real        not null default 0 check (document_weight between 0 and 1),
    rrf_k           real        not null default 60 check (rrf_k > 0),
    reranker        text,
    rerank_gap      real        not null default 0.05 check (rerank_gap >= 0),
    filters         jsonb       not null default '{}',
    generation_id   bigint,
    created_at      timestamptz not null default now(),
    constraint "a slug names one workspace of a tenant" unique (tenant_id, slug),
    constraint "chunks overlap by less than half" check (chunk_overlap >= 0 and chunk_overlap * 2 < chunk_size),
    constraint "a leg has weight" check (lexical_weight + vector_weight > 0)
);
comment on table  knowledge.workspaces                 is 'What is searched together, and how: retrieval configuration as data.';
comment on column knowledge.workspaces.languages       is 'Text search configurations, for example german; "simple" knows no stems.';
comment on column knowledge.workspaces.chunk_unit      is 'tokens: a quarter of the UTF-8 bytes, rounded up; characters: code points.';
comment on column knowledge.workspaces.chunk_size      is 'A chunk has at most so many.';
comment on column knowledge.workspaces.chunk_overlap   is 'So many of a chunk''s end at most begin the next one, too.';
comment on column knowledge.workspaces.bm25_k1         is 'BM25: how soon a repeated word stops to count.';
comment on column knowledge.workspaces.bm25_b          is 'BM25: how much a long chunk counts less, 0 to 1.';
comment on column knowledge.workspaces.fusion          is 'linear: weighted sum of scaled BM25 and true cosine; rrf: reciprocal ranks.';
comment on column knowledge.workspaces.document_weight is 'How much of a score is the document''s, 0 to 1.';
comment on column knowledge.workspaces.reranker        is 'Model that ranks the best again when they are close; null: none.';
comment on column knowledge.workspaces.rerank_gap      is 'Scores closer than this are close.';
comment on column knowledge.workspaces.filters         is 'Keys of documents'' metadata one may filter by: {"key": "text | number | time | boolean"}.';
comment on column knowledge.workspaces.generation_id   is 'The generation of vectors that search reads; null: none.';

create table knowledge.generations (
    generation_id bigint      generated always as identity primary key,
    workspace_id  bigint      not null references knowledge.workspaces on delete cascade,
    tenant_id     uuid        not null references access.tenants on delete cascade,
    model         text        not null check (model <> ''),
    dimensions    int         not null check (dimensions between 1 and 16000),
    metric        text        not null default 'cosine' check (metric in ('cosine', 'inner_product', 'euclidean')),
    half          boolean     not null default false,
    state         text        not null default 'filling' check (state in ('filling', 'serving', 'kept')),
    created_at    timestamptz not null default now(),
    switched_at   timestamptz
);
comment on table  knowledge.generations             is 'Vectors of one model for one workspace; two models are never mixed in a search.';
comment on column knowledge.generations.model       is 'Whose vectors; "offline" is model.embed_offline.';
comment on column knowledge.generations.metric      is 'How near is measured.';
comment on column knowledge.generations.half        is 'Whether the index holds half-precision numbers: half its size, for over 2,000 dimensions the only way.';
comment on column knowledge.generations.state       is 'filling beside the one that serves; kept to switch back to.';
comment on column knowledge.generations.switched_at is 'When search began, or ceased, to read it.';
create index generation_by_workspace on knowledge.generations (workspace_id);
create unique index "a workspace has one generation that serves" on knowledge.generations (workspace_id) where state = 'serving';
create unique index "a workspace has one generation that fills" on knowledge.generations (workspace_id) where state = 'filling';

alter table knowledge.workspaces add constraint workspace_serves foreign key (generation_id)
    references knowledge.generations on delete set null;
create index workspace_by_generation on knowledge.workspaces (generation_id);

create table knowledge.clearances (
    person_id uuid     primary key references access.people on delete cascade,
    tenant_id uuid     not null references access.tenants on delete cascade,
    level     smallint not null default 0 check (level >= 0),
    groups    text[]   not null default '{}'
);
comment on table  knowledge.clearances        is 'What a person may find; who has no row finds what is at level 0 and of no group.';
comment on column knowledge.clearances.level  is 'Documents up to this level.';
comment on column knowledge.clearances.groups is 'Documents of these groups.';
create index clearance_by_tenant on knowledge.clearances (tenant_id);

create table knowledge.audiences (
    audience_id bigint   generated always as identity primary key,
    tenant_id   uuid     not null references access.tenants on delete cascade,
    level       smallint not null check (level >= 0),
    groups      text[]   not null,
    constraint "an audience is one row" unique (tenant_id, level, groups)
);
comment on table  knowledge.audiences        is 'Who may find something: one number, so that a search knows before it reads a row.';
comment on column knowledge.audiences.level  is 'Who has a lower level does not.';
comment on column knowledge.audiences.groups is 'Who is in none of them does not; sorted; empty: everybody is.';

create table knowledge.documents (
    workspace_id  bigint      not null,
    document_id   uuid        not null default gen_random_uuid(),
    tenant_id     uuid        not null,
    kind          text        not null default 'text' check (kind in ('text', 'qna', 'file', 'page', 'row')),
    key           text        check (length(key) between 1 and 2000),
    parent_id     uuid,
    title         text        not null default '',
    url           text,
    language      text,
    content       text,
    answer        text,
    content_hash  bytea,
    metadata      jsonb       not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    audience_id   bigint      not null,
    status        text        not null default 'created' check (status in ('created', 'processing', 'processed', 'error')),
    sqlstate      text,
    error         text,
    chunk_count   int         not null default 0,
    version       int         not null default 1,
    occurred_at   timestamptz,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (workspace_id, document_id),
    constraint "an answer belongs to a question" check ((answer is not null) <= (kind = 'qna'))
) partition by list (workspace_id);
comment on table  knowledge.documents               is 'What a source said, as one text that citations point into; a partition a workspace.';
comment on column knowledge.documents.kind          is 'text, qna (the question is found, the answer returned), file, page of a site, row of a table.';
comment on column knowledge.documents.key           is 'What its source calls it; added again under it, it replaces itself.';
comment on column knowledge.documents.parent_id     is 'The page or file it is part of.';
comment on column knowledge.documents.language      is 'One of its workspace''s languages; null until it is processed.';
comment on column knowledge.documents.content       is 'The text chunks'' offsets count code points of; null until a file is converted.';
comment on column knowledge.documents.content_hash  is 'SHA-256 of what was added; the same again changes nothing.';
comment on column knowledge.documents.audience_id   is 'Who finds it.';
comment on column knowledge.documents.sqlstate      is 'Why processing failed; null unless it did.';
comment on column knowledge.documents.version       is 'Counts changes of what is indexed: what was begun for an older one is thrown away.';
comment on column knowledge.documents.occurred_at   is 'When what it tells of was, for filters by time.';
create unique index document_by_key on knowledge.documents (workspace_id, key);
create index document_by_hash on knowledge.documents (content_hash);
create index document_by_parent on knowledge.documents (parent_id) where parent_id is not null;
create index document_by_metadata on knowledge.documents using gin (metadata jsonb_path_ops);
create index document_by_time on knowledge.documents (occurred_at) where occurred_at is not null;
create index document_unfinished on knowledge.documents (status) where status <> 'processed';

create sequence knowledge.chunk_id as bigint;
comment on sequence knowledge.chunk_id is 'Chunks of all workspaces; never used twice.';

create table knowledge.chunks (
    workspace_id bigint not null,
    chunk_id     bigint not null default nextval('knowledge.chunk_id'),
    document_id  uuid   not null,
    tenant_id    uuid   not null,
    ordinal      int    not null,
    starts_at    int    not null check (starts_at >= 0),
    ends_at      int    not null,
    content      text   not null,
    heading      text   not null default '',
    content_hash bytea  not null,
    primary key (workspace_id, chunk_id),
    constraint "a chunk is not empty" check (ends_at > starts_at)
) partition by list (workspace_id);
comment on table  knowledge.chunks              is 'Passages: what is found and cited; a partition a workspace.';
comment on column knowledge.chunks.ordinal      is 'Its place in the document, from 0.';
comment on column knowledge.chunks.starts_at    is 'Code points of the document''s content before it.';
comment on column knowledge.chunks.heading      is 'Path of headings it stands under, " > " between them; indexed and embedded with it.';
comment on column knowledge.chunks.content_hash is 'SHA-256 of heading and content: known vectors are used again.';
create unique index chunk_by_document on knowledge.chunks (workspace_id, document_id, ordinal);

-- Narrow, so that scoring thousands reads few pages: the words are only for the index and are kept out of the row.
create table knowledge.lexical (
    workspace_id  bigint                not null,
    chunk_id      bigint                not null,
    document_id   uuid                  not null,
    audience_id   bigint                not null,
    length        int                   not null,
    words         tsvector              not null,
    weights       extensions.sparsevec  not null,
    primary key (workspace_id, chunk_id)
) partition by list (workspace_id);
comment on table  knowledge.lexical               is 'The words of chunks, for BM25; a partition a workspace.';
comment on column knowledge.lexical.audience_id is 'As the document''s.';
comment on column knowledge.lexical.length      is 'How many words.';
comment on column knowledge.lexical.words       is 'What the GIN index finds candidates by, and phrases are matched in.';
comment on column knowledge.lexical.weights     is 'BM25 weight without IDF by knowledge.dimension(word): tf / (tf + k1 (1 - b + b length / average)).';
alter table knowledge.lexical alter column words set storage external;
create index lexical_by_words on knowledge.lexical using gin (words);
create index lexical_by_document on knowledge.lexical (document_id);

create table knowledge.terms (
    workspace_id bigint           not null,
    lexeme       text collate "C" not null,
    chunk_count  int              not null,
    max_weight   real             not null,
    primary key (workspace_id, lexeme)
) partition by list (workspace_id);
comment on table  knowledge.terms             is 'Document frequencies, of what knowledge.count_words has counted; a partition a workspace.';
comment on column knowledge.terms.chunk_count is 'How many counted chunks have it.';
comment on column knowledge.terms.max_weight  is 'The largest weight it has, or had, in any.';

create table knowledge.statistics (
    workspace_id   bigint      primary key references knowledge.workspaces on delete cascade,
    chunk_count    bigint      not null default 0,
    word_count     bigint      not null default 0,
    average_length real        not null default 100 check (average_length > 0),
    counted_at     timestamptz not null default now()
);
comment on table  knowledge.statistics                is 'What BM25 needs to know of a whole workspace.';
comment on column knowledge.statistics.chunk_count    is 'Counted chunks.';
comment on column knowledge.statistics.word_count     is 'Of counted chunks.';
comment on column knowledge.statistics.average_length is 'Words a chunk, as the stored weights assume; they are made anew when it is a tenth off.';

create table knowledge.uncounted (
    workspace_id bigint  not null references knowledge.workspaces on delete cascade,
    chunk_id     bigint  not null,
    lexemes      text[],
    length       int,
    primary key (workspace_id, chunk_id)
);
comment on table  knowledge.uncounted            is 'Chunks that came, or went, since statistics were last counted: searched one by one, and exactly.';
comment on column knowledge.uncounted.lexemes is 'Null: it came. Else the words of one that was counted, and went.';
comment on column knowledge.uncounted.length     is 'Of one that went.';

create table knowledge.embeddings (
    generation_id bigint             not null,
    chunk_id      bigint             not null,
    document_id   uuid               not null,
    audience_id   bigint             not null,
    content_hash  bytea              not null,
    embedding     extensions.vector  not null,
    primary key (generation_id, chunk_id)
) partition by list (generation_id);
comment on table  knowledge.embeddings           is 'Vectors of chunks; a partition a generation, with its own dimensions, metric and index.';
comment on column knowledge.embeddings.embedding is 'In the row where it fits: one out of line is read five times slower.';
create index embedding_by_document on knowledge.embeddings (document_id);
create index embedding_by_audience on knowledge.embeddings (audience_id);
create index embedding_by_hash on knowledge.embeddings (content_hash);

create table knowledge.pending_vectors (
    generation_id bigint      not null references knowledge.generations on delete cascade,
    chunk_id      bigint      not null,
    content_hash  bytea       not null,
    asked_at      timestamptz not null default now(),
    failed        text,
    primary key (generation_id, chunk_id)
);
comment on table  knowledge.pending_vectors              is 'Chunks whose vectors a model was asked for.';
comment on column knowledge.pending_vectors.content_hash is 'As the chunk''s: one answer is for all that have it.';
comment on column knowledge.pending_vectors.failed       is 'Why it was given up; queue.retry asks again.';
create index pending_vectors_by_hash on knowledge.pending_vectors (generation_id, content_hash);

create table knowledge.document_embeddings (
    generation_id bigint            not null,
    document_id   uuid              not null,
    embedding     extensions.vector not null,
    primary key (generation_id, document_id)
) partition by list (generation_id);
comment on table knowledge.document_embeddings is 'One vector a document: the mean of its chunks'' unit vectors.';

create type knowledge.weighed_term as (
    lexeme      text,
    chunk_count bigint,
    factor      real,
    bound       real
);
comment on type knowledge.weighed_term is 'A word of a query: in how many chunks, what its weights are multiplied by, and what it adds at most.';

create type knowledge.fused as (
    chunk_id       bigint,
    score          real,
    lexical_score  real,
    lexical_rank   int,
    vector_score   real,
    vector_rank    int,
    document_score real
);
comment on type knowledge.fused is 'A candidate with the scores its place comes from.';

create type knowledge.passage as (
    chunk_id      bigint,
    document_id   uuid,
    document_key  text,
    kind          text,
    title         text,
    url           text,
    heading       text,
    content       text,
    answer        text,
    starts_at     int,
    ends_at       int,
    score         real,
    lexical_score real,
    lexical_rank  int,
    vector_score  real,
    vector_rank   int,
    path          text
);
comment on type knowledge.passage is 'What a search returns: a passage, where it stands (code points of its document), its scores and ranks.';

create type knowledge.sentence as (
    place       int,
    document_id uuid,
    chunk_id    bigint,
    content     text,
    starts_at   int,
    ends_at     int,
    score       real
);
comment on type knowledge.sentence is 'A sentence that says something about a query, and where it stands in its document.';

create table knowledge.indexes (
    workspace_id   bigint not null references knowledge.workspaces on delete cascade,
    name           text   not null check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    filters        jsonb  not null default '{}',
    lexical_weight real   check (lexical_weight >= 0),
    vector_weight  real   check (vector_weight >= 0),
    primary key (workspace_id, name)
);
comment on table  knowledge.indexes                is 'Parts of a workspace that are searched by themselves: incident, faq, …';
comment on column knowledge.indexes.filters        is 'Which documents, as filters of a search.';
comment on column knowledge.indexes.lexical_weight is 'Instead of the workspace''s; null: the same.';
comment on column knowledge.indexes.vector_weight  is 'Instead of the workspace''s; null: the same.';

create table knowledge.routes (
    workspace_id bigint not null,
    priority     int    not null,
    pattern      text   not null,
    name         text   not null,
    primary key (workspace_id, priority),
    foreign key (workspace_id, name) references knowledge.indexes on delete cascade
);
comment on table  knowledge.routes          is 'Which index a query goes to, when it names none: that of the first pattern it matches.';
comment on column knowledge.routes.priority is 'The lowest is tried first.';
comment on column knowledge.routes.pattern  is 'Regular expression, whatever the case.';
create index route_by_index on knowledge.routes (workspace_id, name);

create table knowledge.content_changes (
    workspace_id bigint not null references knowledge.workspaces on delete cascade,
    change_id    bigint not null generated always as identity,
    weight       bigint not null default 1,
    primary key (workspace_id, change_id)
);
comment on table  knowledge.content_changes        is 'One row a change of what a search may find; their sum is the version of the content a snapshot sees.';
comment on column knowledge.content_changes.weight is 'How many changes it stands for: old rows are folded into one.';

-- Without a foreign key: who searches must not stop who drops a workspace.
create unlogged table knowledge.found_before (
    key     bytea       primary key,
    found   jsonb       not null,
    made_at timestamptz not null default now()
);
comment on table  knowledge.found_before     is 'Results of searches, for the next one like it; lost with a crash, and forgotten after ten minutes.';
comment on column knowledge.found_before.key is 'SHA-256 of workspace, version of its content, audiences and every argument.';
create index found_before_by_age on knowledge.found_before (made_at);

create table knowledge.query_vectors (
    tenant_id  uuid               not null references access.tenants on delete cascade,
    model      text               not null,
    query_hash bytea              not null,
    embedding  extensions.vector  not null,
    made_at    timestamptz        not null default now(),
    primary key (tenant_id, model, query_hash)
);
comment on table  knowledge.query_vectors            is 'Vectors of queries a model has been asked for.';
comment on column knowledge.query_vectors.query_hash is 'SHA-256 of the query.';
create index query_vectors_by_age on knowledge.query_vectors (made_at);

-- Counted so, nobody waits for anybody, and a search that is rolled back counts as well.
create sequence knowledge.results_known;
create sequence knowledge.results_new;
create sequence knowledge.vectors_known;
create sequence knowledge.vectors_new;
comment on sequence knowledge.results_known is 'Searches answered from knowledge.found_before.';
comment on sequence knowledge.results_new   is 'Searches that were not.';
comment on sequence knowledge.vectors_known is 'Queries whose vector was in knowledge.query_vectors.';
comment on sequence knowledge.vectors_new   is 'Queries whose vector was not.';

alter table knowledge.indexes             enable row level security;
alter table knowledge.routes              enable row level security;
alter table knowledge.content_changes     enable row level security;
alter table knowledge.found_before        enable row level security;
alter table knowledge.query_vectors       enable row level security;
alter table knowledge.workspaces          enable row level security;
alter table knowledge.generations         enable row level security;
alter table knowledge.clearances          enable row level security;
alter table knowledge.audiences           enable row level security;
alter table knowledge.documents           enable row level security;
alter table knowledge.chunks              enable row level security;
alter table knowledge.lexical             enable row level security;
alter table knowledge.terms               enable row level security;
alter table knowledge.statistics          enable row level security;
alter table knowledge.uncounted           enable row level security;
alter table knowledge.embeddings          enable row level security;
alter table knowledge.pending_vectors     enable row level security;
alter table knowledge.document_embeddings enable row level security;
