-- What people type, and what comes back for it.
begin;
select no_plan();
select test.act_as('acme', 'olga');
select knowledge.create_workspace('help', 'Help', '{"languages": ["english", "german"], "chunk_size": 48, "chunk_overlap": 0, "filters": {"product": "text", "price": "number", "due": "time", "sold": "boolean"}}');
select knowledge.add_text('help', title, content, key, language => language, metadata => coalesce(metadata, '{}')::jsonb) from (values
    ('err',   '', 'Error ERR_42 means that the spindle is blocked.', null, '{"product": "lathe", "price": 1200.5, "due": "2027-05-03T09:00:00+02", "sold": true}'),
    ('err2',  '', 'Error ERR_43 means that the 42 screws are loose.', null, '{"product": "mill", "price": 80}'),
    ('ver',   '', 'Release v2.1.7 mends the spindle, v2.1.70 breaks it.', null, null),
    ('house', '', 'Die Häuser der Straße haben große Fenster.', null, '{"product": "x''); drop table knowledge.chunks; --"}'),
    ('tokyo', '', '東京都に行くのは楽しいです。', null, null),
    ('thai',  '', 'สวัสดีชาวโลก ยินดีต้อนรับ', null, null),
    ('emoji', '', 'The party 🎉 is on Friday 👨‍👩‍👧.', null, null),
    ('arab',  '', 'مرحبا بالعالم في هذا المعرض', null, null),
    ('order', '', 'The water pump drives the heat exchanger.', null, null),
    ('other', '', 'The pump is heated by water.', null, null),
    ('empty', 'A title alone', '', null, null)) as v (key, title, content, language, metadata);
create function pg_temp.finds(query text, filters jsonb default '{}') returns text language sql as $$
    select coalesce(string_agg(distinct s.document_key, ' ' order by s.document_key), '') from knowledge.search('help', query, filters => filters, vector_weight => 0) as s
$$;

-- Words.
select is(pg_temp.finds('ERR_42'), 'err err2', 'A code is found by its parts,');
select is((select document_key from knowledge.search('help', 'err_42', vector_weight => 0) limit 1), 'err', 'and best as a whole');
select is((select document_key from knowledge.search('help', 'what does v2.1.7 do?', vector_weight => 0) limit 1), 'ver', 'A version is one word');
select is(pg_temp.finds('Haus Fenster'), 'house', 'German is read as German');
select is((select language from knowledge.documents where key = 'house'), 'german', 'which was noticed');
select is((select language from knowledge.documents where key = 'err'), 'english', 'and English, too');
select is(pg_temp.finds('東京'), 'tokyo', 'Japanese is found by pairs of characters');
select is(pg_temp.finds('สวัสดี'), 'thai', 'and so is Thai');
select is(pg_temp.finds('المعرض'), 'arab', 'Arabic by its words');
select is(pg_temp.finds('🎉'), '', 'What is no word finds nothing');
select is(pg_temp.finds('spindle zzzzunknown'), 'err ver', 'Any word may do');

-- Phrases, beginnings, and what must not be.
select is(pg_temp.finds('"water pump"'), 'order', 'A phrase must be there as it stands');
select is(pg_temp.finds('“water pump”'), 'order', 'in whatever quotation marks');
select is(pg_temp.finds('pump -exchanger'), 'other', 'What stands after a minus must not be there');
select is(pg_temp.finds('pump - exchanger'), 'order other', 'with a space it is a dash');
select is(pg_temp.finds('spind*'), '', 'A beginning is known once it was counted');
select test.act_as_superuser();
select knowledge.count_some_words(workspace_id, 1000) from knowledge.workspaces;
select test.act_as('acme', 'olga');
select is(pg_temp.finds('spind*'), 'err ver', 'and then it is');
select is(pg_temp.finds('"'), '', 'One quotation mark is none');
select is(pg_temp.finds('"the of"'), '', 'A phrase of words that say nothing asks for nothing');

