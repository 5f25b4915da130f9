-- When recurring work is due next: cron expressions and intervals, in any time zone, across every change of its clocks.
begin;
select no_plan();

-- The next times after one, all as the clocks of the zone show them.
create function test.runs(timing text, after text, time_zone text default 'UTC', times int default 1) returns text language plpgsql as $$
declare
    v_next timestamptz;
    v_all  text[] := '{}';
begin
    perform set_config('timezone', time_zone, true);
    v_next := after;
    for i in 1 .. times loop
        v_next := queue.next_time(timing, v_next, time_zone);
        v_all := v_all || v_next::text;
    end loop;
    perform set_config('timezone', 'UTC', true);
    return array_to_string(v_all, ', ');
end
$$;
create function test.refuses(timing text, code text, sentence text, description text) returns text language sql as $$
    select throws_ok(format('select queue.next_time(%L, ''2026-01-01 00:00+00'')', timing), code, sentence, description) $$;
set local timezone = 'UTC';

-- Shape.
select function_returns('queue', 'next_time', array['text', 'timestamp with time zone', 'text'], 'timestamp with time zone');
select volatility_is('queue', 'next_time', array['text', 'timestamp with time zone', 'text'], 'stable', 'Time zone data change between servers, not within a statement');
select is_strict('queue', 'next_time', array['text', 'timestamp with time zone', 'text'], 'No timing, no time');
select is_definer('queue', 'next_time', array['text', 'timestamp with time zone', 'text'], 'Whoever may call it needs no right to its parts');

-- Ordinary days.
select is(test.runs('30 9 * * *',      '2026-11-21 09:29:59.999999'), '2026-11-21 09:30:00+00', 'A daily time, to the microsecond')
union all select is(test.runs('30 9 * * *',      '2026-11-21 09:30'), '2026-11-22 09:30:00+00', 'is never the time it is asked after')
union all select is(test.runs('30 9 * * *',      '2026-11-21 09:30:00.000001'), '2026-11-22 09:30:00+00', 'nor one that has begun')
union all select is(test.runs('* * * * *',       '2026-12-31 23:59:30'), '2027-01-01 00:00:00+00', 'Every minute, into a new year')
union all select is(test.runs('*/20 8-9 * * *',  '2026-11-21 08:30', times => 5), '2026-11-21 08:40:00+00, 2026-11-21 09:00:00+00, 2026-11-21 09:20:00+00, 2026-11-21 09:40:00+00, 2026-11-22 08:00:00+00', 'Steps and ranges')
union all select is(test.runs('5/25 0 1,15 * *', '2026-11-02 00:00', times => 4), '2026-11-15 00:05:00+00, 2026-11-15 00:30:00+00, 2026-11-15 00:55:00+00, 2026-12-01 00:05:00+00', 'A step without an end goes on to the last minute')
union all select is(test.runs('1-10/3,50 0 * * *', '2026-11-02 00:00', times => 5), '2026-11-02 00:01:00+00, 2026-11-02 00:04:00+00, 2026-11-02 00:07:00+00, 2026-11-02 00:10:00+00, 2026-11-02 00:50:00+00', 'and one with an end to there')
union all select is(test.runs('0 0 1 jan,Jul-SEP *', '2026-07-02 00:00', times => 3), '2026-08-01 00:00:00+00, 2026-09-01 00:00:00+00, 2027-01-01 00:00:00+00', 'Months have names, in any case')
union all select is(test.runs('0 9 * * mon-Fri', '2026-11-20 09:00'), '2026-11-23 09:00:00+00', 'and so have days')
union all select is(test.runs('0 9 * * 0',       '2026-11-20 09:00'), '2026-11-22 09:00:00+00', 'Sunday is 0')
union all select is(test.runs('0 9 * * 7',       '2026-11-20 09:00'), '2026-11-22 09:00:00+00', 'and 7')
union all select is(test.runs('0 9 * * sun',     '2026-11-20 09:00'), '2026-11-22 09:00:00+00', 'and SUN')
union all select is(test.runs('0 9 * * Sat-SUN', '2026-11-20 09:00', times => 3), '2026-11-21 09:00:00+00, 2026-11-22 09:00:00+00, 2026-11-28 09:00:00+00', 'which may end a week as well as begin it')
union all select is(test.runs('0 9 * * Sun-Sun', '2026-11-20 09:00', times => 2), '2026-11-22 09:00:00+00, 2026-11-29 09:00:00+00', 'or be all of it')
union all select is(test.runs('0 9 * * 6-7',     '2026-11-20 09:00', times => 3), test.runs('0 9 * * sat,sun', '2026-11-20 09:00', times => 3), 'by number too')
union all select is(test.runs('0 0 13 * fri',    '2026-11-01 00:00', times => 3), '2026-11-06 00:00:00+00, 2026-11-13 00:00:00+00, 2026-11-20 00:00:00+00', 'Of two restricted day fields either will do')
union all select is(test.runs('0 0 */2 * fri',   '2026-11-01 00:00', times => 2), '2026-11-13 00:00:00+00, 2026-11-27 00:00:00+00', 'One that begins with * restricts the other')
union all select is(test.runs('0 0 l * *',       '2027-12-31 00:00', times => 3), '2028-01-31 00:00:00+00, 2028-02-29 00:00:00+00, 2028-03-31 00:00:00+00', 'L is the last day of a month')
union all select is(test.runs('0 0 15,L * *',    '2026-02-01 00:00', times => 3), '2026-02-15 00:00:00+00, 2026-02-28 00:00:00+00, 2026-03-15 00:00:00+00', 'beside others')
union all select is(test.runs('0 0 31 * *',      '2026-01-31 00:00', times => 2), '2026-03-31 00:00:00+00, 2026-05-31 00:00:00+00', 'A month without the day is passed over')
union all select is(test.runs(E' 0\t 9 * *  * ', '2026-11-20 00:00'), '2026-11-20 09:00:00+00', 'Spaces are as they come');

