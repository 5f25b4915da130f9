-- Workers at the same time: they never wait for each other and never get the same job. Commits, in a throw-away database.
select no_plan();
create extension dblink;
create function test.here() returns text language sql as $$
    select format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user) $$;
select dblink_connect('one', test.here()), dblink_connect('two', test.here()), dblink_connect('ear', test.here());
select dblink_exec(c, 'set lock_timeout = ''3s''') from unnest(array['one', 'two']) as c;
select dblink_exec('ear', 'listen queue_job');
create function test.claimed(c text, n int) returns setof bigint language sql as $$
    select d.job_id from dblink(c, format('select job_id from queue.claim(%L, ''{deliver}'', %s)', c, n)) as d (job_id bigint) $$;

-- What has been heard; the round trip before it lets what is under way arrive.
create function test.heard() returns table (channel text, payload text) language plpgsql as $$
begin
    perform d.x from dblink('ear', 'select 1') as d (x int);
    return query select n.notify_name, n.extra from dblink_get_notify('ear') as n;
end
$$;

-- Skip locked.
insert into queue.job (kind, run_at) select 'deliver', now() - i * interval '1 minute' from generate_series(1, 4) as i;
select dblink_exec('one', 'begin'), dblink_exec('two', 'begin');
create temp table got as select 'one' as worker, j as job_id from test.claimed('one', 2) as j;
insert into got select 'two', j from test.claimed('two', 10) as j;
select is((select count(*) from got where worker = 'two'), 2::bigint, 'Without waiting, the second worker gets what the first has not taken');
select is((select count(distinct job_id) from got), 4::bigint, 'No job is given to both');
select dblink_exec('one', 'rollback'), dblink_exec('two', 'commit');
select set_eq($$ select j from test.claimed('one', 10) as j $$, $$ select job_id from got where worker = 'one' $$, 'What the first gave back by rolling back is there again');

-- Jobs whose worker is lost on the last attempt are buried by one, and nobody waits for that either.
update queue.job set leased_until = now() - interval '1 second', attempts = max_attempts;
select dblink_exec('one', 'begin');
select is_empty($$ select * from test.claimed('one', 10) $$, 'The exhausted are not claimed');
select lives_ok($$ select * from test.claimed('two', 10) $$, 'A second worker does not wait while they are buried');
select dblink_exec('one', 'commit');
select is((select count(*) from queue.job where state = 'dead'), 4::bigint, 'They are dead');

-- Finish against claim: whoever is first, the job is done once.
insert into queue.job (kind, state, worker, leased_until, attempts, token) values ('deliver', 'running', 'one', now() - interval '1 second', 1, 1);
select dblink_exec('one', 'begin');
select is(d.done, true, 'A late worker is finishing') from dblink('one', $$ select queue.finish(job_id, 1) from queue.job where state = 'running' $$) as d (done boolean);
select is_empty($$ select * from test.claimed('two', 1) $$, 'Nobody claims the job from under it');
select dblink_exec('one', 'commit');
select is_empty($$ select * from test.claimed('two', 1) $$, 'nor after it');

-- The same key at the same time.
select dblink_exec('one', 'begin');
create temp table first as select d.job_id from dblink('one', $$ select queue.enqueue('deliver', key => 'k', run_at => 'infinity') $$) as d (job_id bigint);
select dblink_exec('two', 'set lock_timeout = 0');
select dblink_send_query('two', $$ select queue.enqueue('deliver', key => 'k', run_at => 'infinity') $$);
select pg_sleep(0.2);
select is(dblink_is_busy('two'), 1, 'The second waits to know what becomes of the first');
select dblink_exec('one', 'commit');
select is(d.job_id, f.job_id, 'and gets its job') from first as f, dblink_get_result('two') as d (job_id bigint);
select is_empty($$ select * from dblink_get_result('two') as d (job_id bigint) $$, 'and that is all');

-- A look is all a notification says.
select is_empty($$ select * from test.heard() where payload <> '' $$, 'It carries nothing');
select queue.enqueue('deliver');
select results_eq($$ select * from test.heard() $$, $$ values ('queue_job', '') $$, 'A new job wakes daemons');
begin;
select count(queue.enqueue('deliver')) from generate_series(1, 10);
commit;
select is((select count(*) from test.heard()), 1::bigint, 'Ten in a transaction wake them once');
select dblink_exec('one', 'begin');
select d.* from dblink('one', $$ select queue.enqueue('deliver') $$) as d (job_id bigint);
select queue.enqueue('deliver');
select is((select count(*) from test.heard()), 0::bigint, 'While another is about to notify, nobody queues behind it');
select dblink_exec('one', 'commit');
select is((select count(*) from test.heard()), 1::bigint, 'and it does');

select dblink_disconnect(c) from unnest(array['one', 'two', 'ear']) as c;
select * from finish();
