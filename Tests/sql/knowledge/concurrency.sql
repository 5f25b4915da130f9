-- Several at the same time: who adds, who counts, who searches, who drops.
create function test.sign_in() returns text language sql as $$ select left(set_config('request.jwt', access.issue_token('acme', 'olga'), false), 3) $$;
create function test.add(key text, content text) returns int language sql as $$ select 1 from knowledge.add_text('docs', '', content, key) $$;
create function test.finds(query text) returns text language sql as $$ select coalesce(string_agg(document_key, ' ' order by document_key), 'nothing') from knowledge.search('docs', query, vector_weight => 0) $$;
create function test.count() returns int language sql as $$ select knowledge.count_some_words(workspace_id, 1000) from knowledge.workspaces where slug = 'docs' $$;
create function test.work() returns bigint language sql as $$
    update queue.job set run_at = clock_timestamp();
    select count(queue.finish(c.job_id, c.token)) from queue.claim('test', '{call}', 10) as c
$$;
create function test.index_again(of_key text) returns text language sql as $$
    select knowledge.process_documents(d.workspace_id, array[d.document_id]) from knowledge.documents as d where d.key = of_key;
    select status || coalesce(': ' || error, '') from knowledge.documents as d where d.key = of_key
$$;
select test.sign_in();
select knowledge.create_workspace('docs', 'Docs') > 0;

-- session: one
select test.sign_in();
begin;
-- Two that add under one key take turns,
select test.add('a', 'first words');
--| 1

-- session: two
select test.sign_in();
-- the second waits for the first,
select test.add('a', 'second words');
--> waits for one

-- session: one
commit;

-- session: two
-- and takes its place.
--| 1
-- There is one document, and what was in it is not found any more.
select test.finds('words'), test.finds('first'), test.finds('second');
--| a | nothing | a

-- session: one
begin;
-- Nor do two that index one document get in each other's way:
select test.index_again('a');
--| processed

-- session: two
-- the second waits,
select test.index_again('a');
--> waits for one

-- session: one
commit;

-- session: two
-- and makes it anew.
--| processed
select count(*) from knowledge.chunks;
--| 1

-- session: one
begin;
-- What is not committed yet
select test.add('b', 'third words');
--| 1

-- session: two
begin;
-- stops nobody else,
select test.add('c', 'unheard of');
--| 1
rollback;
-- is not counted, and nobody waits for it.
select test.count();
--| 1
-- Nor is it found.
select test.finds('third');
--| nothing

-- session: one
commit;

-- session: two
-- Committed, it is found before it is counted,
select test.finds('third');
--| b
select test.count();
--| 1
-- and counted once.
select t.chunk_count from knowledge.terms as t where t.lexeme = 'word';
--| 2

-- session: one
begin;
select count(*) from knowledge.chunks;
select test.finds('words');
--| a b

-- session: two
begin;
-- Who makes a workspace does not wait for who reads,
select knowledge.create_workspace('more', 'More') > 0;
--| t

-- session: one
-- nor who reads for who makes one.
select test.finds('third');
--| b

-- session: two
commit;
-- Who drops one does not wait, either.
select knowledge.drop_workspace('docs');
--> done

-- session: main
-- Its tables stay while somebody reads them:
select test.work();
--> waits for one

-- session: two
select pg_sleep(1);

-- session: main
-- the job waits a tenth of a second for each, and another one comes later.
--| *
select count(*) from queue.job where continuation = 'knowledge.remove_tables';
--| 1

-- session: one
commit;

-- session: main
select test.work();
-- Now they are gone.
select count(*) from pg_class where relname ~ '^(documents|chunks|chunk_words|lexical|terms)_1$';
--| 0
