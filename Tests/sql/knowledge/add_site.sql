-- A site comes in page by page, and again when it has changed.
begin;
select no_plan();
-- The web, and the daemon's part: fetch as HTTP does, convert by leaving tags out.
create table test.web (url text primary key, body text, status int default 200, media_type text default 'text/html', etag text, leads_to text, base64 text, robots jsonb);
create table test.log (place int generated always as identity, url text, headers jsonb, status int);
create function test.serve(job record) returns void language plpgsql security definer as $$
declare
    v_page test.web;
    v_url  text := job.payload ->> 'url';
begin
    loop
        select * into v_page from test.web where url = v_url;
        exit when v_page.leads_to is null;
        v_url := v_page.leads_to;
    end loop;
    v_page.status := case when v_page is null then 404 when v_page.status = 200 and v_page.etag = job.payload #>> '{headers,If-None-Match}' then 304 else v_page.status end;
    insert into test.log (url, headers, status) values (job.payload ->> 'url', job.payload -> 'headers', v_page.status);
    if v_page.status in (200, 304, 404, 410) then
        perform queue.finish(job.job_id, job.token, jsonb_strip_nulls(jsonb_build_object('status', v_page.status, 'url', v_url, 'media_type', v_page.media_type,
            'etag', v_page.etag, 'robots', v_page.robots, 'text', case when v_page.base64 is null and v_page.status = 200 then v_page.body end, 'base64', v_page.base64)));
    else
        perform queue.fail(job.job_id, job.token, 'HTTP status ' || v_page.status);
    end if;
end
$$;
create function test.work(kinds text[] default '{call,fetch,convert}', jobs int default 100000) returns int language plpgsql security definer as $$
declare
    v_job   record;
    v_count int := 0;
begin
    while v_count < jobs loop
        update queue.rate_limit set requests_left = 1, refilled_at = clock_timestamp() - interval '1 day';
        update queue.closed_gate set opens_at = clock_timestamp();
        update queue.job set run_at = clock_timestamp() where state = 'ready' and run_at > clock_timestamp() and kind = any (kinds);
        select c.* into v_job from queue.claim('test', kinds, 1) as c;
        exit when not found;
        v_count := v_count + 1;
        case v_job.kind
            when 'fetch' then perform test.serve(v_job);
            when 'convert' then perform queue.finish(v_job.job_id, v_job.token, jsonb_build_object('text', coalesce(btrim(regexp_replace(v_job.payload ->> 'text', '<[^>]*>', ' ', 'g')), 'converted')));
            else perform queue.finish(v_job.job_id, v_job.token, '{}');
        end case;
    end loop;
    return v_count;
end
$$;
-- What was asked for since the last look, robots.txt aside.
create function test.asked() returns text language sql security definer as $$
    with gone as (delete from test.log returning *)
    select string_agg(concat(substr(g.url, 17), case when g.status <> 200 then ' ' || g.status end), ', ' order by g.place) from gone as g where g.url !~ 'robots.txt$' $$;
create function test.pages() returns table (url text, state text) language sql as $$ select substr(p.url, 17), p.state from knowledge.site_pages as p $$;
create function test.docs() returns table (key text) language sql as $$ select substr(d.key, 17) from knowledge.documents as d where d.kind = 'page' and d.status = 'processed' $$;
grant all on all tables in schema test to concierge_app;
grant execute on all functions in schema test to concierge_app;

select test.act_as('acme', 'olga');
select knowledge.create_workspace('docs', 'Docs', '{"chunk_size": 40, "chunk_overlap": 0}');
insert into test.web (url, body, etag) values
    ('http://h.example/', '<title>Start</title><a href="/a">a</a> <a href="b#x">b</a> <a href="B">large b</a> <a href="http://other.example/">away</a> welcome', null),
    ('http://h.example/a', '<title>Page &Auml;</title><a href="/">back</a><a href="/a/deep">deep</a><script>indexed = "never"</script> alpha', '"a1"'),
    ('http://h.example/b', '<a href="/a">a</a> beta', null),
    ('http://h.example/B', '<a href="/b">b</a> other beta', null),
    ('http://h.example/a/deep', '<a href="/a/deeper">deeper</a> gamma', null),
    ('http://h.example/a/deeper', 'delta', null);

