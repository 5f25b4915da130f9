-- What must be true of every object, read from the catalogue: a new table or function is under test the moment it exists.
-- Each check lists its offenders, so the failure says what to mend.
begin;
select no_plan();

-- Ours is what belongs to the owner role's schemas; a schema that is added is checked without being named here.
create view test.schemas as
select n.oid, n.nspname as name from pg_namespace as n where n.nspowner = to_regrole('concierge_owner')::oid;
create view test.relations as
select c.*, c.oid::regclass::text as name from pg_class as c join test.schemas as s on s.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f');
create view test.routines as
select p.*, p.oid::regprocedure::text as name, pg_get_function_identity_arguments(p.oid) as arguments
from pg_proc as p join test.schemas as s on s.oid = p.pronamespace;
-- Types made by "create type" and "create domain"; the row type of a table is spoken for by the table.
create view test.types as
select t.*, t.oid::regtype::text as name from pg_type as t join test.schemas as s on s.oid = t.typnamespace
left join pg_class as c on c.oid = t.typrelid
where t.typtype in ('d', 'e', 'r') or c.relkind = 'c';

select set_has('select name::text from test.schemas', $$ values ('access'), ('queue'), ('event'), ('contractor'), ('model'), ('knowledge'), ('chat'), ('evaluation') $$, 'The schemas of the design are there');

-- Roles.
select is_empty($$
    select r.rolname from pg_roles as r
    where r.rolname in ('concierge_owner', 'concierge_app', 'concierge_worker', 'concierge_admin')
        and (r.rolcanlogin or r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls) $$,
    'No role of ours can log in, create, replicate or pass row-level security');
select is((select count(*) from pg_roles where rolname ~ '^concierge_(owner|app|worker|admin)$')::int, 4, 'All four roles are there');
select is_empty($$
    select m.roleid::regrole, m.member::regrole from pg_auth_members as m
    where m.member in (to_regrole('concierge_app'), to_regrole('concierge_worker'), to_regrole('concierge_admin'))
        or m.roleid = to_regrole('concierge_owner') and m.member in (select r.oid from pg_roles as r where r.rolname ~ '^concierge') $$,
    'None of them is a member of another role, and none of ours of the owner');

-- Owners.
select is_empty($$ select name from test.relations where relowner <> to_regrole('concierge_owner') $$, 'Every table, view and sequence belongs to concierge_owner');
select is_empty($$ select name from test.routines where proowner <> to_regrole('concierge_owner') $$, 'Every function belongs to concierge_owner');
select is_empty($$ select name from test.types where typowner <> to_regrole('concierge_owner') $$, 'Every type belongs to concierge_owner');
select is_empty($$
    select e.extname from pg_extension as e join test.schemas as s on s.oid = e.extnamespace $$,
    'No extension lives in a schema of ours');

-- PUBLIC gets nothing.
select is_empty($$
    select s.name from test.schemas as s join pg_namespace as n using (oid), aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a where a.grantee = 0 $$,
    'No schema is open to PUBLIC');
select is_empty($$
    select r.name, a.privilege_type from test.relations as r, aclexplode(r.relacl) as a where a.grantee = 0
    union all
    select r.name || '.' || c.attname, a.privilege_type from test.relations as r join pg_attribute as c on c.attrelid = r.oid, aclexplode(c.attacl) as a where a.grantee = 0 $$,
    'No table or column is open to PUBLIC');
select is_empty($$
    select r.name from test.routines as r, aclexplode(coalesce(r.proacl, acldefault('f', r.proowner))) as a where a.grantee = 0 $$,
    'No function is executable by PUBLIC');
select is_empty($$
    select t.name from test.types as t, aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) as a where a.grantee = 0 $$,
    'No type is usable by PUBLIC');
select is_empty($$
    select 1 from (values ('f'), ('T')) as k (kind)
    where not exists (
        select from pg_default_acl as d
        where d.defaclrole = to_regrole('concierge_owner') and d.defaclnamespace = 0 and d.defaclobjtype::text = k.kind
            and not exists (select from aclexplode(d.defaclacl) as a where a.grantee = 0)) $$,
    'A function or type made tomorrow is not open to PUBLIC either');