-- Rare days.
select is(test.runs('0 0 29 2 *',   '2026-11-21 00:00'), '2028-02-29 00:00:00+00', 'A leap day')
union all select is(test.runs('0 0 29 2 *',   '2096-03-01 00:00'), '2104-02-29 00:00:00+00', 'There is none in 2100')
union all select is(test.runs('0 0 29 2 *',   '2000-01-01 00:00'), '2000-02-29 00:00:00+00', 'but one in 2000')
union all select is(test.runs('0 0 29 2 */7', '2088-03-01 00:00'), '2128-02-29 00:00:00+00', 'A leap day that is a Sunday may be forty years away')
union all select is(test.runs('0 0 30 2 mon', '2026-01-31 00:00'), '2026-02-02 00:00:00+00', 'A day that never comes, or a Monday')
union all select is(test.runs('0 12 1 1 *',   '9998-06-01 00:00'), '9999-01-01 12:00:00+00', 'The far future')
union all select is(test.runs('0 12 1 7 *',   '9998-06-01 00:00', 'Europe/Berlin'), '9998-07-01 12:00:00+02', 'has summers');

-- Shorthands.
select is(test.runs(s.timing, '2026-11-21 10:30'), s.day || ' 00:00:00+00', s.timing) from (values
    ('@daily', '2026-11-22'), ('@midnight', '2026-11-22'), ('@weekly', '2026-11-22'), ('@monthly', '2026-12-01'), ('@YEARLY', '2027-01-01'), ('@annually', '2027-01-01')) as s (timing, day);
select is(test.runs('@hourly', '2026-11-21 10:30'), '2026-11-21 11:00:00+00', '@hourly');

