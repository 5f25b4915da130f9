-- The ground everything stands on: extensions, roles that cannot log in, and one schema a noun.
-- Run by whoever migrates: a superuser, or on a managed server a role with CREATEROLE and CREATE on the database.

-- Extensions live in a schema of their own, so that a definer function can name exactly what it uses.
create schema if not exists extensions;

create extension if not exists vector    with schema extensions;
create extension if not exists pgcrypto  with schema extensions;
create extension if not exists pg_trgm   with schema extensions;
create extension if not exists btree_gin with schema extensions;
create extension if not exists unaccent  with schema extensions;

-- Roles belong to the cluster, not to this database: another database may have made them already.
do $$
declare
    v_role text;
begin
    foreach v_role in array array['concierge_owner', 'concierge_app', 'concierge_worker', 'concierge_admin'] loop
        if to_regrole(v_role) is null then
            execute format('create role %I nologin noinherit', v_role);
        end if;
    end loop;
end
$$;

comment on role concierge_owner  is 'Owns every object of Concierge; cannot log in; granted to nobody at run time.';
comment on role concierge_app    is 'What an app service may do: call functions, read under row-level security.';
comment on role concierge_worker is 'What the daemon may do: look, claim, finish, fail, refresh.';
comment on role concierge_admin  is 'What an operator may do: tenants, people, keys, tokens, the clock of a session.';

-- Whoever migrates must be able to act as the owner.
do $$
begin
    if not pg_has_role(current_user, 'concierge_owner', 'member') then
        execute format('grant concierge_owner to %I', current_user);
    end if;
end
$$;

do $$
declare
    v_schema text;
begin
    foreach v_schema in array array['access', 'queue', 'event', 'contractor', 'model', 'chat'] loop
        execute format('create schema %I authorization concierge_owner', v_schema);
    end loop;
end
$$;

comment on schema extensions is 'Extensions Concierge uses; nothing of its own.';
comment on schema access     is 'Tenants, people, roles, token check, clock, audit trail.';
comment on schema queue      is 'Jobs, leases, attempts; what the daemon looks at.';
comment on schema event      is 'Events, sessions, speakers, rooms, tracks, sponsors, attendees; exact reads and recommendations.';
comment on schema contractor is 'Contractors, their features, partners, action items, notes, follow-ups.';
comment on schema model      is 'Models; for now the offline one, which needs no key and no network.';
comment on schema chat       is 'Questions, the context they are answered from, and answers with citations.';

grant usage on schema extensions, access, event, contractor, model, chat to concierge_app;
grant usage on schema extensions, access, queue, event, contractor, model, chat to concierge_admin;
grant usage on schema extensions, queue, event to concierge_worker;
grant usage on schema extensions to concierge_owner;

-- A new function is executable by nobody until its file grants it.
alter default privileges for role concierge_owner revoke execute on functions from public;
alter default privileges for role concierge_owner revoke usage on types from public;
