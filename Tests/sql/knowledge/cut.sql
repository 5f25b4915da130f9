-- Rows of a table, and texts that are cut where their subject changes.
begin;
select no_plan();
create function test.rows(content text) returns table (heading text, line text) language sql as $$
    select c.heading, substr(content, c.starts_at + 1, c.ends_at - c.starts_at) from knowledge.cut_rows(content, 'characters', 20) as c order by c.ordinal
$$;
select results_eq($$ select * from test.rows(E'id;name\n1;Äpfel\r\n\n 2;Birnen \n') $$, $$ values ('id;name', '1;Äpfel'), ('id;name', '2;Birnen') $$, 'A row a chunk, under its header');
select is_empty($$ select * from test.rows(E'id;name\n') $$, 'A header alone has no rows');
select is_empty($$ select * from test.rows('') $$, 'and nothing none');
select results_eq($$ select line from test.rows(E'h\nsome words that do not fit into twenty') $$, $$ values ('some words that do'), ('not fit into twenty') $$, 'A long row is cut');

create function test.semantic(content text, size int, vectors extensions.vector[] default null) returns setof text language sql as $$
    select substr(content, c.starts_at + 1, c.ends_at - c.starts_at)
    from knowledge.cut_semantic(content, coalesce(vectors, array(select model.embed_offline(substr(content, s.starts_at + 1, s.ends_at - s.starts_at)) from knowledge.sentences(content) as s order by s.starts_at)), 'characters', size) as c order by c.ordinal
$$;
select results_eq($$ select * from test.semantic('The cat sleeps. The cat eats. A pump needs oil. A pump needs water.', 60, '{"[1,0]","[1,0]","[0,1]","[0,1]"}') $$,
    $$ values ('The cat sleeps. The cat eats.'), ('A pump needs oil. A pump needs water.') $$, 'Where neighbours part, a chunk ends');
select results_eq($$ select * from test.semantic('The cat sleeps. The cat eats. The cat plays.', 30, '{"[1,0]","[1,0]","[1,0]"}') $$,
    $$ values ('The cat sleeps.'), ('The cat eats.'), ('The cat plays.') $$, 'Alike all over: any place will do');
select results_eq($$ select * from test.semantic('One sentence that is far too long for it.', 20) $$, $$ values ('One sentence that is'), ('far too long for it.') $$, 'A sentence larger than a chunk is cut');
select is_empty($$ select * from test.semantic('', 20) $$, 'Nothing is not cut');
select results_eq($$ select * from test.semantic('?! ...', 20) $$, $$ values ('?! ...') $$, 'What has no words has no vectors, and is still there');

-- With a model elsewhere: found at once, and cut again when it has answered.
select model.set_provider('test', 'openai', 'http://models.example/v1');
select model.set_model('faraway', 'embed', 'test');
select test.act_as('acme', 'olga');
select knowledge.create_workspace('topics', 'Topics', '{"chunking": "semantic", "chunk_unit": "characters", "chunk_size": 80, "chunk_overlap": 0}', 'faraway', 2);
select knowledge.add_text('topics', '', 'The cat sleeps. The cat eats. A pump needs oil. A pump needs water.', 'a');
select results_eq('select content from knowledge.chunks', $$ values ('The cat sleeps. The cat eats. A pump needs oil. A pump needs water.') $$, 'At first it is one chunk');
select test.act_as_superuser();
create function test.answer() returns void language plpgsql as $$
declare
    v_job record;
begin
    for v_job in select * from queue.claim('test', '{embed}', 10) loop
        perform queue.finish(v_job.job_id, v_job.token, jsonb_build_object('embeddings', (
            select jsonb_agg(case when i ~ 'cat' then '[1, 0]' else '[0, 1]' end::jsonb order by n)
            from jsonb_array_elements_text(v_job.payload -> 'texts') with ordinality as e (i, n))));
    end loop;
end
$$;
select test.answer();
select results_eq('select content from knowledge.chunks order by ordinal', $$ values ('The cat sleeps. The cat eats.'), ('A pump needs oil. A pump needs water.') $$, 'then two');
select test.answer();
select is((select count(*)::int from knowledge.embeddings), 2, 'with a vector each');
select is((select count(*)::int from queue.job where kind = 'embed'), 0, 'and nothing is asked again');
select test.act_as('acme', 'olga');
select knowledge.create_workspace('table', 'Table', '{"chunking": "rows"}');
select knowledge.add_text('table', '', E'part;stock\nvalve;3\npump;0', 'stock');
select results_eq($$ select heading, content from knowledge.search('table', 'pump', vector_weight => 0) $$, $$ values ('part;stock', 'pump;0') $$, 'A row is found with its header');

select * from finish();
rollback;
