-- A second look, where the first one left the best close together.
begin;
select no_plan();
create table test.order_after (place bigint generated always as identity, content text);
grant all on test.order_after to concierge_owner;
create function test.take(job_id bigint, result jsonb) returns void language sql as $$
    insert into test.order_after (content)
    select c.content from knowledge.reranked(job_id, result) with ordinality as r (chunk_id, score, place) join knowledge.chunks as c using (chunk_id) order by r.place
$$;
select model.set_provider('test', 'openai', 'http://models.example/v1');
select model.set_model('judge', 'rerank', 'test');
select test.act_as('acme', 'olga');
select knowledge.create_workspace('docs', 'Docs', '{"reranker": "judge", "rerank_gap": 0.2}');
select knowledge.add_text('docs', 'Machines', t, t) from unnest(array['pump one', 'pump two', 'pump three', 'whale']) as t;
create temp table report as select knowledge.explain_search('docs', 'pump', vector_weight => 0) as r;
select is((select r ->> 'rerank' from report), 'judge', 'They are close: the model should look');
select is(knowledge.explain_search('docs', 'whale', vector_weight => 0) ->> 'rerank', null, 'One alone is close to nobody');
select test.act_as_superuser();
select knowledge.request_rerank((r ->> 'workspace_id')::bigint, 'pump', array(select (e ->> 'chunk_id')::bigint from jsonb_array_elements(r -> 'results') as e), 'test.take') from report;
create temp table job as select * from queue.claim('test', '{rerank}', 1);
select is((select payload - '{documents,chunk_ids,origin,model_id,reservation_id}'::text[] from job), '{"model": "judge", "query": "pump", "seconds": 120, "provider": {"kind": "openai", "base_url": "http://models.example/v1", "authentication": "none"}}', 'It is told the query');
select is((select payload #>> '{documents,0}' from job), E'Machines\npump one', 'and the texts, with what they stand under');
select lives_ok('select queue.finish(job_id, token, ''{"results": [{"index": 0, "score": 0.1}, {"index": 0, "score": 0.2}, {"index": 3, "score": 1}]}'') from job', 'A score too few');
select matches((select j.last_error from queue.job as j join job using (job_id)), 'QC501', 'is a fault of the job');
update queue.job set run_at = clock_timestamp();
select queue.finish(c.job_id, c.token, '{"results": [{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}, {"index": 2, "score": 0.5}]}') from queue.claim('test', '{rerank}', 1) as c;
select is((select j.last_error from queue.job as j join job using (job_id)), null, 'Nothing is wrong with it');
select results_eq('select content from test.order_after order by place', $$ values ('pump two'), ('pump three'), ('pump one') $$, 'The order is the model''s');
select throws_ok('select knowledge.request_rerank(1, ''x'', ''{}'', ''no.where'')', 'QC212', null, 'Somebody has to be told');

select * from finish();
rollback;
