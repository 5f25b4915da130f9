-- Books, podcasts and talks worth a contractor's time, with the place in them where to begin.
set local role concierge_owner;

create table contractor.learning_items (
    learning_item_id uuid           primary key default gen_random_uuid(),
    tenant_id        uuid           not null references access.tenants on delete cascade,
    key              access.slug    not null,
    kind             text           not null check (kind in ('book', 'podcast', 'video', 'article', 'course')),
    title            text           not null check (title <> ''),
    creator          text,
    url              text,
    topics           text[]         not null default '{}',
    goals            text[]         not null default '{}',
    description      text,
    chapters         jsonb          not null default '[]' constraint "chapters are an array" check (jsonb_typeof(chapters) = 'array'),
    embedding        extensions.vector(256),
    constraint "a key names one learning item of a tenant" unique (tenant_id, key)
);
comment on table  contractor.learning_items           is 'Books, podcasts, videos, articles and courses.';
comment on column contractor.learning_items.chapters  is '[{title, starts_at: seconds, or page}] in their order.';
comment on column contractor.learning_items.embedding is 'Unit vector of title, topics, goals and description.';
alter table contractor.learning_items enable row level security;
