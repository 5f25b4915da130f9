-- Status by the clock, and sessions where the calendar is awkward.
begin;
select no_plan();
select test.act_as('acme', 'anna');

create function pg_temp.status_at(at timestamptz) returns text language sql as $$
    select test.freeze(at); select event.status((select event_id from event.events)) $$;

select is(pg_temp.status_at('2027-05-03 08:59:59+02'), 'pre_event',    'Before it starts');
select is(pg_temp.status_at('2027-05-03 09:00+02'),    'during_event', 'From its first instant');
select is(pg_temp.status_at('2027-05-04 17:59:59+02'), 'during_event', 'To the end of its last day');
select is(pg_temp.status_at('2027-05-04 18:00+02'),    'post_event',   'From its end');
select is(pg_temp.status_at('2027-06-03 17:59:59+02'), 'post_event',   'For thirty days');
select is(pg_temp.status_at('2027-06-03 18:00+02'),    'past_event',   'Then it is past');
select throws_ok('select event.status(null)', '22004', null, 'No event is refused');
select throws_ok('select event.status(gen_random_uuid())', 'QC201', null, 'An unknown event is refused');
select throws_ok('select event.event_id(''nowhere'')', 'QC201', 'there is no event "nowhere"', 'An unknown slug is named');
select is(event.event_id('FAIR'), (select event_id from event.events), 'A slug is found in any case');

-- An event without sessions.
select test.freeze('2027-05-03 10:00+02');
select is_empty('select * from event.sessions_now(event.event_id(''fair''))', 'An event without sessions has nothing on');
select is_empty('select * from event.sessions_next(event.event_id(''fair''))', 'and nothing next');

-- Edges: half-open, in absolute time.
select test.act_as_superuser();
select test.add_session('acme', 'Ten to eleven', '2027-05-03 10:00+02', '2027-05-03 11:00+02');
select test.add_session('acme', 'A point at noon', '2027-05-03 12:00+02', '2027-05-03 12:00+02');
select test.add_session('acme', 'Into the night', '2027-05-03 23:30+02', '2027-05-04 01:30+02');
select test.act_as('acme', 'anna');

create function pg_temp.now_at(at timestamptz) returns text[] language sql as $$
    select test.freeze(at); select array(select session_title from event.sessions_now(event.event_id('fair')) order by 1) $$;
create function pg_temp.next_at(at timestamptz) returns text[] language sql as $$
    select test.freeze(at); select array(select session_title from event.sessions_next(event.event_id('fair')) order by 1) $$;

select is(pg_temp.now_at('2027-05-03 10:00+02'),         '{Ten to eleven}',   'On from its first instant');
select is(pg_temp.now_at('2027-05-03 10:59:59.999+02'),  '{Ten to eleven}',   'and to its last');
select is(pg_temp.now_at('2027-05-03 11:00+02'),         '{}'::text[],        'but not at its end');
select is(pg_temp.next_at('2027-05-03 09:00+02'),        '{Ten to eleven}',   'Next from an hour before');
select is(pg_temp.next_at('2027-05-03 08:59:59+02'),     '{}'::text[],        'not earlier');
select is(pg_temp.next_at('2027-05-03 10:00+02'),        '{}'::text[],        'and not once it is on');
select is(pg_temp.now_at('2027-05-03 12:00+02'),         '{}'::text[],        'A session of no length is never on');
select is(pg_temp.next_at('2027-05-03 11:30+02'),        '{"A point at noon"}', 'but it is next');
select is(pg_temp.now_at('2027-05-04 00:15+02'),         '{"Into the night"}', 'A session across midnight is on after it');

-- The night the clocks go forward: 01:30 to 03:30 in Berlin is one hour long.
select test.act_as_superuser();
select test.add_session('acme', 'Short night', timestamp '2027-03-28 01:30' at time zone 'Europe/Berlin', timestamp '2027-03-28 03:30' at time zone 'Europe/Berlin');
select test.add_session('acme', 'Long night',  timestamp '2027-10-31 01:30' at time zone 'Europe/Berlin', timestamp '2027-10-31 03:30' at time zone 'Europe/Berlin');
select test.act_as('acme', 'anna');
select is(pg_temp.now_at('2027-03-28 01:29:59Z'), '{"Short night"}', 'On through the missing hour');
select is(pg_temp.now_at('2027-03-28 01:30Z'),    '{}'::text[],      'and over an hour after it began');
select is(pg_temp.now_at('2027-10-31 02:29:59Z'), '{"Long night"}',  'Three hours long when the clocks go back');
select is(pg_temp.now_at('2027-10-31 02:30Z'),    '{}'::text[],      'and no longer');

-- Time zones.
select test.act_as_superuser();
select throws_ok($$ update event.events set time_zone = 'CET' $$,          '23514', null, 'An abbreviation is no time zone');
select throws_ok($$ update event.events set time_zone = 'Mars/Olympus' $$, '22023', null, 'An unknown zone is refused');

select * from finish();
rollback;
