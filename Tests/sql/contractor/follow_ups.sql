-- A follow-up from the call to the inbox: the row and its job are one, and it is delivered once, whatever the daemon does.
begin;
select no_plan();

create temp table ids as select test.contractor('acme') as anna, test.event('acme') as fair, test.contractor('globex') as their_anna, test.event('globex') as their_fair;
grant select on ids to public;

-- Refusals.
select test.act_as('acme', 'anna');
select test.freeze('2027-05-03 12:00+02');
select throws_ok(s, c::char(5), m, coalesce(m, s)) from (values
    ('select contractor.schedule_followup(anna, fair, ''m'', ''2027-05-03 12:00+02'', ''r1'') from ids', 'QC210', 'a follow-up cannot be delivered at 2027-05-03 10:00:00+00'),
    ('select contractor.schedule_followup(anna, fair, ''m'', ''2001-01-01'', ''r2'') from ids', 'QC210', null),
    ('select contractor.schedule_followup(anna, fair, ''m'', ''infinity'', ''r3'') from ids', 'QC210', 'a follow-up cannot be delivered at infinity'),
    ('select contractor.schedule_followup(anna, fair, ''m'', ''-infinity'', ''r4'') from ids', 'QC210', 'a follow-up cannot be delivered at -infinity'),
    ('select contractor.schedule_followup(anna, fair, ''m'', null, ''r5'') from ids', '22004', 'a follow-up needs a message and a time'),
    ('select contractor.schedule_followup(anna, fair, null, ''2028-01-01'', ''r6'') from ids', '22004', 'a follow-up needs a message and a time'),
    ('select contractor.schedule_followup(anna, fair, ''  '', ''2028-01-01'', ''r7'') from ids', '22004', 'a follow-up needs a message and a time'),
    ('select contractor.schedule_followup(anna, fair, ''m'', ''2028-01-01'', null) from ids', '22004', 'an idempotency key is required'),
    ('select contractor.schedule_followup(null, fair, ''m'', ''2028-01-01'', ''r8'') from ids', '22004', 'a contractor is required'),
    ('select contractor.schedule_followup(anna, null, ''m'', ''2028-01-01'', ''r9'') from ids', '22004', 'an event is required'),
    ('select contractor.schedule_followup(their_anna, fair, ''m'', ''2028-01-01'', ''r10'') from ids', 'QC202', null),
    ('select contractor.schedule_followup(anna, their_fair, ''m'', ''2028-01-01'', ''r11'') from ids', 'QC201', null),
    ('select contractor.schedule_followup(anna, fair, repeat(''x'', 2001), ''2028-01-01'', ''r12'') from ids', '23514', null)) as v (s, c, m);
select test.act_as_superuser();
select is((select count(*) from queue.job), 0::bigint, 'What is refused leaves no job');

-- The call.
select test.act_as('acme', 'anna');
create temp table follow_up as
select f.* from ids, jsonb_populate_record(null::contractor.follow_ups, contractor.schedule_followup(anna, fair, ' Ring the roofer ', '2027-05-05 09:00+02', 'k')) as f;
grant select on follow_up to public;
select is(to_jsonb(f), to_jsonb(g), 'The row is what is returned') from follow_up as f join contractor.follow_ups as g using (follow_up_id);
select is(array[message, status], array['Ring the roofer', 'scheduled'], 'It is scheduled') from follow_up;
set local timezone = 'Asia/Tokyo';
select is(contractor.schedule_followup(anna, fair, ' Ring the roofer ', '2027-05-05 09:00+02', 'k') ->> 'job_id', job_id::text, 'Repeated, in any time zone, it is the same follow-up') from ids, follow_up;
reset timezone;
select throws_ok('select contractor.schedule_followup(anna, fair, ''Ring the roofer'', ''2027-05-05 10:00+02'', ''k'') from ids', 'QC409', null, 'but not at another time');
select test.act_as_superuser();
select is((select count(*) from queue.job), 1::bigint, 'There is one job for it');
select is((j.kind, j.state, j.run_at, j.tenant_id, j.payload), (
    'call'::text, 'ready'::text, f.execute_at, f.tenant_id, jsonb_build_object('follow_up_id', f.follow_up_id)), 'to deliver it, then, for its tenant')
