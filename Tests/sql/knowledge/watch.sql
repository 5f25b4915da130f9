-- Rows of an application's table are documents: what changes there is found soon after, and who writes there pays little.
begin;
select no_plan();
create function test.work() returns int language plpgsql security definer as $$
declare
    v_job   record;
    v_count int := 0;
begin
    loop
        update queue.job set run_at = clock_timestamp() where run_at > clock_timestamp();
        select c.* into v_job from queue.claim('test', '{call}', 1) as c;
        exit when not found;
        v_count := v_count + 1;
        -- What is said once a transaction is said anew: here all is one.
        perform set_config('concierge.watch_' || w.watch_id, '', true) from knowledge.watches as w;
        perform queue.finish(v_job.job_id, v_job.token, '{}');
    end loop;
    perform set_config('concierge.watch_' || w.watch_id, '', true) from knowledge.watches as w;
    return v_count;
end
$$;
create function test.docs() returns table (key text, title text, content text) language sql as $$ select d.key, d.title, d.content from knowledge.documents as d where d.status = 'processed' $$;
create function test.marks() returns bigint language sql as $$ select count(*) from knowledge.changed_rows $$;
create role shop_owner;
create role shop_app;
create schema shop authorization shop_owner;
select test.act_as('acme', 'olga');
select knowledge.create_workspace('shop', 'Shop', '{"chunk_size": 40, "chunk_overlap": 0, "filters": {"price": "number", "code": "text"}}', model => null);
select test.act_as_superuser();

-- What an owner has not allowed is not watched.
set local role shop_owner;
create table shop.items (id int primary key, name text not null, body text, price numeric, code int, seen int not null default 0);
create table shop.pairs (a text, b date, body text, primary key (b, a));
create table shop.loose (id int, body text);
create table shop.parts (id int primary key) partition by range (id);
create view shop.seen as select * from shop.items;
insert into shop.items (id, name, body, price, code) select n, 'Item ' || n, 'word' || n, n, 100 + n from generate_series(1, 1200) as n;
set local role concierge_admin;
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '{name}', '{body}') $$, '42501', null, 'A table that is not to be seen is not there');
reset role;
grant usage on schema shop to concierge_admin, concierge_owner, shop_app;
grant select, insert, update, delete, truncate on shop.items to shop_app;
set local role concierge_admin;
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '{name}', '{body}') $$, 'QC415', 'the owner of shop.items has not allowed it to be watched', 'Its owner has to allow it');
reset role;
set local role shop_owner;
grant select on shop.items to concierge_owner;
set local role concierge_admin;
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '{name}', '{body}') $$, 'QC415', null, 'with triggers');
select throws_ok($$ select knowledge.watch('access.token_keys', 'acme', 'shop', '', '{key_id}') $$, 'QC415', 'access.token_keys is a table of Concierge itself', 'and nobody can for what is ours');
reset role;
set local role shop_owner;
grant select, trigger on all tables in schema shop to concierge_owner;
select test.act_as('acme', 'olga');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '{name}', '{body}') $$, '42501', null, 'An organizer does not say what is watched');
select test.act_as_superuser();

-- What cannot be.
set local role concierge_admin;
select throws_ok($$ select knowledge.watch('shop.seen', 'acme', 'shop', '{name}', '{body}') $$, 'QC223', 'shop.seen is no table whose rows can be watched', 'A view has no rows of its own');
select throws_ok($$ select knowledge.watch('shop.parts', 'acme', 'shop', '', '{id}') $$, 'QC223', null, 'nor has a table with parts');
select throws_ok($$ select knowledge.watch('shop.loose', 'acme', 'shop', '', '{body}') $$, 'QC223', 'shop.loose has no key of its own', 'Rows have a key');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '', '{body}', '{name}') $$, 'QC223', 'shop.items has no key name', 'that is unique');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '{title}', '{body}') $$, 'QC223', 'shop.items has no column "title"', 'Templates name columns that are there');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '{Name}', '{body}') $$, 'QC223', null, 'as they are written');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '{name', '{body}') $$, 'QC223', 'in the template "{name", a "{" stands alone', 'and close their braces');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '', '}') $$, 'QC223', null, 'which begin, too');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '', '{ctid}') $$, 'QC223', null, 'System columns are none');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '', '{body}', metadata_columns => '{colour}') $$, 'QC223', null, 'nor are others');
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'nowhere', '', '{body}') $$, 'QC215', null, 'The workspace is there');
select throws_ok($$ select knowledge.watch('shop.items', 'nobody', 'shop', '', '{body}') $$, 'QC202', null, 'and the tenant');
select throws_ok($$ select knowledge.watch(null, 'acme', 'shop', '', '{body}') $$, '22004', null, 'and the table');
reset role;
alter table shop.items rename price to price_text;
alter table shop.items add column price text;
set local role concierge_admin;
select throws_ok($$ select knowledge.watch('shop.items', 'acme', 'shop', '', '{body}', metadata_columns => '{price}') $$, 'QC223', 'column "price" is no number, which workspace "shop" filters by', 'What is filtered by is of its type');
reset role;
alter table shop.items drop column price;
alter table shop.items rename price_text to price;