-- Spring forward: what is skipped runs once, at the first instant after the gap.
select is(test.runs('30 2 * * *',    '2026-03-28 12:00', 'Europe/Berlin', 2), '2026-03-29 03:00:00+02, 2026-03-30 02:30:00+02', 'Berlin: 2:30 is not there')
union all select is(test.runs('*/10 2 * * *',  '2026-03-28 02:50', 'Europe/Berlin', 2), '2026-03-29 03:00:00+02, 2026-03-30 02:00:00+02', 'Six times that are not there are one')
union all select is(test.runs('0 2,3 * * *',   '2026-03-28 12:00', 'Europe/Berlin', 2), '2026-03-29 03:00:00+02, 2026-03-30 02:00:00+02', 'and one with that of the first instant after')
union all select is(test.runs('30 1,2,3 * * *', '2026-03-29 00:00', 'Europe/Berlin', 3), '2026-03-29 01:30:00+01, 2026-03-29 03:00:00+02, 2026-03-29 03:30:00+02', 'What is around it stays')
union all select is(test.runs('30 2 * * *',    '2026-03-07 12:00', 'America/New_York', 2), '2026-03-08 03:00:00-04, 2026-03-09 02:30:00-04', 'New York')
union all select is(test.runs('15 2 * * *',    '2026-10-03 12:00', 'Australia/Lord_Howe', 2), '2026-10-04 02:30:00+11, 2026-10-05 02:15:00+11', 'Lord Howe skips half an hour')
union all select is(test.runs('30 2 * * *',    '2026-10-03 12:00', 'Australia/Lord_Howe', 2), '2026-10-04 02:30:00+11, 2026-10-05 02:30:00+11', 'and 2:30 is there')
union all select is(test.runs('0 0 * * *',     '2026-09-05 12:00', 'America/Santiago', 2), '2026-09-06 01:00:00-03, 2026-09-07 00:00:00-03', 'In Santiago it is midnight that is not there')
union all select is(test.runs('30 * * * *',    '2026-03-29 01:30', 'Europe/Berlin', 2), '2026-03-29 03:30:00+02, 2026-03-29 04:30:00+02', 'What runs in every real hour loses none')
union all select is(test.runs('0 */2 * * *',   '2026-03-29 00:00', 'Europe/Berlin', 2), '2026-03-29 04:00:00+02, 2026-03-29 06:00:00+02', 'and gains none');

-- Fall back: what comes twice runs the first time.
select is(test.runs('30 2 * * *',    '2026-10-24 12:00', 'Europe/Berlin', 2), '2026-10-25 02:30:00+02, 2026-10-26 02:30:00+01', 'Berlin: 2:30 comes twice')
union all select is(test.runs('*/30 2-3 * * *', '2026-10-25 02:00+02', 'Europe/Berlin', 3), '2026-10-25 02:30:00+02, 2026-10-25 03:00:00+01, 2026-10-25 03:30:00+01', 'The second time is passed over')
union all select is(test.runs('30 2 * * *',    '2026-10-25 02:10+01', 'Europe/Berlin'), '2026-10-26 02:30:00+01', 'even when asked in the middle of it')
union all select is(test.runs('0 3 * * *',     '2026-10-25 02:59:59.999999+02', 'Europe/Berlin'), '2026-10-25 03:00:00+01', 'or an instant before')
union all select is(test.runs('30 1 * * *',    '2026-10-31 12:00', 'America/New_York', 2), '2026-11-01 01:30:00-04, 2026-11-02 01:30:00-05', 'New York')
union all select is(test.runs('45 1 * * *',    '2026-04-04 12:00', 'Australia/Lord_Howe', 2), '2026-04-05 01:45:00+11, 2026-04-06 01:45:00+10:30', 'Lord Howe')
union all select is(test.runs('30 23 * * *',   '2026-04-04 12:00', 'America/Santiago', 2), '2026-04-04 23:30:00-03, 2026-04-05 23:30:00-04', 'In Santiago it is the last hour of a day')
union all select is(test.runs('30 * * * *',    '2026-10-25 01:30', 'Europe/Berlin', 3), '2026-10-25 02:30:00+02, 2026-10-25 02:30:00+01, 2026-10-25 03:30:00+01', 'What runs in every real hour runs in both')
union all select is(test.runs('15 */2 * * *',  '2026-10-25 00:30', 'Europe/Berlin', 3), '2026-10-25 02:15:00+02, 2026-10-25 02:15:00+01, 2026-10-25 04:15:00+01', 'also by steps')
union all select is(test.runs('45 * * * *',    '2026-04-05 01:00+11', 'Australia/Lord_Howe', 3), '2026-04-05 01:45:00+11, 2026-04-05 01:45:00+10:30, 2026-04-05 02:45:00+10:30', 'twice within half an hour, on Lord Howe')
union all select is(test.runs('0 0-23 * * *',  '2026-10-25 01:30', 'Europe/Berlin', 2), '2026-10-25 02:00:00+02, 2026-10-25 03:00:00+01', 'Hours that are written out are times of a day');