-- The first crawl.
select throws_ok($$ select knowledge.add_site('docs', 'ftp://h.example') $$, 'QC221', '"ftp://h.example" is no address of a site', 'A site is at an address');
select throws_ok($$ select knowledge.add_site('docs', 'http://h.example', 101) $$, '23514', null, 'within limits');
select throws_ok($$ select knowledge.add_site('docs', 'http://h.example', pause => '1 ms') $$, '23514', null, 'of politeness, too');
select throws_ok($$ select knowledge.add_site('docs', 'http://h.example', timing => 'sometimes') $$, 'QC213', null, 'at a time that can be read');
select throws_ok($$ select knowledge.add_site('docs', 'http://h.example', language => 'latin') $$, '22023', null, 'in a language of its workspace');
select throws_ok($$ select knowledge.crawl_again('docs', 'http://h.example') $$, 'QC222', null, 'One that was not added is not crawled again');
select throws_ok($$ select knowledge.remove_site('docs', 'http://h.example') $$, 'QC222', null, 'nor removed');
select ok(knowledge.add_site('docs', 'HTTP://H.example', metadata => '{"source": "web"}') > 0, 'A site is added');
select knowledge.add_site('docs', 'http://h.example/', metadata => '{"source": "web"}');
select is((select count(*) from knowledge.sites), 1::bigint, 'once');
select cmp_ok(test.work(), '>', 0, 'The daemon works');
select is((select string_agg(url, ', ' order by place) from test.log), 'http://h.example/robots.txt, http://h.example/, http://h.example/a, http://h.example/b, http://h.example/B, http://h.example/a/deep', 'robots.txt first, then each page once, as deep as two links');
select test.asked();
select set_eq('select * from test.docs()', array['/', '/a', '/b', '/B', '/a/deep'], 'Each is a document, by its canonical address');
select is((select title from knowledge.documents where key = 'http://h.example/a'), 'Page Ä', 'with the title it has');
select is((select title from knowledge.documents where key = 'http://h.example/b'), 'http://h.example/b', 'or its address');
select is((select p.key from knowledge.documents as d join knowledge.documents as p on p.document_id = d.parent_id where d.key = 'http://h.example/a/deep'), 'http://h.example/a', 'part of the page that it was found on');
select is((select parent_id from knowledge.documents where key = 'http://h.example/'), null, 'but for the first');
select is((select count(*) from knowledge.documents where metadata = '{"source": "web"}'), 5::bigint, 'with what was said of all');
select is((select document_key from knowledge.search('docs', 'alpha') limit 1), 'http://h.example/a', 'It is found');
select is((select count(*) from knowledge.chunks where content ~ 'indexed|never'), 0::bigint, 'Scripts are no text');
select test.act_as_superuser();
select is((select count(*) from queue.history where payload ? 'text' or result ? 'text'), 0::bigint, 'History keeps no pages');
select is((select requests::text || ' ' || every from queue.rate_limit where rate_group = 'crawl:h.example'), '1 00:00:00.5', 'A host is spared');

-- Again: what has changed.
select test.act_as('acme', 'olga');
create temp table was as select key, version, updated_at, document_id from knowledge.documents;
update test.web set body = 'new beta' where url = 'http://h.example/b';
delete from test.web where url = 'http://h.example/a/deep';
insert into test.web (url, body) values ('http://h.example/c', 'new page');
update test.web set body = body || '<a href="/c">c</a>' where url = 'http://h.example/B';
select knowledge.crawl_again('docs', 'http://H.EXAMPLE');
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select is(test.asked(), '/, /B, /a 304, /b, /a/deep 404, /c', 'A crawl asks for what it knows, and what has come');
select is((select string_agg(substr(d.key, 17), ', ' order by d.key collate "C") from knowledge.documents as d left join was as w using (key, version, updated_at) where w.key is null), '/B, /b, /c', 'Only what changed is processed');
select set_eq('select * from test.docs()', array['/', '/a', '/b', '/B', '/c'], 'What is gone goes');
select is((select content from knowledge.documents where key = 'http://h.example/b'), 'new beta', 'What is new is new');
select set_eq('select * from test.pages()', $$ values ('/', 'read'), ('/a', 'read'), ('/b', 'read'), ('/B', 'read'), ('/c', 'read'), ('/a/deep', 'gone') $$, 'and all of it is noted');

