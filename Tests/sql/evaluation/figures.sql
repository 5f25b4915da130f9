-- Collections, runs, and the figures that come of them: who may load and record, what is computed, and what is refused.
begin;
select no_plan();

create function test.load(collection text default 'facts') returns jsonb language sql as $$
    select evaluation.load_collection(collection, 'Facts',
        '[{"key": "q1", "text": "What cures in eight hours?"}, {"key": "q2", "text": "Where is booth B2?"}, {"key": "q3", "text": "Who speaks next?"}]',
        '[{"query": "q1", "document": "d1", "grade": 3}, {"query": "q1", "document": "d2", "grade": 1}, {"query": "q1", "document": "d3", "grade": 0},
          {"query": "q1", "document": "d4", "grade": 2}, {"query": "q2", "document": "d1", "grade": 1}, {"query": "q2", "document": "d9", "grade": -1}]') $$;
create function test.record(label text, results jsonb, collection text default 'facts') returns bigint language plpgsql as $$
declare
    v_run_id bigint := evaluation.start_run(collection, label => record.label, config => '{"depth": 10}');
begin
    perform evaluation.add_results(v_run_id, results);
    perform evaluation.finish_run(v_run_id);
    return v_run_id;
end
$$;
create function test.figures(run_id bigint, k int default 10) returns table (query text, ndcg numeric, recall numeric, "precision" numeric, rr numeric) language sql as $$
    select m.query, round(m.ndcg::numeric, 6), round(m.recall::numeric, 6), round(m.precision::numeric, 6), round(m.reciprocal_rank::numeric, 6) from evaluation.metrics(run_id, k) as m $$;

-- Who may.
select throws_ok('select test.load()', 'QC401', null, 'Nobody loads a collection without signing in');
select test.act_as('acme', 'anna');
select throws_ok('select test.load()', 'QC405', null, 'nor an attendee');
select throws_ok($$ select evaluation.drop_collection('facts') $$, 'QC405', null, 'Nor does an attendee drop one');
select throws_ok($$ select evaluation.start_run('facts') $$, 'QC405', null, 'or start a run') union all select throws_ok('select evaluation.add_results(1, $$[]$$)', 'QC405', null, 'or add to one')
union all select throws_ok('select evaluation.finish_run(1)', 'QC405', null, 'or finish') union all select throws_ok('select evaluation.drop_run(1)', 'QC405', null, 'or drop one');

-- A collection.
select test.act_as('acme', 'sam');
select is(test.load(), '{"collection": "facts", "queries": 3, "judgements": 6}', 'An app''s service loads a collection');
select is(test.load(), '{"collection": "facts", "queries": 3, "judgements": 6}', 'and again, to the same end');
select results_eq('select (select count(*) from evaluation.collections), (select count(*) from evaluation.queries), (select count(*) from evaluation.judgements)', 'values (1::bigint, 3::bigint, 6::bigint)', 'Nothing is there twice');
select throws_ok($$ select evaluation.load_collection('x', 'X', '[]', '[{"query": "q7", "document": "d", "grade": 1}]') $$, 'QC243', 'a judgement is of query "q7", which is not there', 'A judged query must be there');
select throws_ok($$ select evaluation.load_collection('x', 'X', '{}', '[]') $$, '22023', null, 'An object is no list') union all select throws_ok($$ select evaluation.load_collection('x', 'X', '[]', null) $$, '22023', null, 'nor is null');
select throws_ok($$ select evaluation.load_collection('x', 'X', '[{"key": "q"}]', '[]') $$, '23502', null, 'A query has a text');
select throws_ok($$ select evaluation.load_collection('x', 'X', '[{"key": "q", "text": "t"}, {"key": "q", "text": "u"}]', '[]') $$, '21000', null, 'and is there once');
select throws_ok($$ select evaluation.load_collection('x', 'X', '[{"key": "q", "text": "t"}]', '[{"query": "q", "document": "d", "grade": 1}, {"query": "q", "document": "d", "grade": 0}]') $$, '23505', null, 'A document is judged once for a query');
select throws_ok($$ select evaluation.load_collection('Not a slug', 'X', '[]', '[]') $$, '23514', null, 'A collection has a slug');

