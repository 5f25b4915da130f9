-- Writers of a table that is watched wait neither for each other nor for what indexes their rows; what they write while it is
-- indexed is not lost.
create table public.items (id int primary key, body text);
grant select, trigger on public.items to concierge_owner;
grant usage on schema public to concierge_owner;
insert into public.items select n, 'first ' || n from generate_series(1, 10) as n;
select set_config('request.jwt', access.issue_token('acme', 'olga'), false);
select knowledge.create_workspace('w', 'W', model => null);
select knowledge.watch('public.items', 'acme', 'w', '', '{body}');
update queue.job set run_at = now();
select queue.finish(job_id, token) from queue.claim('main', '{call}', 100);
update queue.job set run_at = now();
select queue.finish(job_id, token) from queue.claim('main', '{call}', 100);
select count(*) from knowledge.documents where status = 'processed';
--| 10

-- session: one
begin;
update public.items set body = 'one' where id = 1;
-- session: two
begin;
-- A second writer does not wait for the first.
update public.items set body = 'two' where id = 2;
commit;
-- session: main
update queue.job set run_at = now();
begin;
select queue.finish(job_id, token) from queue.claim('main', '{call}', 100);
-- What is committed is indexed.
select content from knowledge.documents where key in ('public.items:1', 'public.items:2') order by key;
--| first 1
--| two
-- session: two
begin;
-- Nor does one wait for what is being indexed.
update public.items set body = 'two again' where id = 2;
commit;
-- session: one
commit;
-- session: main
commit;
update queue.job set run_at = now();
select count(queue.finish(job_id, token)) > 0 from queue.claim('main', '{call}', 100);
--| t
-- All of it is there in the end.
select content from knowledge.documents where key in ('public.items:1', 'public.items:2') order by key;
--| one
--| two again
select count(*) from knowledge.changed_rows;
--| 0
