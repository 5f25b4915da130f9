-- A file becomes a text that is found: at once, or when a converter has made one of it.
begin;
select no_plan();
-- The daemon's part: every conversion says what the test has put down for its title, and fails where it has put down nothing.
create table test.answers (title text primary key, answer text);
create function test.convert(attempts int default 1) returns int language plpgsql security definer as $$
declare
    v_job   record;
    v_count int := 0;
begin
    for i in 1..1000 loop
        update queue.job set run_at = clock_timestamp() where kind in ('convert', 'call');
        select c.* into v_job from queue.claim('test', array['call', 'convert'], 1) as c;
        exit when not found;
        if v_job.kind = 'call' then
            perform queue.finish(v_job.job_id, v_job.token, '{}');
        elsif exists (select from test.answers as a where a.title = v_job.payload ->> 'title') then
            v_count := v_count + 1;
            perform queue.finish(v_job.job_id, v_job.token, jsonb_build_object('text', (select a.answer from test.answers as a where a.title = v_job.payload ->> 'title')));
        else
            v_count := v_count + 1;
            perform queue.fail(v_job.job_id, v_job.token, 'pdftotext ended with 1: it is broken');
        end if;
    end loop;
    return v_count;
end
$$;
create function test.bytes(content text) returns bytea language sql as $$ select convert_to(content, 'UTF8') $$;
create function test.state(key text) returns text language sql as $$ select concat_ws(' ', d.status, d.sqlstate) from knowledge.documents as d where d.key = state.key $$;
create function test.jobs() returns bigint language sql security definer as $$ select count(*) from queue.job where kind = 'convert' $$;
grant all on test.answers to concierge_app;
grant execute on all functions in schema test to concierge_app;

select test.act_as('acme', 'olga');
select knowledge.create_workspace('docs', 'Docs', '{"chunk_size": 40, "chunk_overlap": 0}');

-- Text and Markdown go in at once.
select knowledge.add_file('docs', 'pump.txt', test.bytes('Turn the blue valve'));
select is((select row(status, kind, title, key, content)::text from knowledge.documents), '(processed,file,pump.txt,pump.txt,"Turn the blue valve")', 'A text is found at once');
select is((select document_key from knowledge.search('docs', 'valve') limit 1), 'pump.txt', 'by its words');
select knowledge.add_file('docs', 'Notes.MD', test.bytes(E'\uFEFF# Größe\n\nIn Metern'), title => 'Notes');
select is((select content from knowledge.documents where key = 'Notes.MD'), E'# Größe\n\nIn Metern', 'Markdown too, without its byte order mark');

-- What cannot be read is refused, by name.
select throws_ok($$ select knowledge.add_file('docs', 'a.xyz', 'x') $$, 'QC219', 'what "a.xyz" is, unknown, cannot be read', 'An unknown type is refused by name');
select throws_ok($$ select knowledge.add_file('docs', 'README', 'x') $$, 'QC219', null, 'and one without an ending');
select throws_ok($$ select knowledge.add_file('docs', 'a.png', '\x89504e47', media_type => 'image/png') $$, 'QC219', null, 'and a known one that is no text');
select throws_ok($$ select knowledge.add_file('docs', 'a.pdf', 'no pdf', media_type => 'application/pdf') $$, 'QC219', '"a.pdf" is no application/pdf', 'and one that only says so');
select throws_ok($$ select knowledge.add_file('docs', 'a.pdf', 'no pdf') $$, 'QC219', null, 'with its name alone, too');
select throws_ok($$ select knowledge.add_file('docs', 'a.txt', '') $$, 'QC220', 'the file "a.txt" is empty', 'An empty file is refused');
select throws_ok($$ select knowledge.add_file('docs', 'a.txt', '\x610062') $$, 'QC220', null, 'and zero bytes');
select throws_ok($$ select knowledge.add_file('docs', 'a.txt', '\xe4f6') $$, 'QC220', 'the text is not in UTF-8: invalid byte sequence for encoding "UTF8": 0xe4 0xf6', 'and another encoding');
select throws_ok($$ select knowledge.add_file('docs', 'a.txt', convert_to(repeat('x', 20000001), 'UTF8')) $$, 'QC220', 'the file "a.txt" has 20000001 bytes, and may have 20000000', 'and what is too large');
select throws_ok($$ select knowledge.add_file('docs', null, 'x') $$, '22004', null, 'and what has no name');
select throws_ok($$ select knowledge.add_file('docs', 'a.txt', null) $$, '22004', null, 'and no bytes');
select lives_ok($$ select knowledge.add_file('docs', 'README', 'Read me first', media_type => 'text/plain; charset=utf-8') $$, 'Its type may be said');