-- A run.
create temp table runs as select test.record('best', '[{"query": "q1", "document": "d1", "score": 3}, {"query": "q1", "document": "d4", "score": 2}, {"query": "q1", "document": "d2", "score": 1}, {"query": "q2", "document": "d1", "score": 1}]') as best,
    test.record('middling', '[{"query": "q1", "document": "d3", "rank": 1}, {"query": "q1", "document": "d2", "rank": 2}, {"query": "q1", "document": "d8", "rank": 3}, {"query": "q1", "document": "d1", "rank": 4},
        {"query": "q2", "document": "d9", "rank": 1}, {"query": "q2", "document": "d1", "rank": 2}, {"query": "q3", "document": "d1", "rank": 1}]') as middling,
    test.record('nothing', '[]') as nothing,
    test.record('ties', '[{"query": "q1", "document": "a", "score": 1}, {"query": "q1", "document": "B", "score": 1}, {"query": "q1", "document": "c", "score": 1.5}, {"query": "q1", "document": "b", "score": 1.00000001}]') as ties;
select is(string_agg(s.document_key, ' ' order by s.rank) collate "C", 'c b a B', 'Equal scores are ranked by key, backwards and by bytes; scores are single precision') from evaluation.results as s, runs where s.run_id = ties;
select is((select r.config ->> 'depth' from evaluation.runs as r, runs where r.run_id = best), '10', 'What a caller says of a run is kept');
select throws_ok('select evaluation.add_results(best, $$[]$$) from runs', 'QC441', null, 'A finished run is as it is') union all select throws_ok('select evaluation.finish_run(best) from runs', 'QC441', null, 'and ends once');
select throws_ok('select evaluation.add_results(-1, $$[]$$)', 'QC242', null, 'A run must be there');
select throws_ok($$ select evaluation.start_run('nowhere') $$, 'QC241', null, 'and its collection') union all select throws_ok($$ select evaluation.start_run('facts', 'nowhere') $$, 'QC215', null, 'and its workspace');
create temp table open as select evaluation.start_run('facts') as run_id;
select throws_ok('select evaluation.add_results(run_id, $$[{"query": "q8", "document": "d", "rank": 1}]$$) from open', 'QC243', null, 'Results are of queries of the collection');
select throws_ok('select evaluation.add_results(run_id, $$[{"query": "q1", "document": "d", "rank": 1}, {"query": "q1", "document": "d", "rank": 2}]$$) from open', '23505', null, 'A document is found once');
select throws_ok('select evaluation.add_results(run_id, $$[{"query": "q1", "document": "d", "rank": 0}]$$) from open', '23514', null, 'Ranks begin with 1');
select throws_ok('select evaluation.add_results(run_id, $$7$$) from open', '22023', null, 'A number is no list');
select is(evaluation.drop_run(run_id), true, 'A run can be dropped') from open;
select is(evaluation.drop_run(run_id), false, 'once') from open;

