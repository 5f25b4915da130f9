-- Text as it comes: who may write it, in what order it is read, when it is gone. And jobs whose maker has another way.
begin;
select no_plan();
delete from queue.refresh;

create function test.job(id bigint) returns queue.job language sql as $$ select j.* from queue.job as j where j.job_id = id $$;
create function test.dead(id bigint) returns queue.dead_letter language sql as $$ select d.* from queue.dead_letter as d where d.job_id = id $$;
create function test.claim(worker text default 'w') returns bigint[] language sql as $$ select coalesce(array_agg(job_id order by job_id), '{}') from queue.claim(worker, '{generate, call}', 100) $$;
-- A job that runs.
create function test.running(kind text default 'generate') returns bigint language sql as $$
    insert into queue.job (kind, state, worker, attempts, token) values (kind, 'running', 'w', 1, 1) returning job_id $$;
create function test.emit(id bigint, content text, token bigint default null) returns bigint[] language sql as $$ select queue.emit(array[id], array[coalesce(token, (test.job(id)).token)], array[content]) $$;
-- What a reader sees.
create function test.read(id bigint) returns text language sql as $$ select string_agg(content, '' order by token, number) from queue.emission where job_id = id $$;
create function test.make_due() returns void language sql as $$ update queue.job set run_at = clock_timestamp() where state = 'ready' $$;
create function test.lose_lease() returns void language sql as $$ update queue.worker set leased_until = clock_timestamp() - interval '1 second' $$;

-- Shape.
select is((select relpersistence from pg_class where oid = 'queue.emission'::regclass), 'u'::"char", 'Text on its way is not worth a log');
select is((select relrowsecurity from pg_class where oid = 'queue.emission'::regclass), true, 'and is closed but for its policies');
select table_privs_are('queue', 'emission', 'concierge_worker', '{}', 'The daemon writes it by a function only');
select table_privs_are('queue', 'emission', 'concierge_app', '{}', 'an app reads it by functions of other schemas');
select table_privs_are('queue', 'emission', 'concierge_admin', '{SELECT}', 'and an operator may look');
select function_privs_are('queue', 'emit', '{bigint[],bigint[],text[],int[]}', 'concierge_app', '{}', 'An app puts no words into a model''s mouth');

-- Nothing is said.
select is(queue.emit('{}', '{}', '{}'), '{}', 'Nothing to say is nothing to stop');
select is(queue.emit('{9}', '{1}', '{a}'), '{9}', 'A job that is not there is to be stopped');
select is_empty('select from queue.emission', 'and says nothing');