-- A page that comes back; one removed by hand; one whose parent goes.
insert into test.web (url, body) values ('http://h.example/a/deep', 'gamma again');
update test.web set etag = '"a2"', body = '<a href="/a/deep">deep</a>alpha 2' where url = 'http://h.example/a';
select knowledge.remove_document('docs', document_id) from knowledge.documents where key = 'http://h.example/b';
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select set_eq('select * from test.docs()', array['/', '/a', '/b', '/B', '/c', '/a/deep'], 'What comes back is taken in again, and so is what was removed by hand');
select test.asked();
update test.web set status = 410 where url in ('http://h.example/a', 'http://h.example/');
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select set_eq('select * from test.docs()', array['/b', '/B', '/c', '/a/deep'], 'Pages whose parent goes stay');
select is((select count(*) from knowledge.documents where parent_id not in (select document_id from knowledge.documents)), 0::bigint, 'and are part of nothing that is not there');
update test.web set status = 200;
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select set_eq('select * from test.docs()', array['/', '/a', '/b', '/B', '/c', '/a/deep'], 'The beginning is asked for, though it was gone');

-- A server in trouble.
select test.asked();
update test.web set status = 500 where url in ('http://h.example/b');
update test.web set status = 403 where url in ('http://h.example/c');
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select is((select row(state, error)::text from knowledge.site_pages where url = 'http://h.example/b'), '(failed,"HTTP status 500")', 'A page that cannot be fetched says why');
select is((select count(*) from test.docs() where key in ('/b', '/c')), 2::bigint, 'and stays as it was');
update test.web set status = 200;
insert into test.web (url, body, status) values ('http://h.example/robots.txt', E'User-agent: *\nDisallow: /a/', 500);
select test.asked();
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select is(test.asked(), null, 'Without robots.txt nothing is fetched');
select is((select robots_error from knowledge.sites), 'HTTP status 500', 'and why is noted');
update test.web set status = 403 where url = 'http://h.example/robots.txt';
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select is((select robots_error from knowledge.sites), null, 'One that is refused');
select isnt(test.asked(), null, 'is one that is not there');
update test.web set status = 200 where url = 'http://h.example/robots.txt';
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select is((select state from test.pages() where url = '/a/deep'), 'refused', 'A page that robots.txt refuses is not asked for');
select unalike(test.asked(), '%deep%', 'really');
select is((select count(*) from test.docs() where key = '/a/deep'), 0::bigint, 'and goes');
update test.web set body = null, base64 = encode(E'User-agent: *\nDisallow: /b\n\\000\\377\\001'::bytea, 'base64') where url = 'http://h.example/robots.txt';
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select is((select string_agg(url, ', ') from test.pages() where state = 'refused'), '/b', 'A robots.txt with rubbish in it is read as far as it can be');
select ok('/a/deep' in (select * from test.docs()), 'What it allows again comes back') ;

-- Taken away.
select test.asked();
select knowledge.crawl_again('docs', 'http://h.example');
select test.work('{fetch}', 1);
select is(knowledge.remove_site('docs', 'http://h.example'), 5::bigint, 'A site is removed with its pages');
select test.work();
select is((select count(*) from knowledge.documents) + (select count(*) from knowledge.site_pages) + (select count(*) from knowledge.sites), 0::bigint, 'and nothing of it is left, or comes');
select is(test.asked(), null, 'nor asked for');

-- Addresses: redirects, canonical links, the same again, cycles.
delete from test.web;
insert into test.web (url, body, leads_to) values
    ('http://h.example/', '<a href=/old>1</a><a href=/print>2</a><a href=/one>3</a><a href=/index.html>4</a><a href=/away>5</a><a href=/hidden>6</a><a href=/stra%c3%9fe>7</a><a href="/straße">8</a>'
        || '<a href=/blind>9</a><a href=/secret>10</a><a href=/file.pdf>11</a><a href=/pic>12</a><a rel=nofollow href=/no>13</a><a href=/text>14</a><a href=/latin>15</a><a href=/broken>16</a><a href=/based/>17</a><a href=/to-secret>18</a><a href=/unlisted>19</a><a href=/dead-end>20</a>', null),
    ('http://h.example/index.html', null, 'http://h.example/'),
    ('http://h.example/old', null, 'http://h.example/new'), ('http://h.example/new', 'new', null),
    ('http://h.example/print', '<link rel=canonical href="/page?x=1&amp;y=2">page', null), ('http://h.example/page?x=1&y=2', '<link rel=canonical href="/page?x=1&amp;y=2">page!', null),
    ('http://h.example/one', '<link rel=canonical href=/two>one <a href=/one>', null), ('http://h.example/two', '<link rel=canonical href=/one>two <a href=/two>', null),
    ('http://h.example/away', null, 'http://other.example/'), ('http://other.example/', 'other', null),
    ('http://h.example/hidden', '<meta name="robots" content="noindex">hidden <a href=/found>x</a>', null), ('http://h.example/found', 'found', null),
    ('http://h.example/stra%C3%9Fe', 'Straße', null), ('http://h.example/blind', '<meta name=robots content=nofollow>blind <a href=/unseen>x</a>', null), ('http://h.example/unseen', 'unseen', null),
    ('http://h.example/secret', 'secret', null), ('http://h.example/no', 'no', null), ('http://h.example/based/', '<base href=/elsewhere/><a href=x>x</a>based', null), ('http://h.example/elsewhere/x', 'x is here', null),
    ('http://h.example/to-secret', null, 'http://h.example/secret'),
    ('http://h.example/robots.txt', E'User-agent: *\nDisallow: /secret\nCrawl-delay: 3', null);