-- Figures, worked out by hand: DCG of q1 by grades 3, 2, 1 is 3 + 2/log2(3) + 1/2 = 4.761860; of 0, 1, -, 3 it is 1/log2(3) + 3/log2(5) = 1.922959.
select results_eq('select (test.figures(best)).* from runs', $$ values ('q1', 1.000000, 1.000000, 0.300000, 1.000000), ('q2', 1, 1, 0.1, 1) $$, 'The best ranking there is has 1; a query without judgements is left out');
select results_eq('select (test.figures(middling)).* from runs', $$ values ('q1', 0.403825, 0.666667, 0.2, 0.5), ('q2', 0.630930, 1, 0.1, 0.5) $$, 'A document judged 0 or less gains nothing, nor does one not judged');
select results_eq('select (test.figures(middling, 1)).* from runs', $$ values ('q1', 0.0, 0.0, 0.0, 0.5), ('q2', 0, 0, 0, 0.5) $$, 'k cuts all but the reciprocal rank');
select results_eq('select (test.figures(best, 2)).* from runs', $$ values ('q1', 1.000000, 0.666667, 1.0, 1.0), ('q2', 1, 1, 0.5, 1) $$, 'and the ideal');
select results_eq('select (test.figures(nothing)).* from runs', $$ values ('q1', 0.0, 0.0, 0.0, 0.0), ('q2', 0, 0, 0, 0) $$, 'A judged query for which nothing was found counts 0');
select throws_ok('select * from evaluation.metrics(-1)', 'QC242', 'there is no run -1', 'Figures are of a run');

-- Means.
select results_eq('select s.metric, round(s.mean::numeric, 6), s.judged, s.unjudged from runs, evaluation.summary(middling) as s',
    $$ values ('ndcg', 0.517378, 2::bigint, 1::bigint), ('recall', 0.833333, 2, 1), ('precision', 0.15, 2, 1), ('reciprocal_rank', 0.5, 2, 1) $$, 'Means are over judged queries, and the others are counted');
select ok(bool_and(s.low <= s.mean and s.mean <= s.high), 'A mean is within its interval') from runs, evaluation.summary(middling) as s;
select ok(s.low = s.high and s.low = 0.5, 'Where all are equal there is nothing between') from runs, evaluation.summary(middling) as s where s.metric = 'reciprocal_rank';
select throws_ok('select * from evaluation.summary(-1)', 'QC242', null, 'A summary is of a run');

-- Intervals. Of 400 values 0 and 1, half of each, the standard error is .025, and the interval 1.96 of them to each side.
create temp table coins as select array_agg((i % 2)::float8) as sides from generate_series(1, 400) as i;
select ok(b.low between 0.445 and 0.457 and b.high between 0.543 and 0.555, 'The interval is as wide as theory has it') from coins, evaluation.bootstrap(sides, 2000) as b;
select is(evaluation.bootstrap(sides)::text, evaluation.bootstrap(sides)::text, 'The same seed draws the same') from coins;
select isnt(evaluation.bootstrap('{0.1, 0.23, 0.7, 0.96, 0.4}', 99)::text, evaluation.bootstrap('{0.1, 0.23, 0.7, 0.96, 0.4}', 99, 7)::text, 'and another seed other ones');
select is(evaluation.bootstrap('{}')::text, '(,)', 'Nothing has no interval') union all select is(evaluation.bootstrap(null)::text, '(,)', 'nor has null');

-- Two runs.
select results_eq('select c.metric, round(c.a::numeric, 6), round(c.b::numeric, 6), round(c.difference::numeric, 6), c.better, c.worse, c.judged from runs, evaluation.compare(middling, best) as c',
    $$ values ('ndcg', 0.517378, 1.000000, 0.482622, 2::bigint, 0::bigint, 2::bigint), ('recall', 0.833333, 1, 0.166667, 1, 0, 2), ('precision', 0.15, 0.2, 0.05, 1, 0, 2), ('reciprocal_rank', 0.5, 1, 0.5, 2, 0, 2) $$, 'Runs are compared query by query');
select ok(bool_and(c.low = 0 and c.high = 0 and c.difference = 0), 'A run does not differ from itself') from runs, evaluation.compare(best, best) as c;
select ok(c.low between 0.369 and 0.3691 and c.high between 0.5961 and 0.5962, 'The interval is of the differences, which are .369 and .596') from runs, evaluation.compare(middling, best) as c where c.metric = 'ndcg';
select test.load('others');
select throws_ok(format('select * from evaluation.compare(%s, %s)', best, test.record('other', '[]', 'others')), 'QC244', null, 'Runs of two collections cannot be compared') from runs;
select throws_ok('select c.* from runs, evaluation.compare(best, -1) as c', 'QC242', null, 'nor a run with none');

