/// The queue as the daemon sees it, in its smallest form.
///
/// `queue.topic` plays the materialized view: dirty when `wanted` is ahead of `made`. A payload's "seconds"
/// make its continuation slow, "error" makes it raise.
let fakeQueue = """
    create schema queue;
    grant usage on schema queue to concierge_worker;
    create table queue.topic (
        wanted int not null default 0, made int not null default 0, seconds float not null default 0);
    insert into queue.topic default values;
    create table queue.job (
        job_id bigint generated always as identity primary key, token bigint not null default 0, kind text not null,
        payload jsonb not null, leased_until timestamptz, result jsonb, error text, worker text);
    grant select, update on queue.topic, queue.job to concierge_worker;

    create function queue.channels() returns table (channel text)
        language sql as $$ values ('queue_job'), ('Odd "name"') $$;
    create function queue.look(kinds text[]) returns table (refresh_calls text[], jobs_due int, next_due_in float)
        language sql as $$
        select array(select 'call queue.refresh()' from queue.topic where wanted > made),
            (select count(*)::int from queue.job where kind = any (kinds) and result is null and error is null
                and coalesce(leased_until < now(), true)), null::float $$;
    create procedure queue.refresh() language plpgsql as $$
        begin
            perform pg_advisory_lock(7);
            perform pg_sleep((select seconds from queue.topic));
            update queue.topic set made = wanted;
            commit;
            perform pg_advisory_unlock(7);
        end $$;
    create function queue.claim(worker text, kinds text[], size int)
        returns table (job_id bigint, token bigint, kind text, payload jsonb) language sql as $$
        update queue.job as j set token = j.token + 1, leased_until = now() + interval '15 s', worker = claim.worker
        where j.job_id in (
            select d.job_id from queue.job as d where d.result is null and d.error is null
                and coalesce(d.leased_until < now(), true) and d.kind = any (kinds)
            order by 1 limit size for update skip locked)
        returning j.job_id, j.token, j.kind, j.payload $$;
    create function queue.extend(id bigint, held bigint) returns boolean language sql as $$
        update queue.job set leased_until = now() + interval '15 s'
        where job_id = id and token = held and result is null and error is null returning true $$;
    create function queue.finish(id bigint, held bigint, outcome jsonb) returns boolean language plpgsql as $$
        begin
            update queue.job set result = outcome where job_id = id and token = held and result is null;
            if not found then return false; end if;
            perform pg_sleep((payload ->> 'seconds')::float) from queue.job where job_id = id;
            if (select payload ? 'error' from queue.job where job_id = id) then raise 'no such person'; end if;
            return true;
        end $$;
    create function queue.fail(id bigint, held bigint, sentence text) returns boolean language sql as $$
        update queue.job set error = sentence where job_id = id and token = held returning true $$;
    create function queue.notify() returns trigger language plpgsql as $$
        begin perform pg_notify(tg_argv[0], ''); return null; end $$;
    create trigger notify after insert on queue.job for each statement execute function queue.notify('queue_job');
    create trigger notify after update of wanted on queue.topic
        for each statement execute function queue.notify('Odd "name"');
    """