insert into test.web (url, body, robots) values ('http://h.example/unlisted', '<a href=/listed>x</a>', '["noindex"]'), ('http://h.example/listed', 'listed', '["otherbot: noindex, nofollow"]'),
    ('http://h.example/dead-end', 'dead end <a href=/unseen-too>x</a>', '["noarchive", "concierge: nofollow"]'), ('http://h.example/unseen-too', 'unseen', null);
insert into test.web (url, media_type, base64, body) values ('http://h.example/file.pdf', 'application/pdf', encode('%PDF-1', 'base64'), null), ('http://h.example/pic', 'image/png', encode('x', 'base64'), null),
    ('http://h.example/text', 'text/plain; charset=utf-8', null, 'plain text'), ('http://h.example/latin', 'text/html; charset=iso-8859-1', encode(convert_to('Grüße', 'LATIN1'), 'base64'), null), ('http://h.example/broken', 'text/html', encode('\xc30061', 'base64'), null);
select knowledge.add_site('docs', 'http://h.example', access_level => 4);
select test.work('{call,fetch}');
select is((select count(*) from test.log where url ~ 'other|unseen|/no$|secret$' and url !~ 'to-secret'), 0::bigint, 'Nothing else is asked for');
select set_eq($$ select url || ' ' || state from test.pages() $$, array['/ read', '/index.html alias', '/old alias', '/new read', '/print alias', '/page?x=1&y=2 read', '/one alias', '/two read', '/away elsewhere', '/hidden unindexed', '/found read',
    '/stra%C3%9Fe read', '/blind read', '/file.pdf read', '/pic unreadable', '/text read', '/latin read', '/broken unreadable', '/based/ read', '/elsewhere/x read', '/to-secret refused', '/unlisted unindexed', '/listed read', '/dead-end read'], 'Each page is noted as what it is');
select is((select string_agg(substr(url, 17) || ' ' || substr(same_as, 17), ', ' order by url) from knowledge.site_pages where state = 'alias'), '/index.html /, /old /new, /one /two, /print /page?x=1&y=2', 'and what it is an address of');
select is((select error from knowledge.site_pages where state = 'elsewhere'), 'it leads to http://other.example/', 'Where it leads is noted');
select is((select status from knowledge.documents where key ~ 'pdf'), 'created', 'A PDF waits for its text, as a file does');
select is((select count(*) from knowledge.documents where key ~ 'text$' and content = 'plain text'), 1::bigint, 'a text does not');
select test.act_as_superuser();
select is((select every from queue.rate_limit where rate_group = 'crawl:h.example'), interval '3 s', 'robots.txt says how often');
select is((select payload ->> 'text' from queue.job where kind = 'convert' and payload ->> 'title' ~ 'latin'), 'Grüße', 'Pages are in the encoding they say');
select test.act_as('acme', 'olga');
select test.work();
select is((select document_key from knowledge.search('docs', 'Straße') limit 1), 'http://h.example/stra%C3%9Fe', 'Addresses may be in any language');
select test.act_as('acme', 'anna');
select is((select count(*) from knowledge.documents), 0::bigint, 'Who may not find it does not');
select is((select count(*) from knowledge.sites) + (select count(*) from knowledge.site_pages), 0::bigint, 'nor see the site');
select throws_ok($$ select knowledge.add_site('docs', 'http://h.example') $$, 'QC405', null, 'or add one');
select throws_ok($$ select knowledge.crawl_again('docs', 'http://h.example') $$, 'QC405', null, 'or crawl it');
select throws_ok($$ select knowledge.remove_site('docs', 'http://h.example') $$, 'QC405', null, 'or remove it');
select test.act_as('acme', 'olga');
create temp table read as select count(*) as count from knowledge.documents;
select knowledge.add_site('docs', 'http://h.example', access_level => 0);
select test.act_as('acme', 'anna');
select is((select count(*) from knowledge.documents), count, 'until it is opened, at once') from read;
select test.act_as('acme', 'olga');
select test.work();
create temp table versions as select key, version, document_id from knowledge.documents;
select knowledge.crawl_again('docs', 'http://h.example');
select test.work();
select is_empty('select key, version, document_id from knowledge.documents except select * from versions', 'Crawled again, all of it stays as it is');
select knowledge.remove_site('docs', 'http://h.example');