-- Odd zones.
select is(test.runs('0 9 * * *',     '2026-11-21 12:00', 'Asia/Kathmandu'), '2026-11-22 09:00:00+05:45', 'Kathmandu is 5:45 ahead')
union all select is(test.runs('*/15 * * * *', '2026-11-21 12:01', 'Asia/Kathmandu'), '2026-11-21 12:15:00+05:45', 'every hour of it')
union all select is(test.runs('5 0 * * *',  '1985-12-31 12:00', 'Asia/Kathmandu'), '1986-01-01 00:15:00+05:45', 'since it skipped a quarter of an hour')
union all select is(test.runs('0 12 * * *', '2011-12-29 11:00', 'Pacific/Apia', 3), '2011-12-29 12:00:00-10, 2011-12-31 00:00:00+14, 2011-12-31 12:00:00+14', 'A day that is not there is an instant')
union all select is(test.runs('*/30 0-23 30 12 *', '2011-12-29 11:00', 'Pacific/Apia', 2), '2011-12-31 00:00:00+14, 2012-12-30 00:00:00+14', 'however much was to be done on it')
union all select is(test.runs('*/30 * 30 12 *', '2011-12-29 11:00', 'Pacific/Apia'), '2012-12-30 00:00:00+14', 'but no hour of it is real')
union all select is(test.runs('0 12 * * *', '1969-09-29 13:00', 'Pacific/Kwajalein', 2), '1969-09-30 12:00:00+11, 1969-10-01 12:00:00-12', 'nor is a day that comes twice, save 23 hours')
union all select is(test.runs('0 0 * * *',  '1893-03-31 12:00', 'Europe/Berlin'), '1893-04-01 00:06:32+01', 'When Berlin left its own noon, midnight was skipped');

-- Intervals that divide a day go by the clock.
select is(test.runs('every 15 minutes', '2026-11-21 10:01', times => 4), '2026-11-21 10:15:00+00, 2026-11-21 10:30:00+00, 2026-11-21 10:45:00+00, 2026-11-21 11:00:00+00', 'Quarters of an hour')
union all select is(test.runs('Every Hour', '2026-11-21 10:01'), '2026-11-21 11:00:00+00', 'One need not be said')
union all select is(test.runs('every 1 second', '2026-11-21 10:01:00.5'), '2026-11-21 10:01:01+00', 'The shortest')
union all select is(test.runs('every 10 seconds', '2026-11-21 10:01:10'), '2026-11-21 10:01:20+00', 'Below a minute')
union all select is(test.runs('every 15 minutes', '2026-11-21 10:01', 'Asia/Kathmandu'), '2026-11-21 10:15:00+05:45', 'In Kathmandu too')
union all select is(test.runs('every 6 hours', '2026-11-21 10:01', 'America/New_York', 3), '2026-11-21 12:00:00-05, 2026-11-21 18:00:00-05, 2026-11-22 00:00:00-05', 'Four times a day')
union all select is(test.runs('every 6 hours', '2026-10-24 20:00', 'Europe/Berlin', 2), '2026-10-25 00:00:00+02, 2026-10-25 06:00:00+01', 'stay where they are when clocks are changed')
union all select is(test.runs('every 2 hours', '2026-10-25 00:30', 'Europe/Berlin', 2), '2026-10-25 02:00:00+02, 2026-10-25 04:00:00+01', 'and come once')
union all select is(test.runs('every 30 minutes', '2026-10-25 02:20+02', 'Europe/Berlin', 4), '2026-10-25 02:30:00+02, 2026-10-25 02:00:00+01, 2026-10-25 02:30:00+01, 2026-10-25 03:00:00+01', 'What is an hour at most runs in every real hour')
union all select is(test.runs('every 30 minutes', '2026-03-29 01:20', 'Europe/Berlin', 2), '2026-03-29 01:30:00+01, 2026-03-29 03:00:00+02', 'and half an hour later')
union all select is(test.runs('every 15 minutes from 2026-01-01 00:05', '2025-11-21 10:01'), '2025-11-21 10:05:00+00', 'Another beginning counts in both directions');

