-- What was found before is found at once, by whoever may find the same in the same; committed, for only that is kept.
select no_plan();
create function test.is_known(query text default 'pump', filters jsonb default '{}') returns boolean language sql as $$
    select (knowledge.explain_search('docs', query, filters => filters, max_results => 3) ->> 'cached')::boolean
$$;
grant execute on all functions in schema test to concierge_app;
create table test.tokens as select person, access.issue_token('acme', person) as token from unnest(array['olga', 'sam', 'anna']) as person;
grant select on test.tokens to concierge_app;
create function test.sign_in(who text) returns void language sql as $$ select set_config('request.jwt', token, false) from test.tokens where person = who $$;
grant execute on all functions in schema test to concierge_app;
set role concierge_app;
select test.sign_in('olga');
select knowledge.create_workspace('docs', 'Docs');
select knowledge.create_workspace('other', 'Other');
select knowledge.add_text('docs', '', 'The pump', 'pump');
select knowledge.add_text('docs', '', 'The secret pump', 'secret', access_level => 5);

select is(test.is_known(), false, 'The first search is new');
select is(test.is_known(), true, 'the next is known');
select is(knowledge.explain_search('docs', 'pump', max_results => 3) - 'cached' - 'milliseconds', (knowledge.explain_search('docs', 'pump', max_results => 3) - 'cached' - 'milliseconds'), 'and the same');
select is(test.is_known('Pump'), false, 'Another query is another search');
select is(test.is_known(filters => '{"kind": "text"}'), false, 'and so is another filter');
select test.sign_in('sam');
select is(test.is_known(), true, 'Who may find the same has the same results');
select test.sign_in('anna');
select is(test.is_known(), false, 'Who may find less has not');
select results_eq($$ select document_key from knowledge.search('docs', 'pump', max_results => 3) $$, $$ values ('pump') $$, 'and gets what is theirs');
select test.sign_in('olga');
select is((select count(*) from knowledge.search('docs', 'pump', max_results => 3)), 2::bigint, 'as others do');

-- Whatever changes what is found makes it new.
select knowledge.add_text('other', '', 'Another pump', 'x');
select is(test.is_known(), true, 'Another workspace is no matter');
select knowledge.add_text('docs', '', 'One more pump', 'more');
select is(test.is_known(), false, 'A text that comes');
select is(test.is_known(), true, '-');
select knowledge.add_text('docs', '', 'One more pump', 'more', access_level => 3);
select is(test.is_known(), false, 'one that changes hands');
select knowledge.remove_document('docs', document_id) from knowledge.documents where key = 'more';
select is(test.is_known(), false, 'one that goes');
select knowledge.configure_workspace('docs', '{"lexical_weight": 0.9}');
select is(test.is_known(), false, 'other weights');
reset role;
select knowledge.count_some_words(workspace_id, 100) from knowledge.workspaces where slug = 'docs';
set role concierge_app;
select is(test.is_known(), false, 'and a count of words make it new');
select is(test.is_known(), true, '-');
reset role;
select is((select count(*) from knowledge.content_changes as c join knowledge.workspaces as w using (workspace_id) where w.slug = 'docs'), 1::bigint, 'A count leaves one row of changes');
set role concierge_app;

-- A transaction that has written sees what nobody else does.
begin;
select knowledge.add_text('docs', '', 'A pump nobody has seen', 'mine');
select is((select count(*) from knowledge.search('docs', 'pump', max_results => 3)), 3::bigint, 'Its own text is found');
select is(test.is_known(), false, 'but not kept');
rollback;
select is((select count(*) from knowledge.search('docs', 'pump', max_results => 3)), 2::bigint, 'and gone with it');
begin read only;
select is((select count(*) from knowledge.search('docs', 'pump', max_results => 3)), 2::bigint, 'A transaction that may only read searches, too');
commit;

-- Vectors of queries.
select is(knowledge.known_query_vector('docs', 'x')::text, null, 'A query nobody asked for has no vector');
select knowledge.keep_query_vector('docs', 'x', model.embed_offline('x y z'));
select is(knowledge.known_query_vector('docs', 'x')::text, model.embed_offline('x y z')::text, 'then it has');
select throws_ok($$ select knowledge.keep_query_vector('docs', 'y', '[1, 2]') $$, 'QC217', null, 'One of another length is not kept');
select test.sign_in('anna');
select throws_ok($$ select knowledge.keep_query_vector('docs', 'x', model.embed_offline('z')) $$, 'QC405', null, 'Nobody brings a vector for others');
reset role;
select ok(known >= 6 and new >= 8 and hit_rate between 0 and 1 and entries > 0, 'The view says how often results were known') from knowledge.cache where cache = 'results';
select ok(known = 1 and new = 1 and entries = 1, 'and vectors') from knowledge.cache where cache = 'query vectors';
update knowledge.found_before set made_at = now() - interval '11 minutes';
select knowledge.forget_results();
select is((select count(*) from knowledge.found_before), 0::bigint, 'After ten minutes results are forgotten');
select * from finish();
