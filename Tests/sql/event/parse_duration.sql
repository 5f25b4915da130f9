-- How long a session is: the ways schedule files say it.
begin;
select plan(31);

select is(event.parse_duration(duration), length, format('"%s" is %s', duration, length))
from (values
    ('0:45',     interval '45 minutes'),
    ('00:45',    '45 minutes'),
    ('1:30',     '90 minutes'),
    ('12:00',    '12 hours'),
    -- PromCon 2018 writes minutes without a zero, Camp 2023 wrote more than sixty of them.
    ('1:5',      '65 minutes'),
    ('0:90',     '90 minutes'),
    ('100:00',   '100 hours'),
    -- Pentabarf.
    ('00:45:00', '45 minutes'),
    ('01:00:30', '1 hour 30 seconds'),
    -- str(timedelta) in Python.
    ('0:45:00',  '45 minutes'),
    -- pretalx writes days only when there are some.
    ('1:00:30',  '24 hours 30 minutes'),
    ('2:02:00',  '50 hours'),
    ('45',       '45 minutes'),
    ('45.0',     '45 minutes'),
    ('0',        '0'),
    ('00:00',    '0'),
    ('PT45M',    '45 minutes'),
    ('PT1H30M',  '90 minutes'),
    ('P1DT1H',   '25 hours')
) as d (duration, length);

select is(event.parse_duration(duration), null, format('"%s" is no duration', duration))
from (values (''), ('-45'), ('-1:00'), ('an hour'), ('135.0:00'), ('1:90:90'), ('45 min'), ('P'), ('PT99999999999H'), ('٤٥')) as d (duration);

select is(event.parse_duration(null), null, 'Null is no duration');
select is(extract(day from event.parse_duration('P1D')), 0::numeric,
    'A day is 24 hours and not a calendar day, which a change of clocks could shorten');

select * from finish();
rollback;
