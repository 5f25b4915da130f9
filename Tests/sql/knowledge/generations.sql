-- Vectors of a new model fill beside the old; search changes over when all are there, and back when asked.
begin;
select no_plan();
select model.set_provider('test', 'openai', 'http://models.example/v1');
select model.set_model(n, 'embed', 'test') from unnest(array['colours', 'others']) as n;
select model.set_price('colours', 'embed', 'input', 1000);
create function test.inputs() returns int language sql security definer as $$ select jsonb_array_length(payload -> 'texts') from queue.job where kind = 'embed' order by job_id desc limit 1 $$;
create function test.jobs() returns int language sql security definer as $$ select count(*)::int from queue.job where kind = 'embed' $$;
create function test.job() returns bigint language sql security definer as $$ select max(job_id) from queue.job where kind = 'embed' $$;
-- The daemon's part, with a model of three dimensions that knows colours.
create function test.perform_jobs(answer jsonb default null) returns int language plpgsql security definer as $$
declare
    v_job   record;
    v_count int := 0;
begin
    loop
        select c.* into v_job from queue.claim('test', array['call', 'embed'], 1) as c;
        exit when not found;
        v_count := v_count + 1;
        perform queue.finish(v_job.job_id, v_job.token, case when v_job.kind = 'embed' then coalesce(answer, jsonb_build_object('embeddings', (
            select jsonb_agg(case when i ~ 'red' then '[1, 0, 0]' when i ~ 'blue' then '[0, 1, 0]' else '[0, 0, 1]' end::jsonb order by n)
            from jsonb_array_elements_text(v_job.payload -> 'texts') with ordinality as e (i, n)))) else '{}' end);
    end loop;
    return v_count;
end
$$;
-- An answer to the next embed job, and what the queue says of it.
create function test.answer(answer jsonb) returns text language plpgsql security definer as $$
declare
    v_job record;
begin
    update queue.job set run_at = clock_timestamp(), max_attempts = 100 where kind = 'embed';
    select c.* into v_job from queue.claim('test', array['embed'], 1) as c;
    perform queue.finish(v_job.job_id, v_job.token, answer);
    return coalesce((select j.last_error from queue.job as j where j.job_id = v_job.job_id), 'taken');
end
$$;
grant execute on all functions in schema test to concierge_app;

select test.act_as('acme', 'olga');
select knowledge.create_workspace('docs', 'Docs', '{"chunk_size": 40, "chunk_overlap": 0}');
select knowledge.add_text('docs', '', t, t) from unnest(array['red fox', 'blue whale', 'green tree']) as t;
create temp table g as select generation_id as old, null::bigint as new from knowledge.generations;

select is((select state from knowledge.generations), 'serving', 'The generation of an empty workspace serves at once');
select is((select path from knowledge.search('docs', 'whale') limit 1), 'words: 1 of 1 words; vectors: exact', 'and its vectors are searched');
update g set new = knowledge.open_generation('docs', 'colours', 3);
select throws_ok($$ select knowledge.open_generation('docs', 'others', 3) $$, '23505', null, 'One fills at a time');
select is(knowledge.switch_generation('docs', new), false, 'Nobody switches to one that is not full') from g;
select is((select generation_id from knowledge.workspaces), old, 'While it fills, the old one serves') from g;

-- A text that comes meanwhile gets a vector in both.
select knowledge.add_text('docs', '', 'red wine', 'red wine');
select cmp_ok(test.perform_jobs(), '>', 0, 'The daemon works');
select is((select generation_id from knowledge.workspaces), new, 'When all are there, the new one serves') from g;
select is((select state from knowledge.generations where generation_id = old), 'kept', 'and the old one is kept') from g;
select set_eq($$ select document_key from knowledge.search('docs', 'anything', '[1, 0, 0]', max_results => 2) $$, array['red fox', 'red wine'], 'A query brings its own vector now');
select is((select path from knowledge.search('docs', 'whale') limit 1), 'words: 1 of 1 words; vectors: no query embedding', 'Without one, words alone');
select throws_ok($$ select knowledge.search('docs', 'x', '[1, 0]') $$, 'QC217', null, 'One of another length is refused');
select throws_ok($$ select knowledge.search('docs', 'x', '[0, 0, 0]') $$, 'QC217', null, 'and one without a direction');
select throws_ok($$ select knowledge.search('docs', 'x', '[NaN, 0, 0]') $$, '22000', null, 'and one that is no number');
select throws_ok($$ select knowledge.search('docs', 'x', '[Infinity, 0, 0]') $$, '22000', null, 'and an infinite one');

-- A text the model has seen is not embedded again.
select knowledge.add_text('docs', '', 'red fox', 'the same again');
select is(test.job(), null, 'Known text asks no model');
select is((select count(*)::int from knowledge.search('docs', 'zzz', '[1, 0, 0]', max_results => 3) where content = 'red fox'), 2, 'and has its vector at once');
select knowledge.add_text('docs', '', 'red fox', 'red fox', metadata => '{"a": 1}');
select is(test.job(), null, 'nor does new metadata');

select knowledge.add_texts('docs', '[{"key": "t1", "content": "twice green"}, {"key": "t2", "content": "twice green"}]');
select is(test.inputs(), 1, 'Two that say the same ask once');
select knowledge.add_text('docs', '', 'twice green', 't3');
select is(test.jobs(), 1, 'and a third one waits for that answer');
select test.perform_jobs();
select is((select count(*)::int from knowledge.search('docs', 'zzz', '[0, 0, 1]', max_results => 4) where content = 'twice green'), 3, 'which is for all of them');