-- Whole days go by the calendar.
select is(test.runs('every day', '2026-03-28 10:00', 'Europe/Berlin', 2), '2026-03-29 00:00:00+01, 2026-03-30 00:00:00+02', 'Midnight is midnight')
union all select is(test.runs('every week', '2026-11-21 10:00', 'Europe/Berlin'), '2026-11-23 00:00:00+01', 'A week begins on Monday')
union all select is(test.runs('every 2 weeks from 2027-05-03 09:00', '2027-05-03 09:00', 'Europe/Berlin', 2), '2027-05-17 09:00:00+02, 2027-05-31 09:00:00+02', 'Every other week, from a given one')
union all select is(test.runs('every 2 weeks from 2027-05-03T09:00', '2026-10-06 09:00', 'Europe/Berlin', 2), '2026-10-19 09:00:00+02, 2026-11-02 09:00:00+01', 'always at nine')
union all select is(test.runs('every 3 days from 2026-03-29 02:30', '2026-03-28 00:00', 'Europe/Berlin', 2), '2026-03-29 03:00:00+02, 2026-04-01 02:30:00+02', 'from a time that is not there, at the first instant after it');

-- All others count what has elapsed.
select is(test.runs('every 50 minutes from 2026-10-25 00:00', '2026-10-25 00:00', 'Europe/Berlin', 4), '2026-10-25 00:50:00+02, 2026-10-25 01:40:00+02, 2026-10-25 02:30:00+02, 2026-10-25 02:20:00+01', 'Fifty minutes are fifty minutes')
union all select is(test.runs('every 7 seconds from 1970-01-01', '1970-01-01 00:00:00', times => 2), '1970-01-01 00:00:07+00, 1970-01-01 00:00:14+00', 'Seven seconds')
union all select is(test.runs('every 36 hours from 2026-01-01', '2026-01-01 00:00', times => 2), '2026-01-02 12:00:00+00, 2026-01-04 00:00:00+00', 'A day and a half')
union all select is(test.runs('every 36 hours from 2026-01-01', '2025-12-30 13:00'), '2026-01-01 00:00:00+00', 'before as after the time it is counted from')
union all select is(test.runs('every 90 seconds', '1970-01-05 00:00:01'), '1970-01-05 00:01:30+00', 'All begin on the first Monday there is')
union all select is(test.runs('every 11 hours', '1970-01-04 23:59', 'Europe/Berlin', 2), '1970-01-05 00:00:00+01, 1970-01-05 11:00:00+01', 'of the zone');

-- What a timing is made of can be read.
select results_eq($$ select minutes::text, hours::text, days::text, months::text, weekdays::text, either_day from queue.cron_fields('*/20 9-17 L * MON-FRI') $$,
    $$ values ('{[0,1),[20,21),[40,41)}', '{[9,18)}', '{[0,1)}', '{[1,13)}', '{[1,6)}', true) $$, 'A cron expression as sets');