-- Rows that are there.
set local role concierge_admin;
select ok(knowledge.watch('shop.items', 'acme', 'shop', '{name}', 'On {{shelf}}: {body}', url_template => 'https://shop.example/{id}', metadata_columns => '{price,code}') > 0, 'A table is watched');
reset role;
select is((select count(*) from test.docs()), 0::bigint, 'Nothing is indexed at once');
select is(test.work() between 4 and 10, true, 'A few jobs');
select is((select count(*) from test.docs()), 1200::bigint, 'take all rows in');
select is((select row(key, title, content, url, metadata, kind)::text from knowledge.documents where key = 'shop.items:7'),
    '(shop.items:7,"Item 7","On {shelf}: word7",https://shop.example/7,"{""code"": ""107"", ""price"": 7}",row)', 'as the templates say');
select test.act_as('acme', 'olga');
select is((select document_key from knowledge.search('shop', 'word7') limit 1), 'shop.items:7', 'They are found');
select is((select string_agg(document_key, ' ') from knowledge.search('shop', 'shelf', filters => '{"price": {"gte": 1200}}')), 'shop.items:1200', 'and filtered');
select test.act_as_superuser();

-- Writes.
create temp table was as select key, version from knowledge.documents;
grant select on was to public;
set local role shop_app;
update shop.items set seen = seen + 1;
update shop.items set body = body, name = name;
reset role;
select is(test.marks(), 0::bigint, 'A change that nobody reads is no change');
set local role shop_app;
update shop.items set body = 'changed' where id = 5;
insert into shop.items (id, name, body) values (2001, 'New', 'brandnew');
delete from shop.items where id = 6;
update shop.items set id = 3000 where id = 8;
update shop.items set name = null || name, body = null where false;
reset role;
select is(test.marks(), 5::bigint, 'What changes is noted');
select is((select count(*) from queue.job where continuation = 'knowledge.index_changed_rows'), 1::bigint, 'once a transaction');
select is((select content from test.docs() where key = 'shop.items:5'), 'On {shelf}: word5', 'and not indexed by who writes');
select test.work();
select is((select content from test.docs() where key = 'shop.items:5'), 'On {shelf}: changed', 'It is soon after');
select is((select content from test.docs() where key = 'shop.items:2001'), 'On {shelf}: brandnew', 'What is new is there');
select is((select metadata from knowledge.documents where key = 'shop.items:2001'), '{}', 'with nothing where nothing is');
select is((select string_agg(key, ' ') from test.docs() where key in ('shop.items:6', 'shop.items:8', 'shop.items:3000')), 'shop.items:3000', 'What is gone is not, and another key is another row');
select is((select count(*) from knowledge.documents as d join was using (key, version)), 1197::bigint, 'The rest is as it was');
select is(test.marks(), 0::bigint, 'and nothing is left to do');

-- Values are never read as templates or as SQL.
insert into shop.items (id, name, body) values (4001, '{body}', '{{x}} {name} '' " \ $1 %s %1$I; drop table shop.items; --'), (4002, '', '');
select test.work();
select is((select title || content from test.docs() where key = 'shop.items:4001'), '{body}On {shelf}: {{x}} {name} '' " \ $1 %s %1$I; drop table shop.items; --', 'Values stay what they are');
select is((select content from test.docs() where key = 'shop.items:4002'), 'On {shelf}: ', 'and may be empty');

-- Rolled back, in part and in all.
savepoint before;
update shop.items set body = 'never';
rollback to before;
update shop.items set body = 'kept' where id = 9;
select test.work();
select is((select count(*) from test.docs() where content ~ 'never') + (select count(*) from test.docs() where content ~ 'kept'), 1::bigint, 'What is rolled back was never there');

-- Many at once.
update shop.items set body = 'bulk ' || id;
select cmp_ok(test.marks(), '>', 1000::bigint, 'A bulk update is noted');
select is((select count(*) from queue.job where continuation = 'knowledge.index_changed_rows'), 1::bigint, 'in one job');
select test.work();
select is((select count(*) from test.docs() where content ~ 'bulk'), (select count(*) from shop.items), 'that goes on until all is done');