from follow_up as f join queue.job as j using (job_id);

-- The daemon, which reads no table.
create temp table claims as select 0 as n, c.* from queue.claim('nobody', '{}') as c where false;
grant all on claims to public;
set local role concierge_worker;
insert into claims select 0, c.* from queue.claim('worker', '{call}') as c;
select is((select count(*) from claims), 0::bigint, 'Before its time nobody gets it');
reset role;
update queue.job set run_at = clock_timestamp();
set local role concierge_worker;
insert into claims select 1, c.* from queue.claim('worker', '{call}') as c;
select is((select count(*) from claims), 1::bigint, 'At its time one worker does');
select is((select count(*) from queue.claim('another', '{call}')), 0::bigint, 'and no other');
select is(queue.finish(job_id, token - 1, '{}'), false, 'A stale token finishes nothing') from claims;
reset role;
select is(g.status, 'scheduled', 'so it is not delivered yet') from follow_up as f join contractor.follow_ups as g using (follow_up_id);

-- The worker is lost; another finishes; the first comes back.
update queue.worker set leased_until = now() - interval '1 second';
set local role concierge_worker;
insert into claims select 2, c.* from queue.claim('another', '{call}') as c;
select is(queue.finish(job_id, token, '{"ok": true}'), true, 'The second worker delivers it') from claims where n = 2;
reset role;
create temp table delivered as select g.* from follow_up as f join contractor.follow_ups as g using (follow_up_id);
select is(array[status, delivered_at::text], array['delivered', now()::text], 'It is in the inbox') from delivered;
set local role concierge_worker;
select is(queue.finish(job_id, token, '{}'), false, 'The first, coming back, changes nothing') from claims where n = 1;
select is(queue.finish(job_id, token, '{}'), false, 'nor does the second, finishing again') from claims where n = 2;
select is(queue.fail(job_id, token, 'late'), false, 'nor can it fail any more') from claims where n = 2;
reset role;
select is(to_jsonb(g), to_jsonb(d), 'It was delivered exactly once') from delivered as d join contractor.follow_ups as g using (follow_up_id);
select is((select count(*) from access.audit_log where relation = 'contractor.follow_ups' and changes @> '[{"status": "scheduled"}]'), 1::bigint, 'and the trail says the same');

-- A continuation that raises: nothing is half written, and the job is tried again.
select test.act_as('acme', 'anna');
create temp table second as select (contractor.schedule_followup(anna, fair, 'Second', '2027-05-06 09:00+02', 'k2') ->> 'job_id')::bigint as job_id from ids;
grant select on second to public;
select test.act_as_superuser();
create function test.raises(job_id bigint, result jsonb) returns void language plpgsql as $$
begin
    update contractor.follow_ups as f set status = 'delivered' where f.job_id = raises.job_id;
    raise exception 'no' using errcode = 'QC599';
end
$$;
grant execute on function test.raises(bigint, jsonb) to concierge_owner;
grant usage on schema test to concierge_owner;
update queue.job set run_at = clock_timestamp(), continuation = 'test.raises' where job_id = (select job_id from second);
set local role concierge_worker;
insert into claims select 3, c.* from queue.claim('worker', '{call}') as c;
select is(queue.finish(job_id, token, '{"big": "result"}'), true, 'A continuation that raises') from claims where n = 3;
reset role;
select is(row(j.state, j.last_error)::text, row('ready', 'test.raises raised QC599: no')::text, 'is a failed attempt') from queue.job as j join second using (job_id);
select is(f.status, 'scheduled', 'and what it wrote is undone') from contractor.follow_ups as f join second using (job_id);

-- Taken back with its job.
select is(queue.cancel(job_id), true, 'An operator takes the job back') from second;
select is(f.status, 'cancelled', 'and the follow-up says that it will not come') from contractor.follow_ups as f join second using (job_id);

select * from finish();
rollback;