-- Answers that are none, or come late.
select knowledge.add_text('docs', '', 'blue sky', 'sky');
select throws_ok($$ select knowledge.receive_vectors(1, '{"embeddings": []}') $$, '42501', null, 'Apps bring no vectors');
select is(test.answer('{"embeddings": []}'), 'knowledge.receive_vectors raised QC501: the model was given 1 texts and returned 0 vectors', 'Too few vectors are refused');
select matches(test.answer('{"embeddings": [[1, 2]]}'), 'QC217: the vector has 2 dimensions', 'and those of another length');
select matches(test.answer('{"embeddings": [[1, 2, 1e39]]}'), 'raised 22', 'and numbers that are none');
select matches(test.answer('{"embeddings": [["ä", 2, 3]]}'), 'raised 22P02', 'and no numbers at all');
select matches(test.answer('{}'), 'QC501', 'and no vectors at all');
select knowledge.add_text('docs', '', 'green sky', 'sky');
select is(test.answer('{"embeddings": [[0, 1, 0]]}'), 'taken', 'An answer to a text that has changed since');
select test.act_as_superuser();
select is((select count(*)::int from knowledge.embeddings as e join knowledge.chunks as c using (chunk_id) where c.content = 'green sky'), 0, 'is thrown away');
select test.act_as('acme', 'olga');
select is(test.answer('{"embeddings": [[0, 0, 1]]}'), 'taken', 'The other one');
select is((select document_key from knowledge.search('docs', 'zzz', '[0, 0, 1]') where content = 'green sky'), 'sky', 'counts');

select throws_ok($$ select knowledge.open_generation('docs', 'unheard-of', 3) $$, 'QC227', 'there is no model "unheard-of" to embed', 'A model that nobody set up is refused');

-- A model that says no to one text, or to all, for good.
select knowledge.add_text('docs', '', 'unspeakable', 'no');
select is(test.answer('{"embeddings": [null], "errors": [{"index": 0, "error": "not this"}]}'), 'taken', 'One text may be refused');
select test.act_as_superuser();
select is((select string_agg(failed, ' ') from knowledge.pending_vectors), 'not this', 'and says why');
select ok((select count(*) > 3 and bool_and(workspace_id is not null and usage_source = 'estimated') and sum(cost) > 0 from model.calls where model = 'colours' and purpose = 'embed'), 'Calls are noted, with what they cost');
select is((select count(*) from model.reservations), 0::bigint, 'and settled');
select test.act_as('acme', 'olga');
select knowledge.remove_document('docs', document_id) from knowledge.documents where key = 'no';
select test.act_as_superuser();
select is_empty('select * from knowledge.pending_vectors', 'until the text is gone');
select test.act_as('acme', 'olga');
select knowledge.add_text('docs', '', 'red sky', 'sky');
select test.act_as_superuser();
update queue.job set max_attempts = 1 where kind = 'embed';
select queue.fail(c.job_id, c.token, 'too long', 'item') from queue.claim('test', '{embed}', 1) as c;
select is((select failed from knowledge.pending_vectors), 'too long', 'What a model refuses is noted');
select test.act_as('acme', 'olga');
select is((select path from knowledge.search('docs', 'sky') limit 1), 'words: 1 of 1 words; vectors: no query embedding', 'and found by its words');

-- Back, and forth.
select is(knowledge.switch_generation('docs', old), false, 'The old one lacks what came since') from g;
select is((select generation_id from knowledge.workspaces), new, 'so the new one serves on') from g;
select test.perform_jobs();
select is((select generation_id from knowledge.workspaces), old, 'until the old one is full again') from g;
select is((select path from knowledge.search('docs', 'whale') limit 1), 'words: 1 of 1 words; vectors: exact', 'and searched') from g;
select test.act_as_superuser();
update queue.job set run_at = clock_timestamp(), max_attempts = 5;
select test.act_as('acme', 'olga');
select is(knowledge.switch_generation('docs', new), false, 'Forth again: what was given up is asked for again') from g;
select test.perform_jobs();
select is((select generation_id from knowledge.workspaces), new, 'and answered this time') from g;
select is(knowledge.switch_generation('docs', old), true, 'One that is full is switched to at once') from g;
select is(knowledge.switch_generation('docs', new), true, 'and back') from g;
select is(knowledge.drop_generation('docs', old), true, 'One that is not needed goes') from g;
select is(knowledge.drop_generation('docs', old), false, 'once') from g;
select throws_ok('select knowledge.switch_generation(''docs'', -1)', 'QC215', null, 'One that is not there is refused');

-- A workspace goes with its tables.
create temp table tables as select format('knowledge.%s_%s', p, workspace_id) as name from knowledge.workspaces, unnest(array['documents', 'chunks', 'chunk_words', 'lexical', 'terms']) as p
    union all select format('knowledge.embeddings_%s', generation_id) from knowledge.generations;
select isnt_empty('select to_regclass(name) from tables where to_regclass(name) is not null', 'It has tables');
select knowledge.drop_workspace('docs');
select throws_ok($$ select knowledge.search('docs', 'red') $$, 'QC215', null, 'It is gone at once');
select is((select count(*) from knowledge.documents), 0::bigint, 'and so are its documents');
select test.perform_jobs();
select is_empty('select name from tables where to_regclass(name) is not null', 'The tables follow');

select * from finish();
rollback;
