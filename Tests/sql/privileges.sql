-- The whole matrix of privileges, who may what, is Tests/fixtures/privileges.txt. A grant that is not written
-- down there fails, and its line in a change is the review. `concierge test privileges.sql --renew` writes it.
-- app: concierge_app, worker: concierge_worker (the daemon), admin: concierge_admin (an operator). PUBLIC may
-- nothing, and what only the owner may is not listed.
create view test.our_schemas as
select n.* from pg_namespace as n where n.nspowner = to_regrole('concierge_owner')::oid;

create view test.privileges as
select g.privilege, g.name, string_agg(distinct
    case g.grantee when 0 then 'PUBLIC' else replace(g.grantee::regrole::text, 'concierge_', '') end, ' '
    order by case g.grantee when 0 then 'PUBLIC' else replace(g.grantee::regrole::text, 'concierge_', '') end) as roles
from (
    select lower(a.privilege_type) as privilege, n.nspname::text as name, a.grantee, n.nspowner as owner
    from test.our_schemas as n, aclexplode(n.nspacl) as a
    union all
    select lower(a.privilege_type), c.oid::regclass::text, a.grantee, c.relowner
    from pg_class as c join test.our_schemas as n on n.oid = c.relnamespace, aclexplode(c.relacl) as a
    union all
    select lower(a.privilege_type), c.oid::regclass || '.' || t.attname, a.grantee, c.relowner
    from pg_attribute as t join pg_class as c on c.oid = t.attrelid join test.our_schemas as n on n.oid = c.relnamespace,
        aclexplode(t.attacl) as a
    union all
    select lower(a.privilege_type), p.oid::regprocedure::text, a.grantee, p.proowner
    from pg_proc as p join test.our_schemas as n on n.oid = p.pronamespace,
        aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
) as g
where g.grantee <> g.owner
group by g.privilege, g.name;

-- session: main
-- Who may what.
select privilege, name, roles from test.privileges
order by array_position(array['usage', 'select'], privilege), privilege collate "C", name collate "C";
--> as in Tests/fixtures/privileges.txt

-- Deliberately granted to nobody, with the reason.
select is(g.roles, null, v.name || ' is granted to nobody: ' || reason)
from (values
    ('queue.enqueue',                 'whoever enqueues decides what the daemon does'),
    ('contractor.followup_delivered', 'a continuation is called by queue.finish alone'),
    ('access.recall',                 'a key that is taken by hand would silence a write'),
    ('access.remember',               'an answer that is put in by hand would be believed'),
    ('access.write_audit',            'an entry is made by a write, not by a call'),
    ('access.audit_table',            'the owner decides what is audited'),
    ('event.cache_table',             'the owner decides what is cached')
) as v (name, reason)
left join test.privileges as g on g.privilege = 'execute' and starts_with(g.name, v.name || '(');
