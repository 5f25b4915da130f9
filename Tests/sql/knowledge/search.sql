-- From a text to a passage that somebody may find, with its place in the document.
begin;
select no_plan();
select test.act_as('acme', 'olga');

select lives_ok($$ select knowledge.create_workspace('manuals', 'Manuals', '{"chunk_size": 64, "chunk_overlap": 8, "filters": {"product": "text", "pages": "number"}}') $$, 'An organizer makes a workspace');
select is((select count(*) from knowledge.search('manuals', 'anything')), 0::bigint, 'An empty one finds nothing');

select lives_ok($$ select knowledge.add_text('manuals', 'Pump P-200', E'The pump fails with error ERR_42 when the inlet valve is closed.\n\nOpen the valve and press reset.', 'p200', metadata => '{"product": "pump", "pages": 12}') $$, 'A text is added');
select lives_ok($$ select knowledge.add_text('manuals', 'Boiler B-7', 'The boiler heats water. Its valve is tested once a year.', 'b7', metadata => '{"product": "boiler", "pages": 3}') $$, 'and another');
select lives_ok($$ select knowledge.add_qna('manuals', 'How do I reset the heater?', 'Hold the red button for ten seconds.', 'q1') $$, 'and a question');

select is((select document_key from knowledge.search('manuals', 'inlet valve closed') limit 1), 'p200', 'Words find it');
select is((select document_key from knowledge.search('manuals', 'ERR_42') limit 1), 'p200', 'A code finds it');
select is((select answer from knowledge.search('manuals', 'reset the heater') limit 1), 'Hold the red button for ten seconds.', 'A question brings its answer');
select is((select substr(d.content, s.starts_at + 1, s.ends_at - s.starts_at) from knowledge.search('manuals', 'inlet valve') s join knowledge.documents d using (document_id) limit 1),
    (select content from knowledge.search('manuals', 'inlet valve') limit 1), 'Offsets show the passage in place');
select results_eq($$ select document_key from knowledge.search('manuals', 'valve', filters => '{"product": "boiler"}') $$, $$ values ('b7') $$, 'A filter leaves one');
select results_eq($$ select document_key from knowledge.search('manuals', 'valve', filters => '{"pages": {"gte": 10}}') $$, $$ values ('p200') $$, 'A range leaves one');
select throws_ok($$ select knowledge.add_texts('manuals', '[{"key": "part", "content": "x", "parent_id": "00000000-0000-4000-8000-000000000000"}]') $$, 'QC224', null, 'Among many, too, nothing is part of what is not there');
select is((select string_agg(key || ' ' || chunk_count, ', ' order by key) from knowledge.documents), 'b7 1, p200 1, q1 1', 'A document knows how many passages it has');
select throws_ok($$ select knowledge.search('manuals', 'valve', filters => '{"colour": "red"}') $$, 'QC218', null, 'An unknown filter is refused by name');
select throws_ok($$ select knowledge.search('manual', 'valve') $$, 'QC215', null, 'An unknown workspace, too');

select * from finish();
rollback;