select results_eq($$ select * from queue.timing_interval('every 2 weeks from 2027-05-03 09:00') $$, $$ values (1209600, '2027-05-03 09:00'::timestamp) $$, 'An interval as a length and a beginning');
select results_eq($$ select * from queue.timing_interval('@daily') $$, $$ values (null::int, null::timestamp) $$, 'which a cron expression does not have');

-- Refused, with the field and the part that is wrong.
select test.refuses('60 * * * *',      'QC213', 'minute 60 is not within 0-59', 'A minute')
union all select test.refuses('0 24 * * *',      'QC213', 'hour 24 is not within 0-23', 'an hour')
union all select test.refuses('0 0 0 * *',       'QC213', 'day of month 0 is not within 1-31', 'a day')
union all select test.refuses('0 0 32 * *',      'QC213', 'day of month 32 is not within 1-31', 'a day that no month has')
union all select test.refuses('0 0 * 13 *',      'QC213', 'month 13 is not within 1-12', 'a month')
union all select test.refuses('0 0 * * 8',       'QC213', 'day of week 8 is not within 0-7', 'a weekday')
union all select test.refuses('0 0 * Foo *',     'QC213', 'month "foo" is no number or name', 'a name')
union all select test.refuses('mon 0 * * *',     'QC213', 'minute "mon" is no number', 'a name where there are none')
union all select test.refuses('99999999999 0 * * *', 'QC213', 'minute "99999999999" is no number', 'a number nobody means')
union all select test.refuses('0 22-2 * * *',    'QC213', 'hour 22-2 ends before it begins', 'A range that turns round')
union all select test.refuses('*/0 * * * *',     'QC213', 'minute step 0 is not within 1-60', 'A step to nowhere')
union all select test.refuses('*/90 * * * *',    'QC213', 'minute step 90 is not within 1-60', 'and one that would be every hour, not every 90 minutes')
union all select test.refuses('1,,2 * * * *',    'QC213', 'minute "" cannot be read', 'An empty part')
union all select test.refuses('1-2-3 * * * *',   'QC213', 'minute "1-2-3" cannot be read', 'a range of three')
union all select test.refuses('*-5 * * * *',     'QC213', 'minute "*-5" cannot be read', 'a range from everything')
union all select test.refuses('-1 * * * *',      'QC213', 'minute "-1" cannot be read', 'a negative number')
union all select test.refuses('0 0 L-3 * *',     'QC213', 'day of month "l-3": L stands alone', 'L with anything')
union all select test.refuses('0 0 15W * *',     'QC213', 'day of month "15w" is no number or name', 'Quartz'' own signs')
union all select test.refuses('0 0 * * 5#3',     'QC213', 'day of week "5#3" cannot be read', 'all of them')
union all select test.refuses('0 9 * *',         'QC213', '"0 9 * *" is no timing: cron has five fields, not 4', 'Four fields')
union all select test.refuses('0 0 9 * * *',     'QC213', '"0 0 9 * * *" is no timing: cron has five fields, not 6', 'six fields')
union all select test.refuses('',                'QC213', '"" is no timing: cron has five fields, not 0', 'none')
union all select test.refuses('@reboot',         'QC213', '"@reboot" is no timing: cron has five fields, not 1', 'and no clock says when that is')
union all select test.refuses(repeat('1,', 300) || '1 * * * *', 'QC213', 'a timing has at most 500 characters', 'A long one')
union all select test.refuses('every 15 min',    'QC213', '"every 15 min" cannot be read as an interval', 'There is one spelling of an interval')
union all select test.refuses('every month',     'QC213', '"every month" cannot be read as an interval', 'A month has no length')
union all select test.refuses('every -5 minutes', 'QC213', '"every -5 minutes" cannot be read as an interval', 'nor does time run back')
union all select test.refuses('every 0 minutes', 'QC213', '"every 0 minutes" is not between a second and 366 days', 'nor stand still')
union all select test.refuses('every 53 weeks',  'QC213', '"every 53 weeks" is not between a second and 366 days', 'A year is the longest')
union all select test.refuses('every day from 2026-02-30', 'QC213', 'there is no day 2026-02-30', 'A day that is not there')
union all select test.refuses('every day from 2026-02-01 24:00', 'QC213', '"every day from 2026-02-01 24:00" cannot be read as an interval', 'nor a time')
union all select test.refuses('0 0 30 2 *',      'QC214', '"0 0 30 2 *" never comes: its months have no day 30', 'What never comes is said at once')
union all select test.refuses('0 0 31 4,6,9,NOV *', 'QC214', '"0 0 31 4,6,9,NOV *" never comes: its months have no day 31', 'in all its months')
union all select test.refuses('0 0 31 2 */2',    'QC214', '"0 0 31 2 */2" never comes: its months have no day 31', 'on all its weekdays');
select throws_ok($$ select queue.next_time('* * * * *', 'infinity') $$, 'QC214', 'nothing is planned after infinity', 'Nothing comes after infinity');
select throws_ok($$ select queue.next_time('* * * * *', '-infinity') $$, 'QC214', 'nothing is planned after -infinity', 'and nothing comes first');
select throws_ok($$ select queue.next_time('* * * * *', '10000-01-01 00:00+00') $$, 'QC214', null, 'Years have four digits');
select throws_ok(format('select queue.next_time(%L, now(), %L)', '* * * * *', z), 'QC203', format('"%s" is no time zone this server knows', z), format('"%s" is no time zone', z))
from unnest(array['Europe/Atlantis', 'CET', '+02', '']) as z;

