-- The writes a model may ask for. Whether they happen is decided here, whatever anybody was talked into.
begin;
select no_plan();

create temp table ids as
select test.contractor('acme') as anna, test.event('acme') as fair, test.add_session('acme', 'Talk', '2027-05-03 10:00+02', '2027-05-03 11:00+02') as talk,
    test.contractor('globex') as their_anna, test.event('globex') as their_fair, test.add_session('globex', 'Theirs', '2027-05-03 10:00+02', '2027-05-03 11:00+02') as their_talk;
grant select on ids to public;

-- What a refusal says: "code: sentence (hint)".
create function test.refusal(statement text) returns text language plpgsql as $$
declare
    v_hint text;
begin
    execute statement;
    return 'not refused';
exception when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return format('%s: %s (%s)', sqlstate, sqlerrm, v_hint);
end
$$;

-- create_action_item: only during the event and after it, until its follow-up days are over.
select test.act_as('acme', 'anna');
select test.freeze('2027-05-03 08:59:59.999999+02');
select is(test.refusal('select contractor.create_action_item(anna, fair, ''t'', ''early'') from ids'),
    'QC410: action items for "fair" cannot be made now: it is pre_event (It starts at 2027-05-03 09:00:00.)', 'Before the event there are no action items, and it says when it starts, in its own time');
select test.freeze('2027-05-03 09:00+02');
select lives_ok('select contractor.create_action_item(anna, fair, ''t'', ''first instant'') from ids', 'From its first instant there are');
select test.freeze('2027-05-04 18:00+02');
select lives_ok('select contractor.create_action_item(anna, fair, ''t'', ''after'') from ids', 'After it there are');
select test.freeze('2027-06-03 17:59:59.999999+02');
select lives_ok('select contractor.create_action_item(anna, fair, ''t'', ''last instant'') from ids', 'until the last instant of the follow-up days');
select test.freeze('2027-06-03 18:00+02');
select is(test.refusal('select contractor.create_action_item(anna, fair, ''t'', ''late'') from ids'),
    'QC410: action items for "fair" cannot be made now: it is past_event (They could be made until 30 days after its end.)', 'Then no more');

select test.freeze('2027-05-03 12:00+02');
create temp table item as
select i.* from ids, jsonb_populate_record(null::contractor.contractor_action_items, contractor.create_action_item(anna, fair, '  Ring the roofer ', 'k', 'about the flashing', '2027-05-10 09:00+02')) as i;
select is(to_jsonb(i), to_jsonb(a), 'The row is what is returned') from item as i join contractor.contractor_action_items as a using (action_item_id);
select is(array[title, details, status], array['Ring the roofer', 'about the flashing', 'open'], 'It is open, its title without blanks around it') from item;
select is(array[created_at, updated_at], array['2027-05-03 12:00+02', '2027-05-03 12:00+02']::timestamptz[], 'made by the clock') from item;
select is(created_by, access.person_id(), 'and by whoever asked') from item;
select lives_ok('select contractor.create_action_item(anna, fair, repeat(''ü'', 300), ''300'') from ids', 'A title may have 300 characters');
select throws_ok('select contractor.create_action_item(anna, fair, repeat(''ü'', 301), ''301'') from ids', '23514', null, 'not 301');
select is(test.refusal(s), r, 'Refused: ' || r) from (values
    ('select contractor.create_action_item(null, fair, ''t'', ''r1'') from ids', '22004: a contractor is required (Pass contractor_id, for example contractor.contractor_id(''key'').)'),
    ('select contractor.create_action_item(anna, null, ''t'', ''r2'') from ids', '22004: an event is required (Pass event_id, for example event.event_id(''my-conference'').)'),
    ('select contractor.create_action_item(anna, fair, null, ''r3'') from ids', '22004: an action item needs a title (Say in a few words what is to be done.)'),
    ('select contractor.create_action_item(anna, fair, ''  '', ''r4'') from ids', '22004: an action item needs a title (Say in a few words what is to be done.)'),
    ('select contractor.create_action_item(anna, fair, ''t'', null) from ids', '22004: an idempotency key is required (Pass idempotency_key: a text that stays the same when this call is repeated.)'),
    ('select contractor.create_action_item(''00000000-0000-4000-8000-000000000000'', fair, ''t'', ''r5'') from ids', 'QC202: there is no contractor 00000000-0000-4000-8000-000000000000 (Contractors are listed in contractor.contractors.)'),
    ('select contractor.create_action_item(anna, ''00000000-0000-4000-8000-000000000000'', ''t'', ''r6'') from ids', 'QC201: there is no event 00000000-0000-4000-8000-000000000000 (Events are listed in event.events.)'),
    ('select contractor.create_action_item(anna, fair, ''other'', ''k'') from ids', 'QC409: idempotency key "k" was used with other arguments (Repeat the call exactly, or use a new key for a new call.)')) as v (s, r);
