-- What the fault tests write: a unit and its job in one transaction; and what is seen of it: the effect its continuation
-- leaves, and the bodies that reach the receiver. Nothing here is unique that a fault might double: that would hide it.
create schema fault;

create table fault.unit (
    tag     text        primary key,
    way     text        not null,
    job_id  bigint      not null,
    made_at timestamptz not null default clock_timestamp()
);
comment on table  fault.unit     is 'A unit exists if, and only if, its transaction was committed.';
comment on column fault.unit.way is 'call, plain, deliver, told, group or poison: see fault.add.';

create table fault.effect (
    tag       text,
    job_id    bigint      not null,
    execution int,
    at        timestamptz not null default clock_timestamp()
);
comment on table  fault.effect           is 'What continuations did.';
comment on column fault.effect.tag       is 'Null when no unit has that job.';
comment on column fault.effect.execution is 'The claim whose delivery was answered; null for a call.';

create table fault.receipt (
    tag       text        not null,
    key       text        not null,
    execution int         not null,
    at        timestamptz not null
);
comment on table fault.receipt is 'Every body the receiver saw, as it tells at the end.';

create table fault.acknowledged (tag text not null);
comment on table fault.acknowledged is 'Units whose COMMIT the writer saw succeed.';

create table fault.mark (at timestamptz not null);
comment on table fault.mark is 'When a fault was over, and recovery began.';

-- Half of the ways end in a continuation; "group" runs three at a time.
create function fault.add(tag text, way text, url text, max_attempts int, seconds int default 20)
    returns void
    language sql volatile
begin atomic
    insert into fault.unit (tag, way, job_id)
    values (add.tag, add.way, queue.enqueue(
        kind => case when add.way in ('call', 'plain') then 'call' else 'deliver' end,
        payload => case when add.way in ('call', 'plain') then '{}'::jsonb
            else jsonb_build_object('url', add.url, 'body', add.tag, 'media_type', 'text/plain',
                'seconds', add.seconds) end,
        continuation => case when add.way not in ('plain', 'told') then 'fault.record' end,
        concurrency_group => case add.way when 'group' then 'three' end,
        max_attempts => add.max_attempts));
end;

-- Takes the session of whoever ends the job down with it.
create function fault.hang_up()
    returns void
    language sql volatile security definer
begin atomic
    select pg_terminate_backend(pg_backend_pid());
end;

create function fault.record(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile
as $$
begin
    -- Where a test holds it, time stands still in a continuation.
    perform pg_advisory_xact_lock_shared(4711);
    if exists (select from fault.unit as u where u.job_id = record.job_id and u.way = 'poison') then
        if exists (select from fault.unit as u where u.job_id = record.job_id and u.tag like 'hangs up%') then
            perform fault.hang_up();
        end if;
        raise exception 'this one never ends well';
    end if;
    insert into fault.effect (tag, job_id, execution)
    values ((select u.tag from fault.unit as u where u.job_id = record.job_id), record.job_id,
        (record.result ->> 'text')::int);
end
$$;

create index on fault.unit (job_id);
select queue.limit_concurrency('three', 3);
-- Continuations run as the owner of the queue.
grant usage on schema fault to concierge_owner;
grant select, insert on all tables in schema fault to concierge_owner;
grant execute on all functions in schema fault to concierge_owner;
