-- What a model says can be read while it says it; and a job whose maker has another way does not wait for long.
set local role concierge_owner;

-- sql/ makes them anew, with more arguments: beside the old ones a call would not know which is meant. The two of knowledge are
-- bound to the old queue.enqueue.
-- allow D305, D307: in the same run
drop function if exists knowledge.fetch_page(knowledge.sites, text, text, text),
    knowledge.fetch_for_site(knowledge.sites, text, text, text, text, jsonb),
    queue.enqueue(text, jsonb, text, timestamptz, text, uuid, int, text, int, text, text, double precision, text, timestamptz, text, uuid),
    queue.fail(bigint, bigint, text, text, interval, text), queue.bury(queue.job, text, text, text);

alter table queue.job add column gives_up boolean not null default false;
comment on column queue.job.gives_up is
    'Every fault counts as an attempt, a provider whose breaker is open ends it at once, and a fault of configuration ends it
instead of parking it: who enqueued it has another way.';

alter table queue.dead_letter
    add column gives_up boolean not null default false,
    add column reason   text;
comment on column queue.dead_letter.fault    is
    'What gave up: item, lost (its worker, on the last attempt) or deadline; of a job that gives up soon, or for good, any fault.';
comment on column queue.dead_letter.gives_up is 'As the job has it.';
comment on column queue.dead_letter.reason   is 'The provider''s kind of fault, as a model call tells it: rate_limited, content_filter, ….';

-- Unlogged: half an answer is of no use after a crash, whose job is done again from the beginning.
create unlogged table queue.emission (
    job_id     bigint      not null,
    token      bigint      not null,
    number     int         not null,
    content    text        not null,
    emitted_at timestamptz not null default clock_timestamp(),
    primary key (job_id, token, number)
);
comment on table  queue.emission            is 'The text of an answer that is still being given, piece by piece; gone when its attempt ends.';
comment on column queue.emission.token      is 'Of the attempt. Only the highest of a job counts.';
comment on column queue.emission.number     is 'From 1, in the order of the text. After a crash of the server the first ones may be missing.';
comment on column queue.emission.emitted_at is 'When it could be read, but for the commit.';

alter table queue.emission enable row level security;
