-- The audit trail: one row a writing statement, by whom, with what is gone; and nobody changes it afterwards.
begin;
select no_plan();

-- What came into the trail since it was last looked at.
create sequence test.seen;
select setval('test.seen', (select max(audit_id) from access.audit_log));
create function test.new_entries() returns setof access.audit_log language plpgsql as $$
declare
    v_since bigint := (select last_value from test.seen);
begin
    perform setval('test.seen', (select max(a.audit_id) from access.audit_log as a));
    return query select a.* from access.audit_log as a where a.audit_id > v_since order by a.audit_id;
end
$$;
create temp table entry as select a.* from access.audit_log as a where false;
-- Every step is looked at through this table.
create function test.look() returns bigint language sql as $$
    truncate entry;
    with new as (insert into entry overriding system value select * from test.new_entries() returning 1) select count(*) from new $$;

-- Inserts.
insert into contractor.strategic_partners (tenant_id, key, name, category, embedding)
select t.tenant_id, 'p' || i, 'Partner ' || i, 'software', model.embed_offline('roof') from access.tenants as t, generate_series(1, 3) as i where t.slug = 'acme';
select is(test.look(), 1::bigint, 'Three rows in one statement are one entry');
select is(row_count, 3, 'It says how many') from entry;
select is(operation || ' ' || relation, 'insert contractor.strategic_partners', 'and what was done to which table') from entry;
select set_eq($$ select jsonb_array_elements_text(keys)::uuid from entry $$, $$ select partner_id from contractor.strategic_partners $$, 'and their keys') ;
select is(tenant_id, (select t.tenant_id from access.tenants as t where t.slug = 'acme'), 'and whose they are') from entry;
select is(db_role, session_user::text, 'Without a token it is the login that did it') from entry where person_id is null;
select ok(at between now() and clock_timestamp(), 'and when, by the wall clock') from entry;
insert into contractor.strategic_partners (tenant_id, key, name, category) select t.tenant_id, 'p', 'P', 'c' from access.tenants as t where false;
select is(test.look(), 0::bigint, 'A statement that touches no row is no entry');