-- Nothing, too much, and bad intent.
select is(pg_temp.finds(q), '', format('%L finds nothing', left(q, 20))) from unnest(array['', ' ', E'\t\n', 'the of and', '?!', '*', '-', '""', '& | !', '''', '\', '<->', ':*', '%', '_', ')']) as q;
select is(pg_temp.finds('spindle'' | ''pump'), 'err order other ver', 'Nothing is read as a query language');
select lives_ok(format('select knowledge.search(''help'', %L)', repeat('pump spindle x' || chr(1) || ' ', 10000)), 'Thirty thousand words are asked for, and some answered');
select lives_ok(format('select knowledge.search(''help'', %L)', (select string_agg('w' || n, ' ') from generate_series(1, 10000) as n)), 'and ten thousand different ones');
select lives_ok(format('select knowledge.search(''help'', %L)', repeat('x', 100000)), 'and one of a hundred thousand letters');
select throws_ok($$ select knowledge.search('help', null) $$, '22004', null, 'No query at all is refused');
select throws_ok(format('select knowledge.search(''help'', ''x'', max_results => %s)', n), '22023', null, n || ' results, too') from unnest(array['0', '-1', '1001', 'null']) as n;
select throws_ok($$ select knowledge.search('help', 'x', lexical_weight => 0, vector_weight => 0) $$, '22023', null, 'and no leg to stand on');
select throws_ok($$ select knowledge.search('help', 'x', lexical_weight => 'NaN') $$, '22023', null, 'or one that is no number');

-- Filters.
select is(pg_temp.finds('error spindle', '{"product": "lathe"}'), 'err', 'Equal');
select is(pg_temp.finds('error spindle', '{"product": ["lathe", "mill"]}'), 'err err2', 'One of several');
select is(pg_temp.finds('error spindle', '{"product": []}'), '', 'One of none');
select is(pg_temp.finds('error spindle', '{"product": null}'), 'ver', 'None');
select is(pg_temp.finds('error spindle', '{"price": {"gte": 80, "lt": 1200.5}}'), 'err2', 'Within');
select is(pg_temp.finds('error spindle', '{"price": 1200.50}'), 'err', 'A number is equal as a number');
select is(pg_temp.finds('error spindle', '{"due": {"lte": "2027-05-03 07:00:00Z"}}'), 'err', 'A time is one instant, whatever the zone');
select is(pg_temp.finds('error spindle', '{"sold": true}'), 'err', 'Yes or no');
select is(pg_temp.finds('Häuser', '{"product": "x''); drop table knowledge.chunks; --"}'), 'house', 'A value is a value');
select is(pg_temp.finds('Häuser', '{"language": "german", "kind": "text", "key": "house"}'), 'house', 'Every workspace has some');
select is(pg_temp.finds('Häuser', '{"created_at": {"gt": "infinity"}}'), '', 'Infinity is a time');
select throws_ok(format('select knowledge.search(''help'', ''x'', filters => %L)', f), c, null, f) from (values
    ('{"colour": "red"}', 'QC218'), ('{"product; drop table x": 1}', 'QC218'), ('[]', '22023'), ('null', '22023'), ('"x"', '22023'),
    ('{"price": "cheap"}', '22023'), ('{"due": "soon"}', '22023'), ('{"sold": "perhaps"}', '22023'), ('{"price": {"between": 1}}', '22023'),
    ('{"price": {"gt": null}}', '22023'), ('{"price": [1, "x"]}', '22023'), ('{"document_id": "x"}', '22023')) as v (f, c);
select throws_ok($$ select knowledge.add_text('help', 'x', 'y', metadata => '{"price": "cheap"}') $$, '22023', null, 'Metadata that could not be filtered by are refused');
select throws_ok($$ select knowledge.configure_workspace('help', '{"chunksize": 3}') $$, 'QC216', null, 'A setting there is none is refused');
select throws_ok($$ select knowledge.configure_workspace('help', '{"languages": ["klingon"]}') $$, '42704', null, 'and a language');
select throws_ok($$ select knowledge.configure_workspace('help', '{"chunk_size": 3}') $$, '23514', null, 'and a value');
select throws_ok($$ select knowledge.configure_workspace('help', '{"filters": {"kind": "text"}}') $$, '22023', null, 'and a filter that is taken');
select throws_ok($$ select knowledge.add_text('help', 'x', 'y', language => 'french') $$, '22023', null, 'and a text in a language it has not');
select knowledge.add_text('help', '', 'A spindle with a weight', 'heavy', metadata => '{"weight": "much"}');
select throws_ok($$ select knowledge.configure_workspace('help', '{"filters": {"weight": "number"}}') $$, '22023', '"much" is no numeric, which "weight" is filtered by', 'A filter that does not fit what is there is refused');
select knowledge.configure_workspace('help', '{"filters": {"weight": "text", "price": "number"}}');
select is(pg_temp.finds('spindle', '{"weight": "much"}'), 'heavy', 'one that fits is not');
select throws_ok($$ select knowledge.search('help', 'x', filters => '{"product": "x"}') $$, 'QC218', null, 'and one that is no longer there is unknown');
select is((select count(*)::int from pg_indexes where schemaname = 'knowledge' and indexdef ~ 'metadata ->> ''price'), 1, 'Numbers have an index');

-- Parts of a workspace, and the way to them.
select knowledge.add_qna('help', 'Is the spindle under guarantee?', 'For two years.', 'g');
select knowledge.set_index('help', 'faq', '{"kind": "qna"}', vector_weight => 0);
select knowledge.set_route('help', 1, '^(is|does|can)\M', 'faq');
select results_eq($$ select document_key from knowledge.search('help', 'spindle', index_name => 'faq') $$, $$ values ('g') $$, 'A part is searched by itself');
select results_eq($$ select document_key from knowledge.search('help', 'Is the spindle fast?') $$, $$ values ('g') $$, 'A question of this kind goes there');
select is(knowledge.explain_search('help', 'Is the spindle fast?') ->> 'index', 'faq', 'and it says so');
select knowledge.set_route('help', 1, null, null);
select is(knowledge.explain_search('help', 'Is the spindle fast?') ->> 'index', null, 'until it no longer does');
select throws_ok($$ select knowledge.search('help', 'x', index_name => 'no') $$, 'QC215', null, 'A part there is none');
select throws_ok($$ select knowledge.set_route('help', 1, '(', 'faq') $$, '2201B', null, 'A pattern that is none');
select throws_ok($$ select knowledge.set_route('help', 1, 'x', 'nowhere') $$, '23503', null, 'A way to nowhere');

-- Asked otherwise, something different, and what stands around it.
select ok('house' in (select document_key from knowledge.search('help', 'building', rewrites => '{Haus}', vector_weight => 0)), 'Rewrites find what the words do not');
select knowledge.add_text('help', '', 'Calibrate the laser before each run. Copy ' || n, 'copy' || n) from generate_series(1, 4) as n;
select knowledge.add_text('help', '', 'The laser needs clean glass and nothing else to calibrate', 'glass');
select ok('glass' not in (select document_key from knowledge.search('help', 'calibrate the laser before each run', max_results => 2)), 'The best two say the same');
select ok('glass' in (select document_key from knowledge.search('help', 'calibrate the laser before each run', max_results => 2, diversity => 0.5)), 'Diversity brings something else');
select knowledge.add_text('help', '', (select string_agg(format('Step %s is about thing%s and takes a while to explain properly to anybody who has never seen one. ', n, n), E'\n\n' order by n) from generate_series(1, 9) as n), 'steps');
select ok((select s.content ~ 'thing5' and strpos(w.content, s.content) > 1 and w.content ~ 'thing4' and w.content ~ 'thing6' and s.content !~ 'thing4.*thing6' from knowledge.search('help', 'thing5', max_results => 1, vector_weight => 0) as s, knowledge.search('help', 'thing5', max_results => 1, vector_weight => 0, neighbours => 1) as w), 'Neighbours come along');
select is((select s.content from knowledge.search('help', 'thing5', max_results => 1, vector_weight => 0, neighbours => 1) as s),
    (select substr(d.content, s.starts_at + 1, s.ends_at - s.starts_at) from knowledge.search('help', 'thing5', max_results => 1, vector_weight => 0, neighbours => 1) as s join knowledge.documents as d using (document_id)), 'with offsets that fit');
select ok((select bool_and(score between 0 and 1) from knowledge.search('help', 'laser pump', max_results => 50)), 'Scores are from 0 to 1');
select knowledge.configure_workspace('help', '{"fusion": "rrf"}');
select is((select document_key from knowledge.search('help', 'err_42') limit 1), 'err', 'Reciprocal ranks find it, too');
select is((select round(score, 6) from (select score::numeric from knowledge.search('help', 'err_42') limit 1) as s), round((0.5 / 61 + 0.5 / 61)::numeric, 6), 'and score as they are said to');
select knowledge.configure_workspace('help', '{"fusion": "linear", "document_weight": 0.5}');
select is((select document_key from knowledge.search('help', 'err_42') limit 1), 'err', 'and with the document''s score');
select knowledge.configure_workspace('help', '{"reranker": "some-model", "rerank_gap": 1}');
select is(knowledge.explain_search('help', 'laser') ->> 'rerank', 'some-model', 'Where the best are close, a model should look again');
select knowledge.configure_workspace('help', '{"rerank_gap": 0}');
select is(knowledge.explain_search('help', 'laser') ->> 'rerank', null, 'and else not');

select * from finish();
rollback;