-- Row-level security.
select is_empty($$ select name from test.relations where relkind in ('r', 'p') and not relrowsecurity $$, 'Every table has row-level security enabled');
select is_empty($$
    select r.name from test.relations as r
    where r.relkind in ('r', 'p') and not exists (select from pg_policy as p where p.polrelid = r.oid)
        and exists (select from aclexplode(r.relacl) as a where a.grantee <> r.relowner) $$,
    'A table without a policy is granted to nobody');
select bag_eq($$
    select r.name from test.relations as r where r.relkind in ('r', 'p') and not exists (select from pg_policy as p where p.polrelid = r.oid) $$,
    array['access.token_keys', 'access.idempotency_keys'], 'Only secrets and remembered answers are without a policy');
select is_empty($$
    select p.polrelid::regclass, p.polname from pg_policy as p join test.relations as r on r.oid = p.polrelid
    where p.polcmd <> 'r' or p.polroles = '{0}' $$,
    'Every policy is for select, and for named roles: writes go through functions');
select is_empty($$
    select r.name, p.polname from pg_policy as p join test.relations as r on r.oid = p.polrelid
    where to_regrole('concierge_app') = any (p.polroles) and p.polpermissive
        and pg_get_expr(p.polqual, p.polrelid) !~ 'tenant_id = \( SELECT access\.tenant_id\(\)' $$,
    'Every permissive policy of apps names the tenant');
select is_empty($$
    select r.name, p.polname, pg_get_expr(p.polqual, p.polrelid) from pg_policy as p join test.relations as r on r.oid = p.polrelid
    where regexp_replace(pg_get_expr(p.polqual, p.polrelid), 'SELECT [a-z_]+\.[a-z_]+\(', '', 'g') ~ '\m[a-z_]+\.[a-z_]+\(' $$,
    'A policy that calls a function of ours wraps it in (select …): once a query, not once a row');

-- Tenants.
select set_eq($$
    select r.name from test.relations as r
    where r.relkind in ('r', 'p') and not exists (
        select from pg_attribute as a where a.attrelid = r.oid and a.attname = 'tenant_id' and a.attnotnull) $$,
    $$ values
        ('access.audit_log'),       -- operators and the daemon write too, for no tenant
        ('access.token_keys'),      -- a key may vouch for any tenant
        ('access.redaction_rules'), -- a default is for all
        ('queue.job'),              -- an effect may be nobody's
        ('queue.refresh'),          -- what can be refreshed, for all
        ('queue.history'), ('queue.dead_letter'), ('queue.schedule'), -- as their jobs
        ('queue.setting'), ('queue.worker'), ('queue.floor'), ('queue.upkeep_state'), ('queue.closed_gate'),
        ('queue.concurrency_limit'), ('queue.rate_limit'), ('queue.breaker_state'), -- of the whole queue
        ('queue.emission'),         -- as its job, for as long as that runs
        ('event.dirty_marks'),      -- one row a write, only ever read by event
        ('event.refresh_state'),    -- one row
        ('chat.message_patterns'),  -- words are the same for all
        ('model.providers'), ('model.models'), ('model.prices'), -- and so is who can be asked
        ('knowledge.chunk_words'), ('knowledge.lexical'), ('knowledge.terms'), ('knowledge.statistics'), ('knowledge.uncounted'), -- of a workspace,
        ('knowledge.embeddings'), ('knowledge.pending_vectors'), ('knowledge.document_embeddings'),   -- which has one
        ('knowledge.indexes'), ('knowledge.routes'), ('knowledge.content_changes'), ('knowledge.found_before'), -- and these
        ('knowledge.changed_rows')  -- of a watch, which has one
    $$, 'Every table has a tenant_id that is not null, save these');
select is_empty($$
    select r.name from test.relations as r join pg_attribute as a on a.attrelid = r.oid and a.attname = 'tenant_id'
    where r.relkind in ('r', 'p') and r.name not in ('access.tenants', 'access.audit_log', 'queue.history', 'knowledge.documents', 'knowledge.chunks') and not exists (
        select from pg_constraint as c
        where c.conrelid = r.oid and c.contype = 'f' and c.confrelid = 'access.tenants'::regclass and c.conkey = array[a.attnum] and c.confdeltype = 'c') $$,
    'Rows of a tenant go with their tenant, those of the queue''s history and of workspaces by a trigger; only the audit trail outlives it');