-- The same again.
create temp table was as select document_id, version, updated_at from knowledge.documents where key = 'pump.txt';
select is(knowledge.add_file('docs', 'pump.txt', test.bytes('Turn the blue valve')), document_id, 'The same bytes again are the same document') from was;
select is(version, 1, 'and change nothing') from knowledge.documents where key = 'pump.txt';
select is(knowledge.add_file('docs', 'copy of pump.txt', test.bytes('Turn the blue valve')), document_id, 'Under another name they are recognised') from was;
select isnt(knowledge.add_file('docs', 'copy of pump.txt', test.bytes('Turn the blue valve'), 'copy'), document_id, 'with a key of its own it is a document of its own') from was;
select isnt(knowledge.add_file('docs', 'secret pump.txt', test.bytes('Turn the blue valve'), access_level => 3), document_id, 'and so it is for others') from was;
select is(knowledge.add_file('docs', 'pump.txt', test.bytes('Turn the red valve')), document_id, 'Other bytes under its name replace it') from was;
select is(content, 'Turn the red valve', 'with their text') from knowledge.documents where key = 'pump.txt';

-- PDF, by its bytes whatever its name says.
insert into test.answers values ('plan.pdf', 'Pipes are laid in May');
select knowledge.add_file('docs', 'plan.pdf', '%PDF-1.7 first');
select is(test.state('plan.pdf'), 'created', 'A PDF waits for its text');
select throws_ok('select from queue.job', '42501', null, 'in a job that apps do not see');
select test.act_as_superuser();
select is((select payload - '{workspace_id,document_id}'::text[] from queue.job where kind = 'convert'),
    '{"to": "markdown", "title": "plan.pdf", "base64": "JVBERi0xLjcgZmlyc3Q=", "version": 1, "media_type": "application/pdf"}', 'Its bytes are in the job');
select test.act_as('acme', 'olga');
select knowledge.add_file('docs', 'plan.pdf', '%PDF-1.7 first');
select is(test.jobs(), 1::bigint, 'Added again meanwhile, it is converted once');
select is(test.convert(), 1, 'The converter');
select is(test.state('plan.pdf'), 'processed', 'brings it');
select is((select document_key from knowledge.search('docs', 'pipes') limit 1), 'plan.pdf', 'and it is found');
select test.act_as_superuser();
select is((select count(*) from queue.history where kind = 'convert' and (payload ? 'base64' or result ? 'text')), 0::bigint, 'History keeps neither bytes nor text');
select test.act_as('acme', 'olga');
select is(knowledge.add_file('docs', 'plan-2.pdf', '%PDF-1.7 first'), document_id, 'Its bytes are recognised, too') from knowledge.documents where key = 'plan.pdf';
select is(test.jobs(), 0::bigint, 'and not converted again');

-- A new version: the old one is found until the new one is there; what is late is thrown away.
select knowledge.add_file('docs', 'plan.pdf', '%PDF-1.7 second');
select is((select document_key from knowledge.search('docs', 'pipes') limit 1), 'plan.pdf', 'While a new version is converted, the old one is found');
select test.act_as_superuser();
create temp table late as select job_id, token from queue.claim('late', '{convert}', 1);
select test.act_as('acme', 'olga');
select knowledge.add_file('docs', 'plan.pdf', '%PDF-1.7 third');
update test.answers set answer = 'Pipes are laid in June' where title = 'plan.pdf';
select test.convert();
select test.act_as_superuser();
select ok(queue.finish(job_id, token, '{"text": "Pipes are laid in April"}'), 'A late conversion ends') from late;
select is((select content from knowledge.documents where key = 'plan.pdf'), 'Pipes are laid in June', 'and changes nothing');

-- Failures.
select test.act_as('acme', 'olga');
select knowledge.add_file('docs', 'broken.pdf', '%PDF-broken');
select is(test.convert(), 3, 'A broken one is tried three times');
select is((select row(status, sqlstate, error)::text from knowledge.documents where key = 'broken.pdf'), '(error,QC502,"pdftotext ended with 1: it is broken")', 'and says why');
insert into test.answers values ('broken.pdf', 'It was mended');
select test.act_as_superuser();
select queue.retry(job_id) from queue.dead_letter;
select test.act_as('acme', 'olga');
select test.convert();
select is(test.state('broken.pdf'), 'processed', 'Retried by an operator, it comes in');
select knowledge.add_file('docs', 'scan.pdf', '%PDF-scan');
insert into test.answers values ('scan.pdf', E' \n ');
select test.convert();
select is(test.state('scan.pdf'), 'error QC503', 'One without text is an error');
update test.answers set answer = 'A text after all' where title = 'scan.pdf';
select knowledge.add_file('docs', 'scan.pdf', '%PDF-scan');
select is(test.state('scan.pdf'), 'created', 'Added again, it is tried again');
select test.convert();
select is(test.state('scan.pdf'), 'processed', 'and comes in');
select knowledge.add_file('docs', 'cancelled.pdf', '%PDF-cancelled');
select test.act_as_superuser();
select queue.cancel(job_id) from queue.job where kind = 'convert';
select is(test.state('cancelled.pdf'), 'error QC502', 'A conversion that is taken back says so');

