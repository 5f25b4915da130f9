-- Dates and times of schedule files: what is read, in which zone, and what is not.
begin;
select no_plan();
-- None of it may depend on how the caller's session shows or reads dates.
set local time zone 'America/Los_Angeles';
set local datestyle = 'SQL, DMY';

select is(event.parse_instant(instant, 'Europe/Berlin'), expected::timestamptz, format('"%s" is %s', instant, sentence))
from (values
    ('2027-05-03T10:00:00+02:00',     '2027-05-03 08:00Z',     'an instant with its offset'),
    ('2027-05-03T10:00+0200',         '2027-05-03 08:00Z',     'so, without seconds and colon'),
    ('2027-05-03T10:00:00+02',        '2027-05-03 08:00Z',     'so, with hours only'),
    ('2027-05-03 10:00:00+02:00',     '2027-05-03 08:00Z',     'so, with a space'),
    ('2027-05-03T08:00:00Z',          '2027-05-03 08:00Z',     'an instant in UTC'),
    ('2027-05-03T08:00:00.123Z',      '2027-05-03 08:00:00.123Z', 'an instant with a fraction'),
    ('2027-05-03T10:00:00',           '2027-05-03 08:00Z',     'a local time in the zone'),
    ('2027-05-03T10:00',              '2027-05-03 08:00Z',     'a local time without seconds'),
    ('2027-05-03',                    '2027-05-02 22:00Z',     'a date, from its local midnight'),
    ('2027-03-28T03:30',              '2027-03-28 01:30Z',     'after the clocks went forward'),
    ('2027-03-28T02:30',              '2027-03-28 01:30Z',     'in the hour that is left out: as the clock before it would have said'),
    ('2027-10-31T02:30',              '2027-10-31 01:30Z',     'in the hour that comes twice: the second, in winter time'),
    ('2027-10-31T02:30:00+02:00',     '2027-10-31 00:30Z',     'the first of them, by its offset'),
    ('2028-02-29',                    '2028-02-28 23:00Z',     'the 29th of February of a leap year')
) as t (instant, expected, sentence);

select is(event.parse_instant(instant, 'Europe/Berlin'), null, format('"%s" is no instant', instant))
from (values (''), ('soon'), ('10:00'), ('2027-02-29'), ('2027-13-01'), ('2027-05-03T25:00'), ('2027-05-03T10:61'), ('03.05.2027'), ('05/03/2027'),
    ('2027-05-03T10:00+25:00'), ('2027-05-03T10:00 Europe/Berlin'), ('2027-05-03T10'), ('tomorrow'), ('now'), ('infinity'), ('20270503T100000Z'),
    ('٢٠٢٧-٠٥-٠٣')) as t (instant);

select is(event.zone_of_offsets(instants::text[]), zone, sentence)
from (values
    ('{2027-05-03T10:00+02:00,2027-05-03T11:00+02:00}', 'Etc/GMT-2', 'Two hours east of UTC is Etc/GMT-2'),
    ('{2027-05-03T10:00:00-05:00}',                     'Etc/GMT+5', 'Five hours west is Etc/GMT+5'),
    ('{2027-05-03 10:00:00-0500}',                      'Etc/GMT+5', 'However it is written'),
    ('{2027-05-03T10:00Z,2027-05-03T11:00+00:00}',      'UTC',       'None is UTC'),
    ('{2027-05-03T10:00+05:30}',                        'UTC',       'Half an hour has no zone of its own: UTC'),
    ('{2027-03-27T10:00+01:00,2027-03-28T10:00+02:00}', 'UTC',       'Offsets that differ are shown in UTC'),
    ('{2027-05-03T10:00+02:00,2027-05-03T11:00}',       'Etc/GMT-2', 'Times without an offset do not object'),
    ('{2027-05-03T10:00,2027-05-03}',                   null,        'Local times and dates alone say nothing'),
    ('{}',                                              null,        'Nor does an empty file')
) as t (instants, zone, sentence);

select is(event.session_start(instant, day, start, day_change), expected, sentence)
from (values
    ('2027-05-03T10:00+02:00', '2027-05-02', '09:00', '04:00',    '2027-05-03T10:00+02:00', 'An instant of its own says it all'),
    (null, '2027-05-03', '10:00',    null,                        '2027-05-03T10:00',       'Else day and time of day'),
    (null, '2027-05-03', '9:30',     null,                        '2027-05-03T09:30',       'The hour may have one digit'),
    (null, '2027-05-03', '9:30:15',  null,                        '2027-05-03T09:30:15',    'and there may be seconds'),
    (null, '2027-05-03', '00:30',    '04:00',                     '2027-05-04T00:30',       'Before the day changes it is the next date'),
    (null, '2027-05-03', '4:00',     '04:00:00',                  '2027-05-03T04:00',       'When it changes, the day begins'),
    (null, '2027-05-03', '9:30',     '10:00',                     '2027-05-04T09:30',       'Times compare as times, not as texts'),
    (null, '2027-12-31', '01:00',    '06:00',                     '2028-01-01T01:00',       'Also at the end of a year'),
    (null, '2027-05-03', '00:30',    null,                        '2027-05-03T00:30',       'Without a day change, the date is the day''s'),
    ('2027-05-03', '2027-05-02', '00:30', '04:00',                '2027-05-03T00:30',       'A date of its own is not moved'),
    ('2027-05-03', null, null,       null,                        '2027-05-03',             'A date alone is a start'),
    (null, null, '10:00',            null,                        null,                     'A time of day alone is not'),
    (null, '2027-05-03', null,       '04:00',                     null,                     'Nor is a day alone'),
    (null, '2027-02-30', '00:30',    '04:00',                     '2027-02-30T00:30',       'A day that is none is left for the check to name')
) as t (instant, day, start, day_change, expected, sentence);

select is(event.slug_of(name), slug, format('"%s" is named %s', name, coalesce(slug, 'nothing')))
from (values ('38C3', '38c3'), ('Camp2019', 'camp2019'), (' My  Conference ', 'my-conference'), ('Café Zürich 2027', 'cafe-zurich-2027'),
    ('pycon.de_27-x', 'pycon.de_27-x'), ('-x', 'x'), ('...', null), ('', null), (' ', null), (null, null), ('日本語', null), ('日本 2027', '2027'),
    ('a''; drop table event.events; --', 'a-drop-table-event.events')) as t (name, slug);
select is(length(event.slug_of(repeat('x', 100))), 63, 'A long name is cut to what a slug may have');

select * from finish();
rollback;
