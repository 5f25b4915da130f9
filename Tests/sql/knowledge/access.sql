-- Who finds what: decided before the list is cut, the same in both legs, and the same as row-level security has it.
begin;
select no_plan();
-- What somebody finds with so many results as there are, and what they read in the table.
create function test.finds(person text, query text default 'bonus plan', max_results int default 1000) returns setof text language plpgsql as $$
begin
    perform test.act_as('acme', person);
    return query select distinct s.document_key from knowledge.search('staff', query, max_results => max_results) as s;
end
$$;
create function test.reads(person text) returns setof text language plpgsql as $$
begin
    perform test.act_as('acme', person);
    return query select d.key from knowledge.documents as d;
end
$$;
grant execute on all functions in schema test to concierge_app;

select test.act_as('acme', 'olga');
select knowledge.create_workspace('staff', 'Staff', '{"chunk_size": 40, "chunk_overlap": 0}');
-- Eleven that all may find and match worse; a hundred that few may, and match better.
select knowledge.add_text('staff', '', 'A bonus for everybody is planned, and many other words that stand here ' || n, 'open' || n) from generate_series(1, 11) as n;
select knowledge.add_text('staff', '', 'bonus plan secret ' || n, 'secret' || n, access_level => 5) from generate_series(1, 50) as n;
select knowledge.add_text('staff', '', 'bonus plan board ' || n, 'board' || n, access_groups => '{board}') from generate_series(1, 50) as n;
select knowledge.add_text('staff', '', 'bonus plan both', 'both', access_level => 5, access_groups => '{audit,board}');


select is((select count(*)::int from test.finds('olga')), 112, 'An organizer finds everything');
select is((select count(*)::int from test.finds('sam')), 112, 'and so does a service');
select is((select string_agg(distinct left(f, 4), ' ') from test.finds('anna') as f), 'open', 'Who has no clearance finds what is open');
select is((select count(*)::int from test.finds('anna', max_results => 10)), 10, 'and ten of ten, though a hundred others match better');
select test.act_as('acme', 'anna');
select is((select count(*)::int from knowledge.search('staff', 'bonus plan', max_results => 10, lexical_weight => 0, vector_weight => 1)), 10, 'by vectors, too');
select is((select count(*)::int from knowledge.search('staff', 'bonus plan', max_results => 10, vector_weight => 0)), 10, 'and by words alone');
select throws_ok(format('select knowledge.set_clearance(%L, 9)', (select person_id from access.people)), 'QC405', null, 'She cannot give herself a clearance');

select test.act_as('acme', 'olga');
create temp table people as select subject, person_id from access.people;
select knowledge.set_clearance(person_id, 5) from people where subject = 'anna';
select knowledge.set_clearance(person_id, 0, '{board,board}') from people where subject = 'bert';
select set_eq($$ select distinct regexp_replace(f, '\d', '', 'g') from test.finds('anna') as f $$, array['open', 'secret'], 'A level opens what is up to it, of no group');
select set_eq($$ select distinct regexp_replace(f, '\d', '', 'g') from test.finds('bert') as f $$, array['open', 'board'], 'A group opens what is the group''s, up to the level');
select test.act_as('acme', 'olga');
select knowledge.set_clearance(person_id, 5, '{audit}') from people where subject = 'bert';
select set_eq($$ select distinct regexp_replace(f, '\d', '', 'g') from test.finds('bert') as f $$, array['open', 'secret', 'both'], 'One of the groups is enough');
select set_eq(format('select * from test.finds(%L)', p), format('select * from test.reads(%L)', p), p || ' finds what they may read') from unnest(array['olga', 'anna', 'bert']) as p;

-- A document changes hands.
select test.act_as('acme', 'olga');
select knowledge.add_text('staff', '', 'bonus plan secret 1', 'secret1', access_level => 0);
select test.act_as('acme', 'olga');
select knowledge.set_clearance(person_id) from people where subject = 'anna';
select ok('secret1' in (select * from test.finds('anna')), 'What is opened is found');
select test.act_as('acme', 'olga');
select knowledge.add_text('staff', '', 'bonus plan secret 1', 'secret1', access_level => 9);
select ok('secret1' not in (select * from test.finds('anna')), 'and what is closed again is not');

-- Another tenant, and nobody.
select test.act_as('globex', 'olga');
select throws_ok($$ select knowledge.search('staff', 'bonus') $$, 'QC215', null, 'Another tenant''s workspace is not there');
select is((select count(*) from knowledge.documents) + (select count(*) from knowledge.workspaces) + (select count(*) from knowledge.chunks) + (select count(*) from knowledge.generations), 0::bigint, 'nor are its rows');
select throws_ok(format('select knowledge.set_clearance(%L, 9)', person_id), 'QC202', null, 'nor its people') from people where subject = 'anna';
select lives_ok($$ select knowledge.create_workspace('staff', 'Ours') $$, 'and its slug is free');
select is((select count(*) from knowledge.search('staff', 'bonus plan')), 0::bigint, 'Two of one name are two');
select test.act_as('acme', 'anna');
select throws_ok($$ select knowledge.add_text('staff', 'x', 'y') $$, 'QC405', null, 'An attendee adds nothing');
select throws_ok($$ select knowledge.remove_document('staff', gen_random_uuid()) $$, 'QC405', null, 'and removes nothing');
select throws_ok($$ select knowledge.create_workspace('mine', 'Mine') $$, 'QC405', null, 'and makes no workspace');
select throws_ok($$ select * from knowledge.lexical $$, '42501', null, 'The words are read by search alone');
select throws_ok($$ select * from knowledge.documents_1 $$, '42501', null, 'and partitions by nobody');
select set_config('request.jwt', '', true);
select throws_ok($$ select knowledge.search('staff', 'bonus') $$, 'QC401', null, 'Nobody finds nothing, and is told');

select * from finish();
rollback;