select throws_ok('select contractor.create_action_item(their_anna, fair, ''t'', ''r7'') from ids', 'QC202', null, 'Another tenant''s contractor is unknown');
select throws_ok('select contractor.create_action_item(anna, their_fair, ''t'', ''r8'') from ids', 'QC201', null, 'and so is its event');

-- update_action_item_status.
select test.freeze('2027-05-03 13:00+02');
select is(contractor.update_action_item_status(action_item_id, s, 'to ' || s) ->> 'status', s, 'It moves to ' || s) from item, unnest(array['in_progress', 'done', 'open']) as s;
select is(a.updated_at, '2027-05-03 13:00+02'::timestamptz, 'by the clock') from item as i join contractor.contractor_action_items as a using (action_item_id);
select is(test.refusal(format(s, action_item_id)), r, 'Refused: ' || r) from item, (values
    ('select contractor.update_action_item_status(%L, ''finished'', ''s1'')', 'QC211: "finished" is no status of an action item (Use open, in_progress, done or cancelled.)'),
    ('select contractor.update_action_item_status(%L, null, ''s2'')', 'QC211: "null" is no status of an action item (Use open, in_progress, done or cancelled.)'),
    ('select contractor.update_action_item_status(%L, ''DONE'', ''s3'')', 'QC211: "DONE" is no status of an action item (Use open, in_progress, done or cancelled.)'),
    ('select contractor.update_action_item_status(%L, ''done'', null)', '22004: an idempotency key is required (Pass idempotency_key: a text that stays the same when this call is repeated.)'),
    ('select contractor.update_action_item_status(%L, ''open'', ''to done'')', 'QC409: idempotency key "to done" was used with other arguments (Repeat the call exactly, or use a new key for a new call.)')) as v (s, r);
select is(test.refusal('select contractor.update_action_item_status(null, ''done'', ''s4'')'), 'QC207: there is no action item null (Action items are listed in contractor.contractor_action_items.)', 'Refused: no item');
select throws_ok('select contractor.update_action_item_status(gen_random_uuid(), ''done'', ''s5'')', 'QC207', null, 'Refused: an unknown item');
select is(contractor.update_action_item_status(action_item_id, 'done', 'to done') ->> 'status', 'done', 'Repeated, a call answers what it answered first') from item;
select is(a.status, 'open', 'and moves nothing') from item as i join contractor.contractor_action_items as a using (action_item_id);
select contractor.update_action_item_status(action_item_id, 'cancelled', 'to cancelled') from item;
select is(test.refusal(format('select contractor.update_action_item_status(%L, ''open'', ''s6'')', action_item_id)), 'QC412: a cancelled action item stays cancelled (Create a new one.)', 'Cancelled is for good') from item;
select lives_ok(format('select contractor.update_action_item_status(%L, ''cancelled'', ''s7'')', action_item_id), 'Cancelling twice is no harm') from item;
select test.freeze('2028-01-01');
select lives_ok(format('select contractor.update_action_item_status(%L, ''cancelled'', ''to cancelled'')', action_item_id), 'An item outlives the time in which it could be made') from item;

-- capture_event_note: information only, whatever the caller calls it.
select test.freeze('2027-05-03 12:00+02');
create temp table note as
select n.* from ids, jsonb_populate_record(null::contractor.event_notes, contractor.capture_event_note(anna, fair, ' The adhesive needs eight hours to cure. ', 'k', talk)) as n;
select is(to_jsonb(n), to_jsonb(e), 'The row is what is returned') from note as n join contractor.event_notes as e using (note_id);
select is(body, 'The adhesive needs eight hours to cure.', 'The message is kept, without blanks around it') from note;
select is(session_id, talk, 'with its session') from note, ids;
select is(contractor.capture_event_note(anna, fair, m, m) ->> 'body', m, 'Information: ' || m) from ids, unnest(array[
    'Booth 12 has the new estimating tool', 'Der Kleber braucht acht Stunden', 'Le stand 12 a le nouvel outil', 'El puesto 12 tiene la herramienta nueva', '接着剤は八時間かかる']) as m;
select throws_ok(format('select contractor.capture_event_note(anna, fair, %L, ''n'') from ids', m), 'QC411', 'only information is kept as a note; this is ' || c, format('%s is no note: %s', upper(left(c, 1)) || substr(c, 2), m))
from (values
    ('a question', 'What is next?'), ('a question', 'where is booth 12'), ('a question', 'The adhesive needs how long?'),
    ('a question', 'Wann beginnt der Vortrag?'), ('a question', 'wo ist der Stand'), ('a question', 'Où est le stand 12 ?'), ('a question', 'pourquoi ce produit'),
    ('a question', '¿Dónde está el puesto 12?'), ('a question', 'cuándo empieza la charla'),
    ('a request', 'Remind me tomorrow'), ('a request', 'please book a demo'), ('a request', 'Bitte erinnere mich morgen'), ('a request', 'Buche eine Vorführung'),
    ('a request', 'Rappelle-moi demain'), ('a request', 'Réserve une démonstration'), ('a request', 'Recuérdame mañana'), ('a request', 'Reserva una demostración'),
    ('small talk', 'Thanks!'), ('small talk', 'Good morning'), ('small talk', 'Danke'), ('small talk', 'Hallo!'), ('small talk', 'Merci !'), ('small talk', 'Bonjour'),
    ('small talk', 'Hola!'), ('small talk', 'Gracias.')) as v (c, m);
