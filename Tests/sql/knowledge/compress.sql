-- From passages to the sentences that answer, each shown in its place.
begin;
select no_plan();
select test.act_as('acme', 'olga');
select knowledge.create_workspace('fair', 'Fair');
select knowledge.add_text('fair', 'Getting there', E'# Parking\n\nThe halls open at nine. Visitors park in garage P3, five euros a day. Bring a hat.\n\nBuses leave at 18:00.', 'way', url => 'https://fair.example/way');
select knowledge.add_qna('fair', 'Can I bring my dog?', 'Dogs are welcome outside.', 'dog');
select knowledge.add_text('fair', 'Staff', 'Staff park behind hall 2 for free.', 'staff', access_level => 5);
create temp table answers as select q, knowledge.answer('fair', q) as a from unnest(array['Where can visitors park?', 'May my dog come along, can I bring it?', 'quantum entanglement', '']) as q;

select test.act_as_superuser();
select results_eq('select starts_at, ends_at from knowledge.sentences(''One. Two! 東京。京都。'')', 'values (0, 4), (5, 9), (10, 13), (13, 16)', 'Sentences end at their marks');
select is_empty('select * from knowledge.sentences('' '')', 'Nothing has no sentences');
select is(array(select substr(n.content, s.starts_at + 1, s.ends_at - s.starts_at) from knowledge.sentences(n.content) as s order by s.starts_at), n.wanted::text[], n.name) from (values
    (E'| Pump | Bar |\n|------|-----|\n| P1 | 4.5 |\n| Ü2 | 7 |\nAll is said. Twice.', array['| Pump | Bar |', '| P1 | 4.5 |', '| Ü2 | 7 |', 'All is said.', 'Twice.'], 'A row of a table is one'),
    (E'It takes:\n- a wrench\n- two\n  hands\n10. patience', array['It takes:', '- a wrench', E'- two\n  hands', '10. patience'], 'and an item of a list, with the lines it goes on in'),
    (E'# Title\nText that\ngoes on', array['# Title', E'Text that\ngoes on'], 'and a heading'),
    (E'5 - 3 is 2\r\nand a|b is a choice.', array[E'5 - 3 is 2\r\nand a|b is a choice.'], 'Signs elsewhere are no sign of it')
) as n (content, wanted, name);
select test.act_as('acme', 'olga');
select is(a #>> '{citations,0,line}', 'Visitors park in garage P3, five euros a day.', 'The sentence that answers is cited') from answers where q ~ 'visitors';
select matches(a ->> 'answer', '^Visitors park in garage P3, five euros a day\. \[1\]', 'and is the answer') from answers where q ~ 'visitors';
select is(substr(d.content, (c ->> 'starts_at')::int + 1, (c ->> 'ends_at')::int - (c ->> 'starts_at')::int), c ->> 'line', 'in its place')
from answers, jsonb_array_elements(a -> 'citations') as c join knowledge.documents as d on d.document_id = (c ->> 'id')::uuid where q ~ 'visitors' and d.kind = 'text';
select is(a #>> '{citations,0,before}', E'# Parking\n\nThe halls open at nine. ', 'with what stands before') from answers where q ~ 'visitors';
select matches(a #>> '{citations,0,after}', '^ Bring a hat\.', 'and after') from answers where q ~ 'visitors';
select is(a #>> '{citations,0,url}', 'https://fair.example/way', 'and where it is') from answers where q ~ 'visitors';
select matches(a ->> 'answer', '^Dogs are welcome outside\. \[1\]', 'A question is answered with its answer') from answers where q ~ 'dog';
select is(a, '{"answer": "I find nothing on that.", "citations": []}', format('%L finds nothing', q)) from answers where q in ('quantum entanglement', '');

create temp table found as select array_agg(chunk_id) as ids from knowledge.search('fair', 'park staff visitors', max_results => 10);
select is((select count(*)::int from found, knowledge.compress('fair', 'park', ids, 1)), 1, 'However small the budget, one sentence is there');
select is((select count(*)::int from found, knowledge.compress('fair', 'park', ids, 1000)), 2, 'However large, only what says something');
grant select on found to public;
select test.act_as('acme', 'anna');
select is((select count(*)::int from found, knowledge.compress('fair', 'park', ids, 1000)), 1, 'Chunks one may not find are not told');
select ok(knowledge.answer('fair', 'Where does staff park?') ->> 'answer' !~ 'hall 2', 'nor answered from');

select * from finish();
rollback;