-- Said otherwise: another template, other people.
set local role concierge_admin;
select knowledge.watch('shop.items', 'acme', 'shop', 'No. {id}', '{body}', access_level => 7);
reset role;
select test.act_as('acme', 'anna');
select is((select count(*) from knowledge.documents), 0::bigint, 'Who may no longer find them does not, at once');
select test.act_as_superuser();
select test.work();
select is((select row(title, content, url, metadata)::text from knowledge.documents where key = 'shop.items:7'), '("No. 7","bulk 7",,{})', 'The new templates hold for all rows');

-- Columns renamed, dropped, altered.
drop view shop.seen;
alter table shop.items rename column body to description;
update shop.items set description = 'renamed' where id = 7;
select test.work();
select is((select content from test.docs() where key = 'shop.items:7'), 'renamed', 'A column may be renamed');
select throws_ok('alter table shop.items drop column description', '2BP01', null, 'One that is used is not dropped by mistake');
select lives_ok('alter table shop.items drop column seen', 'another is');
alter table shop.items drop column description cascade;
select lives_ok($$ update shop.items set name = 'x' || id where id in (1, 7) $$, 'Dropped all the same, writes go on');
select lives_ok($$ insert into shop.items (id, name) values (5001, 'after') $$, 'new rows, too');
select test.work();
select matches((select error from knowledge.watches), '^a column of shop.items that it uses is gone, or the trigger concierge_needs_\d+: call knowledge.watch again$', 'and the watch says what is wrong');
select is((select count(*) from test.docs()), (select count(*) - 1 from shop.items), 'with documents as they were');
set local role concierge_admin;
select knowledge.watch('shop.items', 'acme', 'shop', '{name}', '{name} for {price}');
reset role;
select test.work();
select is((select row(title, content)::text from test.docs() where key = 'shop.items:5001'), '(after,"after for ")', 'Watched anew, it goes on');
select is((select error from knowledge.watches), null, 'and nothing is wrong');
alter table shop.items rename to wares;
insert into shop.wares (id, name) values (5002, 'renamed table');
select test.work();
select is((select title from test.docs() where key = 'shop.items:5002'), 'renamed table', 'The table may be renamed, its documents keep their keys');

-- Truncated.
truncate shop.wares;
insert into shop.wares (id, name) values (1, 'first'), (9999, 'last');
select test.work();
select set_eq('select key, title from test.docs()', $$ values ('shop.items:1', 'first'), ('shop.items:9999', 'last') $$, 'A table that is emptied has no documents');

-- A key of two columns, strange values.
insert into shop.pairs values ('x"y,', '2026-01-31', 'pair'), (repeat('long', 300), '-infinity', 'long key');
set local role concierge_admin;
select knowledge.watch('shop.pairs', 'acme', 'shop', '{a}', '{body} {b}');
reset role;
select test.work();
select is((select content from test.docs() where key = 'shop.pairs:["2026-01-31", "x\"y,"]'), 'pair 2026-01-31', 'A key may be of several columns');
select is((select count(*) from test.docs() where key ~ '^shop.pairs:[0-9a-f]{32}$'), 1::bigint, 'and long');
update shop.pairs set body = 'changed';
select test.work();
select is((select count(*) from test.docs() where content ~ 'changed'), 2::bigint, 'and is found again');
delete from shop.pairs;
select test.work();
select is((select count(*) from test.docs() where key ~ 'pairs'), 0::bigint, 'to the end');

-- Names and columns of every kind.
create table shop."Odd ""table; --" ("The key" int primary key, "it's %I" text, shout text generated always as (upper("it's %I")) stored);
insert into shop."Odd ""table; --" values (1, 'quiet');
grant select, trigger on shop."Odd ""table; --" to concierge_owner;
set local role concierge_admin;
select knowledge.watch('shop."Odd ""table; --"', 'acme', 'shop', '{it''s %I}', '{shout}!', metadata_columns => array['The key', 'shout']);
reset role;
update shop."Odd ""table; --" set "it's %I" = 'Grüße';
select test.work();
select is((select row(key, title, content, metadata)::text from knowledge.documents where key ~ 'Odd'), '("shop.Odd ""table; --:1",Grüße,GRÜßE!,"{""shout"": ""GRÜßE"", ""The key"": 1}")', 'Names may be odd, and columns generated');

