/// What the daemon's tests add to the real queue.
///
/// `test.topic` plays the materialized view: dirty when `wanted` is ahead of `made`, refreshed in so many
/// seconds. Nothing else is there to be refreshed. The functions continue jobs: noting the result, taking
/// their time, refusing. What answers said while they were given stays in `test.said`.
let testQueue = """
    -- Else the first end makes it, and the others wait for that.
    select queue.ensure_history_day();
    create schema test;
    grant usage on schema test to concierge_owner, concierge_worker;
    create table test.topic (
        wanted int not null default 0, made int not null default 0, seconds float not null default 0);
    insert into test.topic default values;
    create table test.noted (job_id bigint, result jsonb);
    grant select, update on test.topic to concierge_worker;
    grant select on test.topic to concierge_owner;
    grant insert on test.noted to concierge_owner;

    create function test.due_in() returns float language sql as $$
        select 0 from test.topic where wanted > made $$;
    create procedure test.refresh() language plpgsql as $$
        begin
            perform pg_advisory_lock(7);
            perform pg_sleep((select seconds from test.topic));
            update test.topic set made = wanted;
            commit;
            perform pg_advisory_unlock(7);
        end $$;
    delete from queue.refresh;
    insert into queue.refresh (name, channel, due_function, call)
    values ('topic', 'Odd "name"', 'test.due_in()', 'call test.refresh()');
    create function test.wake() returns trigger language plpgsql as $$
        begin perform pg_notify('Odd "name"', ''); return null; end $$;
    create trigger wake after update of wanted on test.topic for each statement execute function test.wake();

    create function test.note(job_id bigint, result jsonb) returns void language sql as $$
        insert into test.noted values (job_id, result) $$;
    create function test.note_slowly(job_id bigint, result jsonb) returns void language sql as $$
        select pg_sleep(0.7); select test.note(job_id, result) $$;
    create table test.failed (job_id bigint, failure jsonb);
    create table test.said (place bigint generated always as identity, job_id bigint, token bigint, number int, content text);
    grant insert on test.failed, test.said to concierge_owner;
    create function test.note_failure(job_id bigint, failure jsonb) returns void language sql as $$
        insert into test.failed values (job_id, failure) $$;
    create function test.keep() returns trigger language plpgsql as $$
        begin
            insert into test.said (job_id, token, number, content) values (new.job_id, new.token, new.number, new.content);
            return null;
        end $$;
    create trigger keep after insert on queue.emission for each row execute function test.keep();
    create function test.refuse(job_id bigint, result jsonb) returns void language plpgsql as $$
        begin raise 'no such person'; end $$;
    """