-- Text.
create temp table one as select test.running() as id;
select is(test.emit(id, 'Grü'), '{}', 'A job that runs says something') from one;
select is(test.emit(id, 'ße, «"{,}\'), '{}', 'and more') from one;
select is(test.read(id), 'Grüße, «"{,}\', 'to be read in its order') from one;
select results_eq('select number from queue.emission order by number', 'values (1), (2)', 'by numbers from 1');
select is(queue.emit(array[id, id], '{1,1}', '{a,b}'), '{}', 'Two pieces of one job') from one;
select is(test.read(id), 'Grüße, «"{,}\ab', 'follow one another') from one;
select is(queue.emit(array[id], '{1}', '{b}', '{4}'), '{}', 'A piece that is told again') from one;
select is(test.read(id), 'Grüße, «"{,}\ab', 'is there once') from one;
select is(queue.emit(array[id], '{1}', '{c}', '{5}'), '{}', 'and one that follows by its number') from one;
select is(test.read(id), 'Grüße, «"{,}\abc', 'comes after it') from one;
select ok(bool_and(emitted_at between now() and clock_timestamp()), 'Each has its time') from queue.emission;

-- Who may not.
create temp table mixed as select test.running() as good, test.running() as stale, test.running() as gone, test.running() as waits, test.running('call') as call;
update queue.job set token = 2 from mixed where job_id = stale;
delete from queue.job using mixed where job_id = gone;
update queue.job set state = 'ready', worker = null from mixed where job_id = waits;
update queue.job set cancel_requested = true from one where job_id = id;
select is(queue.emit(array[good, stale, id, gone, waits, call], '{1,1,1,1,1,1}', '{a,a,a,a,a,a}'), array[id, stale, gone, waits, call],
    'One call for all: those to be stopped are taken back, another''s, over, waiting, or have nothing to say') from mixed, one;
select is(array[test.read(good), test.read(stale), test.read(gone), test.read(waits), test.read(call)], array['a', null, null, null, null]::text[], 'and of them only what runs says anything') from mixed;
delete from queue.job; delete from queue.emission;

-- A new attempt begins anew.
create temp table again as select test.running() as id;
select test.emit(id, 'old') from again;
update queue.job set token = 2;
select is(test.read(id), 'old', 'Until the next attempt says something, the last one''s words stand') from again;
select is(test.emit(id, 'new'), '{}', 'It does') from again;
select is(test.read(id), 'new', 'and they are gone') from again;
select is(test.emit(id, 'late', 1), array[id], 'Who comes late is stopped') from again;
select is(test.read(id), 'new', 'and not heard') from again;

-- However an attempt ends, its text goes.
create function test.ends(how text) returns text language plpgsql as $$
declare v_id bigint := test.running(); v_other bigint := test.running(); begin
    insert into queue.worker (worker, leased_until) values ('w', now() + interval '1 hour') on conflict (worker) do update set leased_until = excluded.leased_until;
    perform test.emit(v_id, 'text'), test.emit(v_other, 'other');
    execute replace(how, 'ID', v_id::text);
    return concat_ws('/', coalesce(test.read(v_id), 'gone'), test.read(v_other));
end $$;
select is(test.ends(how), 'gone/other', words) from (values
    ('select queue.finish(ID, 1)', 'finished'), ('select queue.finish_many(''{ID}'', ''{1}'', ''{"{}"}'')', 'finished with others'),
    ('select queue.fail(ID, 1, ''x'')', 'failed, to be tried again'), ('select queue.fail(ID, 1, ''x'', ''config'')', 'parked'),
    ('select queue.fail(ID, 1, ''x'', final => true)', 'given up'), ('select queue.cancel(ID), queue.fail(ID, 1, ''x'')', 'taken back'),
    ('select queue.extend(''w'', in_hand => (select array_agg(job_id) from queue.job where job_id <> ID))', 'lost on the way')) as h (how, words);
delete from queue.job; delete from queue.emission;
create temp table lost as select test.running() as id;
select test.emit(id, 'text') from lost;
select test.lose_lease();
select is(queue.recover(), 1, 'A worker is lost') from lost;
select is(test.read(id), null, 'and what its job said') from lost;
select is(test.claim(), array[id], 'It runs again') from lost;
select test.emit(id, 'text') from lost;
select is(queue.release('w'), 1, 'and is given back') from lost;
select is_empty('select from queue.emission', 'without its words');

-- What is left all the same is for upkeep.
insert into queue.emission (job_id, token, number, content) select id, t, 1, 'x' from lost, unnest(array[1, 2]) as t union all select -1, 1, 1, 'x';
update queue.job set state = 'running', worker = 'w' from lost where job_id = id;
update queue.upkeep_state set done_at = 'epoch';
insert into queue.worker (worker, leased_until) values ('w', now() + interval '1 hour') on conflict (worker) do nothing;
select queue.upkeep();
select results_eq('select token from queue.emission', 'values (2::bigint)', 'Upkeep leaves what an attempt is saying, and nothing else');
delete from queue.job; delete from queue.emission;

-- Who gives up: every fault counts.
create temp table told (job_id bigint, failure jsonb);
grant insert on told to concierge_owner;
create function test.told(job_id bigint, failure jsonb) returns void language sql as $$ insert into pg_temp.told values (job_id, failure) $$;
grant execute on function test.told(bigint, jsonb) to concierge_owner;
create function test.add(provider text, gives_up boolean default true, max_attempts int default 2, priority int default 1, rate_group text default null) returns bigint language sql as $$
    select queue.enqueue('generate', on_failure => 'test.told', provider => $1, gives_up => $2, max_attempts => $3, priority => $4, rate_group => $5) $$;
create function test.fail(id bigint, fault text, retry_after interval default null, reason text default null) returns boolean language sql as $$ select queue.fail(j.job_id, j.token, 'because', $2, $3, reason => $4) from queue.job as j where j.job_id = $1 $$;
create function test.clean() returns void language sql as $$ delete from queue.job; delete from queue.dead_letter; delete from queue.breaker_state; delete from queue.closed_gate; delete from queue.rate_limit; delete from told $$;

select is((test.job(queue.enqueue('generate'))).gives_up, false, 'Who says nothing does not give up');
select is((test.job(queue.enqueue('generate', key => 'k', gives_up => true))).gives_up, true, 'with a key, too, who says so does');
select is((test.job(queue.enqueue('generate', key => 'k', on_conflict => 'replace'))).gives_up, false, 'and who takes the place has a say of its own');
select results_eq($$ select (test.job(e)).gives_up from queue.enqueue_many('[{"kind": "generate", "gives_up": true}, {"kind": "generate"}]') as e $$, 'values (true), (false)', 'of many, each');
select results_eq($$ select (test.job(e)).gives_up from queue.enqueue_many('[{"kind": "generate", "key": "l", "gives_up": true}, {"kind": "generate"}]') as e $$, 'values (true), (false)', 'with keys as well');
select test.clean();

create temp table faults as select fault, test.add(fault) as id from unnest(array['item', 'provider', 'rate']) as fault;
select cardinality(test.claim());
select test.fail(id, fault) from faults;
select is(row(state, attempts)::text, row('ready', 1)::text, 'A fault counts: ' || fault) from faults, test.job(id);
select ok(j.run_at - clock_timestamp() between interval '0.5 s' and interval '1.25 s', 'and is tried again in a second: ' || fault) from faults, test.job(id) as j;
select test.make_due(); update queue.rate_limit set blocked_until = '-infinity';
select cardinality(test.claim());
select test.fail(id, fault, reason => 'overloaded') from faults;
select is(row(d.fault, d.attempts, d.gives_up, d.reason)::text, row(f.fault, 2, true, 'overloaded')::text, 'The second is the last: ' || f.fault) from faults as f, test.dead(f.id) as d;
select is(row(failure ->> 'fault', failure ->> 'reason')::text, row(f.fault, 'overloaded')::text, 'and who has another way learns of it: ' || f.fault) from faults as f join told on job_id = f.id;
select is(queue.retry(id), true, 'An operator may have it done all the same') from faults where fault = 'item';
select is((test.job(id)).gives_up, true, 'and it gives up as before') from faults where fault = 'item';
select test.clean();

create temp table waits as select test.add('p') as short, test.add('q') as long;
select cardinality(test.claim());
select test.fail(short, 'provider', '4 seconds'), test.fail(long, 'provider', '1 minute') from waits;
select ok((test.job(short)).run_at - clock_timestamp() between interval '3 s' and interval '4 s', 'A few seconds are waited when somebody asks for them') from waits;
select ok((test.job(long)).run_at - clock_timestamp() < interval '1.25 s', 'more than five are not') from waits;
select test.clean();

create temp table config as select test.add('p') as id, test.add('p', gives_up => false) as patient;
select cardinality(test.claim());
select test.fail(id, 'config', reason => 'quota'), test.fail(patient, 'config', reason => 'quota') from config;
select is((test.dead(id)).fault, 'config', 'What a person would have to mend ends it') from config;
select is((test.job(patient)).state, 'parked', 'where there is no other way, it waits for that person') from config;
select test.clean();

-- An open breaker.
insert into queue.breaker_state (provider, state, faults, openings, retry_at, last_error) values ('p', 'open', 3, 1, clock_timestamp() + interval '1 minute', 'HTTP status 503');
create temp table shut as select test.add('p') as id, test.add('p', gives_up => false) as patient, test.add('q') as other;
select is(test.claim(), array[other], 'Whose provider is well runs') from shut;
select is((test.job(patient)).state, 'held', 'who has no other way waits') from shut;
select is(row(d.fault, d.reason, d.error, d.attempts)::text, row('provider', 'unavailable', 'its provider is down: HTTP status 503', 0)::text, 'who has one takes it') from shut, test.dead(id) as d;
select is(failure - 'payload', '{"state": "dead", "fault": "provider", "reason": "unavailable", "error": "its provider is down: HTTP status 503", "sqlstate": null}', 'at once') from shut join told on job_id = id;
update queue.breaker_state set retry_at = clock_timestamp();
delete from queue.job using shut where job_id = patient;
create temp table probe as select test.add('p', max_attempts => 9) as id;
select is(test.claim(), array[id], 'It may be the one that finds out whether the provider is back') from probe;
select test.fail(id, 'provider') from probe;
select is((test.dead(id)).fault, 'provider', 'and ends when it is not, whatever attempts are left') from probe;
select test.clean();
create temp table opens as select array_agg(test.add('p', max_attempts => 9) order by i) as p from generate_series(1, 3) as i;
select cardinality(test.claim());
select test.fail(id, 'provider') from opens, unnest(p) as id;
select is((select array_agg(job_id) from queue.dead_letter), p[3:3], 'Who opens the breaker ends with it') from opens;
select test.make_due();
select is(test.claim(), '{}', 'and the others when they come to it');
select is((select count(*) from queue.dead_letter), 3::bigint, 'without another attempt');
select test.clean();

-- A rate.
select queue.limit_concurrency('one', 1);
create temp table rated as select test.add('p', rate_group => 'r', max_attempts => 9) as long, test.add('p', rate_group => 's', max_attempts => 9) as short, test.add('p', rate_group => 'r', gives_up => false) as patient;
select cardinality(test.claim());
select test.fail(long, 'rate', '20 seconds'), test.fail(short, 'rate', '3 seconds'), test.fail(patient, 'rate', '20 seconds') from rated;
select is(array[(test.job(long)).state, (test.job(short)).state, (test.job(patient)).state], '{ready,ready,held}', 'Who has no other way waits at the gate') from rated;
select test.make_due();
select is(test.claim(), '{}', 'All are to wait');
select is(row((test.job(short)).held_by, (test.dead(long)).fault, (test.dead(long)).reason)::text, row('rate:s', 'rate', 'rate_limited')::text, 'who has another way for seconds, and not for longer') from rated;
select test.clean();
insert into queue.job (kind, state, worker, concurrency_group) values ('generate', 'running', 'v', 'one');
create temp table grouped as select queue.enqueue('generate', concurrency_group => 'one', gives_up => true) as id;
select is(test.claim(), '{}', 'A place in a group') union all select is((test.job(id)).state, 'held', 'is waited for') from grouped;
select test.clean();

-- For good.
create temp table final as select test.add(null, gives_up => false, max_attempts => 9) as id;
select cardinality(test.claim());
select is(queue.fail(id, 1, 'no', reason => 'refusal', final => true), true, 'What no attempt can mend') from final;
select is(row(d.fault, d.reason, d.attempts)::text, row('item', 'refusal', 1)::text, 'is given up at once') from final, test.dead(id) as d;
select is(failure ->> 'reason', 'refusal', 'with the reason') from told;

select * from finish();
rollback;
