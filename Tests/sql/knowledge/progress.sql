-- What operators see of what comes in.
begin;
select no_plan();
select test.act_as('acme', 'olga');
select knowledge.create_workspace('docs', 'Docs');
select knowledge.create_workspace('empty', 'Empty', model => null);
select knowledge.add_text('docs', 'A', 'alpha');
select knowledge.add_file('docs', n || '.pdf', ('%PDF-' || n)::bytea) from generate_series(1, 3) as n;
select knowledge.add_site('docs', 'http://h.example');
select throws_ok('select * from knowledge.progress', '42501', null, 'It is for operators');
select test.act_as_superuser();
select queue.finish(c.job_id, c.token, '{"status": 404, "url": "http://h.example/robots.txt"}') from queue.claim('test', '{fetch}', 1) as c;
update queue.job set max_attempts = 1;
select queue.fail(c.job_id, c.token, 'it is broken') from queue.claim('test', '{convert}', 2) as c;
update knowledge.documents set updated_at = now() - interval '1 hour' where status = 'created';
insert into knowledge.pending_vectors (generation_id, chunk_id, content_hash, failed) select generation_id, 0, '', 'too long' from knowledge.generations where state = 'serving';
set local role concierge_admin;
select is((select jsonb_agg(to_jsonb(p) order by p.workspace) from knowledge.progress as p), '[
    {"tenant": "acme", "workspace": "docs", "created": 1, "processing": 0, "processed": 1, "error": 2, "waiting_vectors": 1, "pages_to_fetch": 1, "pages_failed": 0,
        "changed_rows": 0, "oldest": "01:00:00", "failures": [{"what": "document", "error": "QC502 it is broken", "count": 2, "one": "1.pdf"}, {"what": "vector", "error": "too long", "count": 1, "one": "0"}]},
    {"tenant": "acme", "workspace": "empty", "created": 0, "processing": 0, "processed": 0, "error": 0, "waiting_vectors": 0, "pages_to_fetch": 0, "pages_failed": 0,
        "changed_rows": 0, "oldest": null, "failures": []}]', 'Each workspace says how far it is');
reset role;
update queue.rate_limit set requests_left = 1;
update queue.closed_gate set opens_at = now();
select queue.fail(c.job_id, c.token, 'HTTP status 500') from queue.claim('test', '{fetch}', 1) as c;
update knowledge.sites set robots_error = 'HTTP status 500';
select is((select row(pages_to_fetch, pages_failed, failures -> 1, failures -> 2)::text from knowledge.progress where workspace = 'docs'),
    '(0,2,"{""one"": ""http://h.example/"", ""what"": ""page"", ""count"": 1, ""error"": ""HTTP status 500""}","{""one"": ""http://h.example/"", ""what"": ""robots.txt"", ""count"": 1, ""error"": ""HTTP status 500""}")', 'and what went wrong on the way');

select * from finish();
rollback;