-- A host that has moved to https.
insert into test.web (url, leads_to) values ('http://s.example/', 'https://s.example/');
insert into test.web (url, body) values ('https://s.example/', '<a href=/x>x</a><a href="https://s.example:444/y">y</a>'), ('https://s.example/x', '<a href="http://s.example/">home</a>');
select knowledge.add_site('docs', 'http://s.example');
select test.work();
select set_eq('select url, state from knowledge.site_pages', $$ values ('http://s.example/', 'alias'), ('https://s.example/', 'read'), ('https://s.example/x', 'read') $$, 'A host is the same by http and https, another port is another');
select knowledge.remove_site('docs', 'http://s.example/');

-- Ten thousand links, and limits.
delete from test.web;
insert into test.web (url, body) select 'http://h.example/', string_agg(format('<a href="/p/%s">%s</a>', n, n), ' ') from generate_series(1, 10000) as n;
insert into test.web (url, body) select 'http://h.example/p/' || n, 'page ' || n from generate_series(1, 100) as n;
select knowledge.add_site('docs', 'http://h.example', max_pages => 20);
select test.work();
select is((select count(*) from test.docs()), 20::bigint, 'Of ten thousand links as many are followed as were asked for');
select set_eq('select * from test.docs()', $$ select '/p/' || n from generate_series(1, 19) as n union select '/' $$, 'the first');
select knowledge.add_site('docs', 'http://h.example', max_pages => 30);
select test.work();
select is((select count(*) from test.docs()), 30::bigint, 'and more when more are');

-- Each page says that another one is meant.
insert into test.web (url, body) select 'http://h.example/c/' || n, format('<link rel="canonical" href="/c/%s">', n + 1) from generate_series(1, 100) as n;
delete from test.log;
select knowledge.add_site('docs', 'http://h.example/c/1', max_pages => 5);
select test.work();
select is((select count(*) from test.log), 11::bigint, 'A chain of addresses has an end');
select knowledge.remove_site('docs', 'http://h.example/c/1');

-- Interrupted: a worker that is lost, and one that tells twice.
select test.act_as_superuser();
select queue.purge(clock_timestamp());
update test.web set body = 'new ' || url where url ~ '/p/';
select test.act_as('acme', 'olga');
select knowledge.crawl_again('docs', 'http://h.example');
select test.work('{fetch}', 3);
select test.act_as_superuser();
create temp table lost as select * from queue.claim('lost', '{fetch,convert}', 1);
select queue.release('lost');
select test.work();
select ok(not queue.finish(job_id, token, '{"status": 404, "url": "http://h.example/"}'), 'Who lost a job cannot end it') from lost;
select is((select count(*) from knowledge.documents where status = 'processed' and content ~ '^new'), 29::bigint, 'and the crawl is whole');

select is((select count(*) from queue.job where kind <> 'call') + (select count(*) from queue.dead_letter), 0::bigint, 'with nothing left over');

-- By itself.
select test.act_as('acme', 'olga');
select knowledge.add_site('docs', 'http://h.example', max_pages => 30, timing => '@daily');
select test.act_as_superuser();
select is((select timing from queue.schedule where name ~ '^knowledge.site:'), '@daily', 'With a timing it is crawled again and again');
select test.work();
delete from test.log;
update queue.schedule set next_at = now() where name ~ '^knowledge.site:';
select queue.run_schedules();
select test.work();
select is((select count(*) from test.log), 31::bigint, 'when it is time');
select test.act_as('acme', 'olga');
select knowledge.drop_workspace('docs');
select test.act_as_superuser();
update queue.schedule set next_at = now() where name ~ '^knowledge.site:';
select queue.run_schedules();
delete from test.log;
select test.work();
select is((select count(*) from test.log) + (select count(*) from queue.schedule where name ~ '^knowledge.site:'), 0::bigint, 'and no more when its workspace is gone');

select * from finish();
rollback;