-- Whatever the timing, the zone and the time: the next is later; nothing lies between; later after later.
create table test.asked as
select t.timing, z.zone, a.after, queue.next_time(t.timing, a.after, z.zone) as next
from unnest('{* * * * *,*/7 */5 * * *,30 2 * * *,"0,45 1-3 * * *",59 23 l * *,0 0 29 2 mon,every 20 minutes,every 3 hours,every 50 minutes,every 2 days from 2026-03-29 02:15}'::text[]) as t (timing),
    (values ('UTC', timestamptz '2026-06-30 23:00+00'), ('Europe/Berlin', '2026-03-28 23:10+00'), ('Europe/Berlin', '2026-10-24 23:10+00'), ('America/New_York', '2026-11-01 04:10+00'),
        ('Australia/Lord_Howe', '2026-04-04 13:40+00'), ('Australia/Lord_Howe', '2026-10-03 14:10+00'), ('Asia/Kathmandu', '2026-06-30 17:10+00'), ('Pacific/Apia', '2011-12-30 08:40+00')) as z (zone, since),
    lateral (select z.since + n * interval '11 minutes 17.5 seconds' from generate_series(0, 20) as n) as a (after);
select is_empty('select * from test.asked where next <= after', 'The next time is later than the one asked after');
select is_empty($$ select * from test.asked where queue.next_time(timing, next - interval '1 microsecond', zone) <> next $$, 'An instant before it, it is still the next');
select is_empty($$ select * from test.asked where queue.next_time(timing, after + (next - after) / 2, zone) <> next $$, 'and half way');
select is_empty($$
    select a.*, earlier from (select a.*, lag(next) over (partition by timing, zone order by after) as earlier from test.asked as a) as a where next < earlier $$,
    'Asked later, it is not earlier');

-- Who may what; the whole matrix is in privileges.sql.
set local role concierge_worker;
select lives_ok($$ select queue.next_time('30 2 * * *', now(), 'Europe/Berlin'), queue.next_time('every hour', now()) $$, 'A worker may ask');
select throws_ok($$ select queue.next_time('60 2 * * *', now(), 'Europe/Berlin') $$, 'QC213', null, 'and be refused in words');
set local role concierge_admin;
select lives_ok($$ select queue.next_time('30 2 * * *', now(), 'Europe/Berlin'), queue.next_time('every hour', now()) $$, 'An operator may ask');
set local role concierge_app;
select throws_ok($$ select queue.next_time('30 2 * * *', now()) $$, '42501', null, 'To an app the queue is closed');
reset role;

select * from finish();
rollback;
