-- Partners a contractor could work with: a score between 0 and 1, and the reasons that make it.
begin;
select no_plan();

insert into contractor.strategic_partners (tenant_id, key, name, category, goals, regions, embedding)
select t.tenant_id, v.key, v.name, 'software', v.goals, v.regions, model.embed_offline(v.words)
from access.tenants as t, (values
    ('all',      'All of it',     '{adopt-technology}'::text[], '{mountain}'::text[], 'Scheduling software and estimating tools for a small crew'),
    ('goal',     'The goal',      '{adopt-technology}',         '{south}',            'plumbing'),
    ('region',   'The region',    '{hire}',                     '{mountain,south}',   'plumbing'),
    ('anywhere', 'Anywhere',      '{hire}',                     '{}',                 'plumbing'),
    ('nothing',  'Nothing of it', '{hire}',                     '{south}',            null)) as v (key, name, goals, regions, words);

select test.act_as('acme', 'anna');
create temp table matches as select row_number() over () as n, m.* from contractor.partner_match(contractor.contractor_id('anna')) as m;
select results_eq('select key from matches order by n', array['all', 'goal', 'region', 'anywhere', 'nothing'], 'Best first');
select is(round(score::numeric, 6), 1.0, 'Who has everything scores 1') from matches where key = 'all';
select is(score, 0::float8, 'Who has nothing scores 0') from matches where key = 'nothing';
select is(why, '{}', 'and there is no reason for it') from matches where key = 'nothing';
select is(round(score::numeric, 6), 0.15, 'A partner without regions is half near') from matches where key = 'anywhere';
select ok(bool_and(score between 0 and 1), 'Scores lie between 0 and 1') from matches;
select is_empty($$ select key from matches where abs(score - coalesce((select sum(w.value::float8) from jsonb_each_text(why) as w), 0)) > 0.0015 $$, 'The reasons sum to the score');
select is((select count(*) from contractor.partner_match(contractor.contractor_id('anna'), 2))::int, 2, 'As many as wanted');
select is((select count(*) from contractor.partner_match(contractor.contractor_id('anna'), 0))::int, 0, 'or none');
select is_empty($$ select * from matches as m join contractor.strategic_partners as p using (partner_id) where p.tenant_id <> access.tenant_id() $$, 'Only the tenant''s own');
select throws_ok('select * from contractor.partner_match(null)', '22004', null, 'No contractor');
select throws_ok('select * from contractor.partner_match(gen_random_uuid())', 'QC202', null, 'An unknown one');

-- A contractor of whom nothing is known, and ties.
select test.act_as_superuser();
insert into contractor.contractors (tenant_id, key, name) select t.tenant_id, 'blank', 'Blank' from access.tenants as t where t.slug = 'acme';
select test.act_as('acme', 'olga');
select is((select array_agg(score order by n) from (select row_number() over () as n, m.score from contractor.partner_match(contractor.contractor_id('blank')) as m) as x),
    array[0.15, 0, 0, 0, 0]::float8[], 'Without features nothing matches but what is for everyone');
select is((select array_agg(key order by n) from (select row_number() over () as n, m.key from contractor.partner_match(contractor.contractor_id('blank')) as m) as x),
    array['anywhere', 'all', 'nothing', 'goal', 'region'], 'and equals are in the order of their names');

select * from finish();
rollback;
