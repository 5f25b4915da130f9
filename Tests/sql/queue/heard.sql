-- Text as it comes, heard by others: a call notifies once, what it says is there when it is heard, and nobody waits for it.
delete from queue.refresh;
insert into queue.worker (worker, leased_until) values ('w', now() + interval '1 hour');
insert into queue.job (kind, state, worker, attempts, token) select 'generate', 'running', 'w', 1, 1 from generate_series(1, 2000);

-- session: ear
listen concierge_text;

-- session: daemon
select queue.emit('{1,2,3}', '{1,1,7}', '{one,two,three}');
--| {3}
-- session: ear
-- One notification names the jobs that have more to read, and no other.
--> notified concierge_text 1,2
--> notified nothing
-- And it is there.
select content from queue.emission order by job_id;
--| one
--| two

-- session: daemon
begin;
select queue.emit('{1}', '{1}', '{more}');
--| {}
-- session: ear
-- What is not committed is neither heard
--> notified nothing
-- nor read.
select count(*) from queue.emission;
--| 2
-- session: other
-- A job is ended while text of it is on its way: neither waits for the other.
select queue.finish(1, 1);
--| t
-- session: daemon
commit;
-- session: ear
--> notified concierge_text 1
-- session: daemon
-- The next call learns that it is over.
select queue.emit('{1}', '{1}', '{late}');
--| {1}
-- session: ear
--> notified nothing
-- What came too late is dropped by upkeep.
select queue.drop_emissions();
--| 1

-- session: daemon
-- Nothing to say is nothing to hear.
select queue.emit('{1}', '{1}', '{late}');
--| {1}
-- session: ear
--> notified nothing

-- session: daemon
-- A payload has its limits: a thousand jobs are three notifications.
select queue.emit(array(select i from generate_series(1001, 2000) as i), array_fill(1, array[1000]), array_fill('x'::text, array[1000]));
--| {}
-- session: ear
--> notified concierge_text
--> notified concierge_text
--> notified concierge_text
--> notified nothing