-- Deleted, or dropped, while it is converted.
select test.act_as('acme', 'olga');
insert into test.answers values ('gone.pdf', 'Too late');
select knowledge.remove_document('docs', knowledge.add_file('docs', 'gone.pdf', '%PDF-gone'));
select is(test.convert(), 1, 'What is removed meanwhile');
select is_empty($$ select from knowledge.documents where key = 'gone.pdf' $$, 'does not come back');
select test.act_as_superuser();
select is((select count(*) from queue.dead_letter), 0::bigint, 'and is no error');

-- HTML: without scripts, with its title.
select test.act_as('acme', 'olga');
insert into test.answers values ('Tom & Jerry – Häuser', 'Cats and mice');
select knowledge.add_file('docs', 'tom.html', test.bytes('<html><head><title>Tom &amp; Jerry &ndash; H&auml;user</title><script>var secret = "</p>"</script></head><body><nav>Home</nav><p>Cats <a href="/x">and</a> mice</p></body></html>'));
select test.act_as_superuser();
select is(payload ->> 'text', '<html><head>  </head><body> <p>Cats and mice</p></body></html>', 'What is converted has no scripts, title, navigation or addresses') from queue.job where kind = 'convert';
select test.act_as('acme', 'olga');
select test.convert();
select is((select title || '/' || content from knowledge.documents where key = 'tom.html'), 'Tom & Jerry – Häuser/Cats and mice', 'Its title is the page''s');
select knowledge.add_file('docs', 'old.html', convert_to('<meta charset=iso-8859-1><title>Größe</title>x', 'LATIN1'));
select is((select title from knowledge.documents where key = 'old.html'), 'Größe', 'A page may name its encoding');
select throws_ok($$ select knowledge.add_file('docs', 'x.html', convert_to('<meta charset=klingon>x', 'UTF8')) $$, 'QC220', '"klingon" is no encoding this server can read', 'unless nobody knows it');

-- By bytes.
select test.act_as_superuser();
select is(test_type.found, test_type.wanted, test_type.name) from (values
    ('a.docx', '\x504b0304'::bytea || repeat('x', 100)::bytea || 'word/document.xml', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'),
    ('a.odt', '\x504b0304'::bytea || repeat('x', 26)::bytea || 'mimetypeapplication/vnd.oasis.opendocument.text', 'application/vnd.oasis.opendocument.text'),
    ('a.txt', '%PDF-1.4', 'application/pdf'), ('noname', '<!DOCTYPE html><p>', 'text/html'), ('a.b/c', 'x', null), ('a.tar.gz', 'x', null), ('x.HTM', 'x', 'text/html')
) as n (name, bytes, wanted)
cross join lateral (select knowledge.media_type_of(n.name, n.bytes) as found, n.wanted, n.name || ' is ' || coalesce(n.wanted, 'nothing known') as name) as test_type;

-- Its workspace goes.
select test.act_as('acme', 'olga');
select test.convert();
select knowledge.create_workspace('brief', 'Brief');
select knowledge.add_file('brief', 'plan.pdf', '%PDF-1.7 brief'), knowledge.add_file('brief', 'unknown.pdf', '%PDF-1.7 unknown');
select knowledge.drop_workspace('brief');
select is(test.convert(), 4, 'A conversion for a workspace that is gone ends');
select test.act_as_superuser();
select is((select count(*) from queue.dead_letter where payload ->> 'title' = 'plan.pdf'), 0::bigint, 'well');

-- Who may.
select test.act_as('acme', 'anna');
select throws_ok($$ select knowledge.add_file('docs', 'a.txt', 'x') $$, 'QC405', null, 'An attendee adds no file');
select throws_ok($$ select knowledge.receive_text(1, '{}') $$, '42501', null, 'Nobody brings a text');
select test.act_as('globex', 'olga');
select throws_ok($$ select knowledge.add_file('docs', 'a.txt', 'x') $$, 'QC215', null, 'nor does another tenant');

select * from finish();
rollback;
