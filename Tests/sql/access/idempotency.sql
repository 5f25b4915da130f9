-- A write is done once for a key: repeated, it answers what it answered first.
begin;
select no_plan();
create function test.item(title text, key text, due_at timestamptz default null) returns jsonb language sql as $$
    select contractor.create_action_item(contractor.contractor_id('anna'), event.event_id('fair'), title, key, due_at => $3) $$;

select test.act_as('acme', 'anna');
select test.freeze('2027-05-03 12:00+02');
create temp table first as select test.item('Ring the roofer', 'k') as answer;

-- The same call.
select is(test.item('Ring the roofer', 'k'), answer, 'Repeated, a call answers what it answered first') from first;
select is((select count(*) from contractor.contractor_action_items)::int, 1, 'and writes nothing');
select contractor.update_action_item_status((answer ->> 'action_item_id')::uuid, 'done', 'k') from first;
select is(test.item('Ring the roofer', 'k'), answer, 'It is the first answer, not the present state') from first;
select test.freeze('2030-01-01');
select is(test.item('Ring the roofer', 'k'), answer, 'even when the event is past and a new call would be refused') from first;
select throws_ok($$ select test.item('Ring the roofer', 'k2') $$, 'QC410', null, 'as it is');
select test.freeze('2027-05-03 12:00+02');
create temp table zoned as select test.item('Call back', 'zoned', '2027-05-04 10:00+02') as answer;
set local timezone = 'America/New_York';
select is(test.item('Call back', 'zoned', '2027-05-04 10:00+02'), answer, 'The same instant is the same argument in another time zone') from zoned;
reset timezone;

-- Another call.
select throws_ok($$ select test.item('Ring the plumber', 'k') $$, 'QC409', 'idempotency key "k" was used with other arguments', 'The key with other arguments is refused');
select throws_ok($$ select test.item('Ring the roofer', 'k', '2027-05-04') $$, 'QC409', null, 'also when one was left out first');
select lives_ok($$ select test.item('Ring the roofer', 'another') $$, 'The same arguments with another key are another call');
select lives_ok($$ select contractor.capture_event_note(contractor.contractor_id('anna'), event.event_id('fair'), 'It is dry', 'k') $$, 'A key means nothing to another operation');
select test.act_as('acme', 'olga');
select isnt(test.item('Ring the roofer', 'k') ->> 'action_item_id', answer ->> 'action_item_id', 'nor to another person') from first;
select test.act_as('globex', 'anna');
select lives_ok($$ select test.item('Ring the roofer', 'k') $$, 'nor to another tenant');

-- A call that was refused has not used its key.
select test.act_as('acme', 'anna');
select throws_ok($$ select test.item(null, 'again') $$, '22004', null, 'A call is refused');
select lives_ok($$ select test.item('Corrected', 'again') $$, 'Corrected, it may use the same key');

-- Keys.
select throws_ok($$ select test.item('x', null) $$, '22004', 'an idempotency key is required', 'A key is needed');
select throws_ok($$ select test.item('x', '') $$, '23514', null, 'An empty one is none');
select throws_ok($$ select test.item('x', repeat('k', 201)) $$, '23514', null, 'One of more than 200 characters is refused');
select lives_ok($$ select test.item('x', repeat('ß', 200)) $$, 'One of 200 is not, in any script');
select throws_ok($$ select access.recall('create_action_item', 'k', '{}') $$, '42501', null, 'Nobody takes a key by hand');
select throws_ok($$ select access.remember('create_action_item', 'k', '{}') $$, '42501', null, 'nor puts an answer in');

select * from finish();
rollback;