-- A workspace is asked. Documents are cut, so that one may be found by several passages.
select knowledge.create_workspace('manual', 'Manual', '{"chunk_unit": "characters", "chunk_size": 40, "chunk_overlap": 0}');
select knowledge.add_text('manual', 'Adhesive', 'The adhesive cures in eight hours. Adhesive that has cured cannot be moved. Eight hours is the time to cure.', 'd1'),
    knowledge.add_text('manual', 'Hours', 'The booth is open for eight hours a day.', 'd2'), knowledge.add_text('manual', 'Booth', 'Booth B2 is next to the door.', 'd8');
create temp table asked as select evaluation.run_retrieval('facts', 'manual', 'words', 20, vector_weight => 0) as run_id;
select results_eq('select q.key, string_agg(s.document_key, $$ $$ order by s.rank) collate "default", count(*) = max(s.rank) from asked join evaluation.results as s using (run_id) join evaluation.queries as q using (query_id) group by q.key order by q.key',
    $$ values ('q1', 'd1 d2', true), ('q2', 'd8 d2', true) $$, 'Each document is found once, by its best passage, and queries nobody judged are not asked');
select ok(r.finished_at is not null and r.workspace_id is not null and r.config @> '{"depth": 20, "chunk_size": 40, "vector_weight": 0}', 'The run is finished, and says how it was asked') from asked join evaluation.runs as r using (run_id);
select results_eq('select round(m.reciprocal_rank::numeric, 2) from asked, evaluation.metrics(run_id) as m', 'values (1.00), (0.00)', 'and has figures');
select throws_ok($$ select evaluation.run_retrieval('facts', 'nowhere') $$, 'QC215', null, 'A workspace must be there') union all select throws_ok($$ select evaluation.run_retrieval('nothing', 'manual') $$, 'QC241', null, 'and the collection');

-- Other tenants.
grant select on runs to concierge_app, concierge_admin;
select test.act_as('globex', 'olga');
select is((select count(*) from evaluation.collections) + (select count(*) from evaluation.queries) + (select count(*) from evaluation.judgements) + (select count(*) from evaluation.runs) + (select count(*) from evaluation.results), 0::bigint, 'Another tenant sees none of it');
select throws_ok('select m.* from runs, evaluation.metrics(best) as m', 'QC242', null, 'nor figures') union all select throws_ok($$ select evaluation.collection_id('facts') $$, 'QC241', null, 'nor a name');
select is(evaluation.drop_run(best), false, 'nor drops a run of it') from runs;
select is(evaluation.drop_collection('facts'), false, 'or a collection');
select is(test.load() ->> 'collection', 'facts', 'and may have one of the same name');
select test.act_as_superuser();
set local role concierge_admin;
select is((select count(*) from evaluation.metrics(best)), 2::bigint, 'Operators see the figures of all') from runs;
select throws_ok($$ select evaluation.drop_collection('facts') $$, '42501', null, 'and change none');
reset role;

-- Changed judgements, and the end.
select test.act_as('acme', 'sam');
select evaluation.load_collection('facts', 'Facts', '[{"key": "q1", "text": "Again?"}]', '[{"query": "q1", "document": "d3", "grade": 1}]');
select results_eq('select (test.figures(middling)).* from runs', $$ values ('q1', 1.000000, 1.000000, 0.100000, 1.000000) $$, 'Figures follow the judgements there are');
select is(evaluation.drop_collection('facts'), true, 'A collection can be dropped');
select is((select count(*) from evaluation.runs as r join runs on r.run_id in (best, middling, nothing, ties)), 0::bigint, 'and takes its runs with it');

select * from finish();
rollback;