-- Casts of types the owner made are never run.
set local role shop_owner;
create type shop.mood as enum ('sad', 'glad');
create function shop.mood_json(shop.mood) returns json language plpgsql as $$ begin raise exception 'as %', current_user; end $$;
create function shop.mood_text(shop.mood) returns text language plpgsql as $$ begin raise exception 'as %', current_user; end $$;
create cast (shop.mood as json) with function shop.mood_json(shop.mood);
create cast (shop.mood as text) with function shop.mood_text(shop.mood) as assignment;
create table shop.people (id int primary key, mood shop.mood, note json);
grant select, trigger on shop.people to concierge_owner;
insert into shop.people values (1, 'sad', '{"a": 1}');
reset role;
set local role concierge_admin;
select knowledge.watch('shop.people', 'acme', 'shop', '{mood}', '{note}', metadata_columns => '{mood,note}');
reset role;
select lives_ok($$ update shop.people set mood = 'glad' $$, 'A value with a cast of its own is written');
select test.work();
select is((select row(title, content, metadata)::text from knowledge.documents where key = 'shop.people:1'), '(glad,"{""a"": 1}","{""mood"": ""glad"", ""note"": {""a"": 1}}")', 'and read without it');
set local role shop_owner;
create table shop.moody (mood shop.mood primary key);
grant select, trigger on shop.moody to concierge_owner;
set local role concierge_admin;
select throws_ok($$ select knowledge.watch('shop.moody', 'acme', 'shop', '', '{mood}') $$, 'QC223', null, 'A key is of types of the system''s own');
reset role;

-- Row-level security.
set local role shop_owner;
create table shop.hidden (id int primary key, body text);
alter table shop.hidden enable row level security;
grant select, trigger on shop.hidden to concierge_owner;
insert into shop.hidden values (1, 'hidden');
set local role concierge_admin;
select throws_ok($$ select knowledge.watch('shop.hidden', 'acme', 'shop', '', '{body}') $$, 'QC415', null, 'A table that hides rows says so');
reset role;
set local role shop_owner;
create policy watch on shop.hidden for select to concierge_owner using (true);
set local role concierge_admin;
select lives_ok($$ select knowledge.watch('shop.hidden', 'acme', 'shop', '', '{body}') $$, 'unless its owner opens it');
reset role;
select test.work();
select is((select content from test.docs() where key = 'shop.hidden:1'), 'hidden', 'and then all rows come in');

-- For two workspaces; then no more.
select test.act_as('globex', 'olga');
select knowledge.create_workspace('shop', 'Shop');
select test.act_as_superuser();
set local role concierge_admin;
select knowledge.watch('shop.wares', 'globex', 'shop', '', '{name}');
reset role;
select test.work();
update shop.wares set name = 'both';
select test.work();
select is((select count(*) from knowledge.documents where content ~ '^both'), 4::bigint, 'Two may watch one table');
set local role concierge_admin;
select throws_ok($$ select knowledge.unwatch('acme', 'shop', 'shop.nothing') $$, 'QC222', null, 'What is not watched is not watched no more');
select matches(knowledge.unwatch('acme', 'shop', 'shop.items'), '^drop trigger concierge_needs_\d+ on shop.wares;$', 'Watched no more, its owner may drop a trigger');
select matches(knowledge.unwatch('globex', 'shop', 'shop.wares', keep_documents => true), '^drop trigger concierge_needs_\d+ on shop.wares; drop trigger concierge_note_delete on shop.wares;', 'and at last all');
reset role;
select lives_ok($$ update shop.wares set name = 'nobody' $$, 'Writes go on');
select test.work();
select is((select count(*) from test.docs() where key ~ '^shop.items'), 0::bigint, 'The documents go');
select is((select count(*) from test.docs() where content = 'both'), 2::bigint, 'unless they are to be kept');
select is(test.marks(), 0::bigint, 'and nothing is noted');

-- The table, the workspace, or the grant is gone.
drop table shop.hidden;
set local role concierge_admin;
select is((select failures from knowledge.progress where workspace = 'shop' and tenant = 'acme'), '[{"one": "shop.hidden", "what": "table", "count": 1, "error": "the table shop.hidden is gone"}]', 'Operators see that a table is gone');
reset role;
set local role shop_owner;
revoke select on shop.people from concierge_owner;
reset role;
select lives_ok($$ update shop.people set mood = 'sad' $$, 'Nobody who writes is told that a grant is gone');
update queue.job set max_attempts = 1;
select test.work();
select matches((select error from knowledge.watches where name = 'shop.people'), '42501', 'the watch is');
select test.act_as('acme', 'olga');
select knowledge.drop_workspace('shop');
select test.act_as_superuser();
select lives_ok($$ update shop.people set mood = 'glad' $$, 'nor that a workspace is');
select is((select count(*) from knowledge.watches), 0::bigint, 'It takes its watches along');

select * from finish();
rollback;