select set_eq($$
    select r.name from test.relations as r
    where r.relkind in ('r', 'p') and exists (select from pg_attribute as a where a.attrelid = r.oid and a.attname = 'tenant_id')
        and 3 <> (select count(*) from pg_trigger as t where t.tgrelid = r.oid and t.tgname in ('audit_update', 'audit_delete', 'audit_truncate')) $$,
    $$ values
        ('access.audit_log'),           -- the trail itself
        ('access.idempotency_keys'),    -- the write it remembers is in the trail
        ('queue.job'), ('queue.history'), ('queue.dead_letter'), ('queue.schedule'), -- a history of their own
        ('evaluation.queries'), ('evaluation.judgements'), -- follow from a collection's files
        ('evaluation.runs'), ('evaluation.results'), -- measured, and can be again
        ('event.event_days'), ('event.rooms'), ('event.tracks'), ('event.speakers'), ('event.session_speakers'), -- follow from a schedule file
        ('knowledge.documents'),        -- written in partitions: who adds or removes some notes it
        ('knowledge.chunks'), ('knowledge.audiences'), -- follow from documents
        ('knowledge.query_vectors'), ('chat.known_answers'), -- caches
        ('model.calls'), ('model.spending'), ('model.reservations'), ('model.assignments'), ('chat.turns'), ('chat.turn_events'), ('chat.records'), -- a history of their own
        ('knowledge.site_pages') -- follow from a site
    $$, 'Every table with tenant data is audited, save these');
select set_eq($$
    select r.name from test.relations as r join pg_trigger as t on t.tgrelid = r.oid and t.tgname = 'audit_update'
    where not exists (select from pg_trigger as i where i.tgrelid = r.oid and i.tgname = 'audit_insert') $$,
    $$ values ('event.event_speakers') $$, -- sessions come in bursts: the import notes what it added
    'and inserts with it');

-- No direct writes.
select is_empty($$
    select r.name, a.grantee::regrole, a.privilege_type from test.relations as r, aclexplode(r.relacl) as a
    where a.grantee <> r.relowner and a.privilege_type <> 'SELECT'
    union all
    select r.name || '.' || c.attname, a.grantee::regrole, a.privilege_type
    from test.relations as r join pg_attribute as c on c.attrelid = r.oid, aclexplode(c.attacl) as a
    where a.grantee <> r.relowner and a.privilege_type <> 'SELECT' $$,
    'Nobody but the owner may insert, update, delete, truncate, reference or use a sequence');
select is_empty($$
    select r.name, a.grantee::regrole from test.relations as r, aclexplode(r.relacl) as a
    where a.grantee <> r.relowner and (r.relkind = 'm' or a.grantee = to_regrole('concierge_worker')) $$,
    'Materialized views are granted to nobody, and no relation to the daemon');
select is_empty($$
    select r.name from test.relations as r, aclexplode(r.relacl) as a where a.is_grantable and a.grantee <> r.relowner
    union all
    select r.name from test.routines as r, aclexplode(r.proacl) as a where a.is_grantable and a.grantee <> r.proowner $$,
    'Nobody may pass a privilege on');

-- Functions.
select is_empty($$
    select name, proconfig from test.routines where prosecdef and 'search_path=pg_catalog, pg_temp' <> all (coalesce(proconfig, '{}')) $$,
    'Every definer function has search_path = pg_catalog, pg_temp');
select set_eq($$
    select split_part(name, '(', 1) from test.routines where proconfig is null and prosqlbody is null $$,
    $$ values
        ('event.refresh'), ('chat.answer'), -- commit inside, which a function with settings may not
        -- Every write of a session pays for these.
        ('event.tg__mark_dirty_new'), ('event.tg__mark_dirty_old'), ('event.tg__mark_dirty_both'), ('event.tg__mark_dirty_all'),
        ('queue.wake'), ('queue.tg__notify') -- and every enqueue for these
    $$, -- all say the schema of every name
    'A function without a pinned path is bound when it is created');
select is_empty($$
    select name from test.routines as r join pg_language as l on l.oid = r.prolang where l.lanname not in ('sql', 'plpgsql') $$,
    'All is SQL or PL/pgSQL');
select is_empty($$
    select r.name, m.statement[1]
    from test.routines as r, regexp_matches(r.prosrc, '(raise\s+(?!debug|log|info|notice|warning)[^;]*;)', 'gi') as m (statement)
    where r.prokind in ('f', 'p') and m.statement[1] !~* 'errcode' and m.statement[1] !~* '^raise\s*;' $$,
    'Every raise has an SQLSTATE');