-- Updates.
update contractor.strategic_partners set name = 'Renamed', embedding = null where key in ('p1', 'p2');
select is(test.look(), 1::bigint, 'An update is one entry');
select is(row_count, 2, 'of two rows') from entry;
select is(changes, '[{"name": "Partner 1", "embedding": "not kept"}, {"name": "Partner 2", "embedding": "not kept"}]', 'with the values that are gone; a vector is only named') from (select (select jsonb_agg(c order by c ->> 'name') from jsonb_array_elements(changes) as c) as changes from entry) as e;
update contractor.strategic_partners set name = name;
select is(test.look(), 0::bigint, 'An update that changes nothing is no entry');
update contractor.strategic_partners set name = case key when 'p1' then 'Again' else name end;
select is(test.look(), 1::bigint, 'One that changes a row of three');
select is(row_count, 1, 'notes that row') from entry;
insert into event.events (tenant_id, slug, title, time_zone, starts_at, ends_at)
select t.tenant_id, 'second', 'Second', 'UTC', '2028-01-01', '2028-01-02' from access.tenants as t where t.slug = 'acme';
insert into event.event_attendees (event_id, contractor_id, tenant_id)
select e.event_id, test.contractor('acme'), e.tenant_id from event.events as e where e.slug = 'second';
select test.look();
update event.event_attendees set registered_at = '2027-01-01' where contractor_id = test.contractor('acme');
select test.look();
select is(array[row_count, jsonb_array_length(changes)], array[2, 2], 'Rows are told apart by their whole primary key: two registrations of one contractor are two rows') from entry;
update event.event_attendees set event_id = test.event('acme') where event_id = test.event('globex');
select test.look();
select is(row_count, 1, 'A row whose key changed is noted') from entry;
select is(changes #>> '{0,event_id}', test.event('globex')::text, 'whole') from entry;

-- Deletes, also those that follow from another.
delete from contractor.strategic_partners where key = 'p3';
select is(test.look(), 1::bigint, 'A delete is one entry');
select is((changes -> 0) - 'partner_id' - 'tenant_id', '{"key": "p3", "name": "Partner 3", "category": "software", "goals": [], "regions": [], "topics": [], "description": null}', 'with the row that is gone') from entry;
delete from event.events where slug = 'second';
select is(test.look(), 2::bigint, 'What goes with an event is noted too');
select set_eq('select relation from entry', array['event.events', 'event.event_attendees'], 'in its own table''s name');
select lives_ok('truncate contractor.event_notes', 'A table can be emptied');
select is(test.look(), 1::bigint, 'but not in secret');
select is(operation || ' ' || relation, 'truncate contractor.event_notes', 'Truncating is in the trail') from entry;

-- By whom.
select test.act_as('acme', 'anna');
select test.freeze('2027-05-03 12:00+02');
select contractor.create_action_item(contractor.contractor_id('anna'), event.event_id('fair'), 'Ring the roofer', 'k');
select test.act_as('acme', 'olga');
select contractor.update_action_item_status(action_item_id, 'done', 'k') from contractor.contractor_action_items;
select test.act_as_superuser();
select test.look();
select results_eq($$ select operation, p.subject, e.changes from entry as e left join access.people as p using (person_id) order by audit_id $$,
    $$ values ('insert', 'anna', null::jsonb), ('update', 'olga', '[{"status": "open"}]') $$, 'A guarded write is by the person who asked, not by the owner it runs as');
select ok(bool_and(at > '2026-01-01' and at < '2027-05-03'), 'A set clock does not move the trail') from entry where now() < '2027-05-03';
select set_config('request.jwt', 'nonsense', true);
update access.people set name = 'Anna A.' where subject = 'anna';
select test.act_as_superuser();
select test.look();
select is(count(distinct person_id), 0::bigint, 'A token that proves nothing names nobody') from entry;
select test.act_as('acme', 'anna');
select throws_ok($$ select contractor.create_action_item(contractor.contractor_id('anna'), event.event_id('fair'), null, 'k2') $$, '22004', null, 'A write that is refused');
select test.act_as_superuser();
select is(test.look(), 0::bigint, 'is not in the trail');

-- Keys are audited, their secrets are not kept.
select access.create_token_key('k1', '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff');
select access.retire_token_key('k1');
update access.token_keys set secret = '\xff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff' where key_id = 'k1';
delete from access.token_keys where key_id = 'k1';
select is(test.look(), 4::bigint, 'A key''s life is in the trail');
select set_eq('select keys ->> 0 from entry', array['k1'], 'by its name');
select is_empty($$ select * from entry where entry::text ~ '112233445566' $$, 'without its secret');
select is((select changes #>> '{0,secret}' from entry where operation = 'update' and changes -> 0 ? 'secret'), 'not kept', 'That a secret was changed is noted');
select is_empty($$ select a.audit_id from access.audit_log as a, access.token_keys as k where strpos(a::text, substr(encode(k.secret, 'hex'), 1, 16)) > 0 $$, 'No entry holds a part of a key');

-- Append-only, for the owner and for a superuser.
select throws_ok(s, 'QC413', 'access.audit_log is append-only', 'A superuser cannot ' || s)
from unnest(array['update access.audit_log set person_id = null', 'update access.audit_log set at = now() where false', 'delete from access.audit_log', 'truncate access.audit_log']) as s;
set local role concierge_owner;
select throws_ok(s, 'QC413', null, 'nor can the owner ' || s) from unnest(array['update access.audit_log set person_id = null', 'delete from access.audit_log', 'truncate access.audit_log']) as s;
reset role;
set local session_replication_role = replica;
select throws_ok('delete from access.audit_log', 'QC413', null, 'Not even one that replays changes');
set local session_replication_role = origin;

-- Who reads it.
set local role concierge_admin;
select ok(count(*) > 0, 'An operator reads the trail') from access.audit_log;
reset role;
select test.act_as('acme', 'olga');
select throws_ok('select * from access.audit_log', '42501', null, 'Apps do not, not even as an organizer');
select throws_ok($$ select access.write_audit('insert', 'access.people', null, 1, '[]', null) $$, '42501', null, 'and nobody writes an entry by hand');

select * from finish();
rollback;