select is(test.refusal(s), r, 'Refused: ' || r) from (values
    ('select contractor.capture_event_note(anna, fair, ''What is next?'', ''h1'') from ids', 'QC411: only information is kept as a note; this is a question (Ask it with chat.ask.)'),
    ('select contractor.capture_event_note(anna, fair, ''Remind me'', ''h2'') from ids', 'QC411: only information is kept as a note; this is a request (Create an action item or schedule a follow-up.)'),
    ('select contractor.capture_event_note(anna, fair, ''Thanks'', ''h3'') from ids', 'QC411: only information is kept as a note; this is small talk (There is nothing in it to keep.)'),
    ('select contractor.capture_event_note(anna, fair, null, ''h4'') from ids', '22004: a note needs a message (Pass the text to be kept.)'),
    ('select contractor.capture_event_note(anna, fair, ''   '', ''h5'') from ids', '22004: a note needs a message (Pass the text to be kept.)'),
    ('select contractor.capture_event_note(anna, fair, ''It is dry'', null) from ids', '22004: an idempotency key is required (Pass idempotency_key: a text that stays the same when this call is repeated.)'),
    ('select contractor.capture_event_note(null, fair, ''It is dry'', ''h6'') from ids', '22004: a contractor is required (Pass contractor_id, for example contractor.contractor_id(''key'').)'),
    ('select contractor.capture_event_note(anna, null, ''It is dry'', ''h7'') from ids', '22004: an event is required (Pass event_id, for example event.event_id(''my-conference'').)'),
    ('select contractor.capture_event_note(anna, fair, ''It is dry'', ''h8'', ''00000000-0000-4000-8000-000000000000'') from ids', 'QC206: there is no session 00000000-0000-4000-8000-000000000000 at "fair" (Sessions are listed in event.event_speakers.)'),
    ('select contractor.capture_event_note(anna, fair, ''It is wet'', ''k'') from ids', 'QC409: idempotency key "k" was used with other arguments (Repeat the call exactly, or use a new key for a new call.)')) as v (s, r);
select throws_ok('select contractor.capture_event_note(anna, fair, ''It is dry'', ''h9'', their_talk) from ids', 'QC206', null, 'Another tenant''s session is unknown');
select throws_ok('select contractor.capture_event_note(anna, fair, repeat(''x'', 10001), ''h10'') from ids', '23514', null, 'A note has at most 10000 characters');

-- A message may come to be read as something else, when a pattern is added; a repeated call still gets its answer.
select test.act_as_superuser();
insert into chat.message_patterns (facet, value, language, pattern, weight) values ('class', 'request', 'en', 'adhesive', 9);
select test.act_as('acme', 'anna');
select is(contractor.capture_event_note(anna, fair, ' The adhesive needs eight hours to cure. ', 'k', talk) ->> 'note_id', note_id::text, 'The first answer stands when the message is read differently now') from ids, note;
select throws_ok('select contractor.capture_event_note(anna, fair, ''The adhesive needs eight hours to cure.'', ''new'') from ids', 'QC411', null, 'A new call is judged anew');

-- What a contractor wants.
select test.act_as('acme', 'anna');
select is(contractor.features(anna), '{"goal": "adopt-technology", "role": "owner", "revenue_band": "1m-5m", "team_size": 8, "segment": "small", "region": "mountain", "tech_stack": ["jobber"], "preferred_tracks": ["tools"]}', 'Features are as an application shows them, without the vector') from ids;
select isnt((contractor.contractor_features(anna)).embedding::text, null, 'Matching has the vector') from ids;
select is(contractor.segment(n), w, format('A team of %s is %s', n, w)) from (values (1, 'solo'), (2, 'small'), (10, 'small'), (11, 'medium'), (50, 'medium'), (51, 'large'), (2000000000, 'large'), (null, null)) as v (n, w);
select throws_ok('select contractor.features(null)', '22004', null, 'Features of nobody');
select throws_ok('select contractor.contractor_id(''nobody'')', 'QC202', 'there is no contractor "nobody"', 'A key nobody has');
select throws_ok('select contractor.contractor_id(null)', 'QC202', null, 'No key');

select * from finish();
rollback;