select is_empty($$
    select r.name from test.routines as r join pg_language as l on l.oid = r.prolang and l.lanname = 'plpgsql'
    where r.proparallel <> 'u' and r.prosrc ~* '\mexception\s+when\M' $$,
    'A function with an exception block is not parallel safe: the block is a subtransaction, which a parallel query refuses');
select is_empty($$
    select name from test.routines where prosecdef and provolatile = 'i' $$,
    'No definer function claims to be immutable');

-- Views.
select is_empty($$
    select r.name from test.relations as r
    where r.relkind = 'v'
        and not coalesce(r.reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)
        and not (coalesce(r.reloptions && array['security_barrier=true', 'security_barrier=on', 'security_barrier=1'], false)
            and pg_get_viewdef(r.oid) ~ 'tenant_id = \( SELECT access\.tenant_id\(\)') $$,
    'A view asks as its caller, or is a barrier that names the tenant');

-- What a reader needs.
select is_empty($$ select name from test.relations where relkind in ('r', 'p', 'v', 'm') and obj_description(oid, 'pg_class') is null $$, 'Every table and view has a comment');
select is_empty($$ select name from test.routines where obj_description(oid, 'pg_proc') is null $$, 'Every function has a comment');
select is_empty($$ select name from test.types where coalesce(obj_description(oid, 'pg_type'), obj_description(typrelid, 'pg_class')) is null $$, 'Every type has a comment');
select is_empty($$ select name from test.schemas where obj_description(oid, 'pg_namespace') is null $$, 'Every schema has a comment');
select is_empty($$
    select r.rolname from pg_roles as r where r.rolname ~ '^concierge_(owner|app|worker|admin)$' and shobj_description(r.oid, 'pg_authid') is null $$,
    'Every role has a comment');
select is_empty($$
    select r.name, m.code[1]
    from test.routines as r, regexp_matches(r.prosrc, '''(QC[0-9A-Z]{3})''', 'g') as m (code)
    where r.name !~ '^access\.(me|token_identity|write_audit)\(' and m.code[1] not in ('QC401', 'QC402', 'QC403')
        and obj_description(r.oid, 'pg_proc') !~ m.code[1] $$,
    'Every code a function raises is in its comment');

-- Keys and indexes.
select is_empty($$
    select r.name from test.relations as r
    where r.relkind in ('r', 'p') and not exists (select from pg_index as i where i.indrelid = r.oid and i.indisprimary)
        and r.name <> 'event.dirty_marks' $$, -- nobody looks for one mark, and every writer would pay
    'Every table has a primary key');
select is_empty($$
    select i.indexrelid::regclass from pg_index as i join test.relations as r on r.oid = i.indrelid where not i.indisvalid or not i.indisready $$,
    'Every index is valid');
select is_empty($$
    select a.indexrelid::regclass, b.indexrelid::regclass
    from pg_index as a join pg_index as b on a.indrelid = b.indrelid and a.indexrelid < b.indexrelid
        and a.indkey::text = b.indkey::text and a.indclass::text = b.indclass::text
        and pg_get_expr(a.indpred, a.indrelid) is not distinct from pg_get_expr(b.indpred, b.indrelid)
        and pg_get_expr(a.indexprs, a.indrelid) is not distinct from pg_get_expr(b.indexprs, b.indrelid)
    join test.relations as r on r.oid = a.indrelid $$,
    'No index is there twice');
select is_empty($$
    select r.name, c.conname from pg_constraint as c join test.relations as r on r.oid = c.conrelid where not c.convalidated $$,
    'Every constraint is validated');
-- Tenants and people are disabled every day and deleted hardly ever: an index for that on every table would cost each write.
-- Of a composite key the first column is enough: rooms and tracks are looked for within their event.
select is_empty($$
    select r.name, c.conname, pg_get_constraintdef(c.oid)
    from pg_constraint as c join test.relations as r on r.oid = c.conrelid
    where c.contype = 'f' and c.confrelid not in ('access.tenants'::regclass, 'access.people'::regclass)
        and not exists (
            select from pg_index as i where i.indrelid = c.conrelid and i.indpred is null and i.indkey[0] = any (c.conkey)) $$,
    'Every foreign key is indexed, save those to tenants and people');

select * from finish();
rollback;
