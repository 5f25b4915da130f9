-- What one tenant has, another does not see: in no table, through no function, by no id. And within a tenant, what is private.
begin;
select no_plan();

-- Both tenants have a row in every table.
select test.add_session(t, 'Talk', '2027-05-03 10:00+02', '2027-05-03 11:00+02') from unnest(array['acme', 'globex']) as t;
insert into event.event_days (event_id, tenant_id, day_index, date, starts_at, ends_at)
select e.event_id, e.tenant_id, 1, '2027-05-03', e.starts_at, e.ends_at from event.events as e;
insert into event.speakers (tenant_id, event_id, source_key, name) select e.tenant_id, e.event_id, 's', 'Speaker' from event.events as e;
insert into event.session_speakers (session_id, speaker_id, event_id, tenant_id, position)
select s.session_id, p.speaker_id, s.event_id, s.tenant_id, 1 from event.event_speakers as s join event.speakers as p using (event_id);
insert into event.event_sponsors (tenant_id, event_id, key, name, tier) select e.tenant_id, e.event_id, 'nail', 'Nail & Co', 'gold' from event.events as e;
insert into contractor.strategic_partners (tenant_id, key, name, category) select t.tenant_id, 'p', 'Partner', 'software' from access.tenants as t;
insert into contractor.contractors (tenant_id, person_id, key, name)
select p.tenant_id, p.person_id, 'bert', p.name from access.people as p where p.subject = 'bert';
select access.create_token_key('key-' || t, tenant => t) from unnest(array['acme', 'globex']) as t;

create function test.write_private_rows(tenant text) returns void language plpgsql as $$
begin
    perform test.act_as(tenant, 'anna');
    perform test.freeze('2027-05-03 12:00+02');
    perform contractor.create_action_item(contractor.contractor_id('anna'), event.event_id('fair'), 'Ring the roofer', 'k');
    perform contractor.capture_event_note(contractor.contractor_id('anna'), event.event_id('fair'), 'The adhesive needs eight hours', 'k');
    perform contractor.schedule_followup(contractor.contractor_id('anna'), event.event_id('fair'), 'Ring them', '2027-06-01', 'k');
    perform test.act_as_superuser();
end
$$;
select test.write_private_rows('acme'), test.write_private_rows('globex');
select queue.set_schedule(t.slug, '@daily', tenant_id => t.tenant_id) from access.tenants as t;
insert into queue.dead_letter (job_id, tenant_id, kind, payload, priority, rate_units, max_attempts, attempts, token, fault, created_at)
select row_number() over (), t.tenant_id, 'call', '{}', 1, 0, 1, 1, 1, 'item', now() from access.tenants as t;

create table test.things (thing int primary key, name text);
create function test.write_documents(tenant text) returns void language plpgsql as $$
declare
    v_run bigint;
begin
    perform test.act_as(tenant, 'olga');
    perform knowledge.create_workspace('guide', 'Guide');
    perform contractor.import_learning('[{"key": "b", "kind": "book", "title": "B"}]');
    perform knowledge.add_text('guide', 'Title', 'A text of ' || tenant, 'a');
    perform knowledge.set_clearance(p.person_id, 1) from access.people as p where p.subject = 'anna';
    perform knowledge.keep_query_vector('guide', 'q', model.embed_offline('words'));
    perform knowledge.add_site('guide', 'https://example.com/');
    perform evaluation.load_collection('c', 'C', '[{"key": "q", "text": "words"}]', '[{"query": "q", "document": "a", "grade": 1}]');
    v_run := evaluation.start_run('c');
    perform access.set_redaction_rule('badge', 'badge', 'BADGE-[0-9]+');
    perform access.configure_redaction('{badge}');
    perform evaluation.add_results(v_run, '[{"query": "q", "rank": 1, "document": "a", "score": 1}]');
    perform test.act_as_superuser();
    insert into knowledge.watches (workspace_id, tenant_id, relation, name, key_columns, title, content, metadata, audience_id)
    select w.workspace_id, w.tenant_id, 'test.things', 'things', '{1}', '[]', '[]', '{}', (select min(a.audience_id) from knowledge.audiences as a where a.tenant_id = w.tenant_id)
    from knowledge.workspaces as w join access.tenants as t using (tenant_id) where t.slug = write_documents.tenant;
    insert into knowledge.site_pages (site_id, tenant_id, url, depth) select s.site_id, s.tenant_id, 'https://example.com/x', 1
    from knowledge.sites as s join access.tenants as t using (tenant_id) where t.slug = write_documents.tenant;
end
$$;
select test.write_documents('acme'), test.write_documents('globex');

select model.set_provider('test', 'openai', 'http://models.example');
select model.set_model('small', 'generate', 'test');
create function test.ask_a_model(tenant text) returns void language plpgsql as $$
declare
    v_tenant_id uuid := (select t.tenant_id from access.tenants as t where t.slug = tenant);
    v_version   model.agent_versions;
begin
    perform model.set_budget(tenant, 'day', 10), model.reserve(v_tenant_id, 1);
    perform model.close_call(1, jsonb_build_object('model_id', m.model_id, 'origin', jsonb_build_object('tenant_id', v_tenant_id)), '{}') from model.models as m where m.name = 'small';
    perform test.act_as(tenant, 'olga');
    perform model.register_prompt('p', 'Answer.'), model.label_prompt('p', 'production', 1);
    perform model.register_agent('a', 'p', 'small'), model.register_agent('a', 'p', 'small');
    perform model.promote('a', 1);
    perform model.start_rollout('a', 2, '{100}');
    perform test.act_as_superuser();
    v_version := model.version_for(v_tenant_id, 'a', gen_random_uuid());
end
$$;
select test.ask_a_model('acme'), test.ask_a_model('globex');
create function test.talk(tenant text) returns void language plpgsql as $$
begin
    perform test.act_as(tenant, 'olga');
    perform chat.ask(chat.open(workspace => 'guide'), 'A text of what?', 'k0'), chat.consent(true);
    perform test.act_as_superuser();
    insert into chat.known_answers (turn_id, tenant_id, agent_version_id, ground, question_key, codes, embedding, expires_at)
    select h.turn_id, t.tenant_id, a.agent_version_id, sha256(t.slug::bytea), '', '{}', '[1]', now()
    from access.tenants as t join chat.turns as h using (tenant_id) join model.agent_versions as a using (tenant_id) where t.slug = tenant limit 1;
end
$$;
select test.talk('acme'), test.talk('globex');

-- Ids as each tenant's superuser would know them; an attacker may have got hold of them too.
create temp table ids as
select t.slug as tenant, t.tenant_id, e.event_id, c.contractor_id, s.session_id, i.action_item_id, p.person_id, d.document_id, h.conversation_id, h.turn_id
from access.tenants as t
join event.events as e using (tenant_id)
join contractor.contractors as c on c.tenant_id = t.tenant_id and c.key = 'anna'
join event.event_speakers as s on s.tenant_id = t.tenant_id
join contractor.contractor_action_items as i on i.tenant_id = t.tenant_id
join access.people as p on p.tenant_id = t.tenant_id and p.subject = 'anna'
join knowledge.documents as d on d.tenant_id = t.tenant_id
join chat.turns as h on h.tenant_id = t.tenant_id;
grant select on ids to public;

-- A session that is on, in the caches and in the base tables.
select test.add_session(tenant, 'Now', now() - interval '5 minutes', now() + interval '30 minutes') from unnest(array['acme', 'globex']) as tenant;
refresh materialized view event.mv_sessions_now;
create function test.current(tenant text, cached boolean) returns int language sql as $$
    select count(*)::int from ids as i, event.sessions_at(i.event_id, now(), cached) where i.tenant = current.tenant $$;

-- Every table and view with a tenant_id: how many rows a person sees of their own tenant and of others.
create view test.tenant_tables as
select c.oid::regclass as relation, c.relkind, has_table_privilege('concierge_app', c.oid, 'select') as is_read_by_apps
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace and n.nspowner = to_regrole('concierge_owner')::oid
join pg_attribute as a on a.attrelid = c.oid and a.attname = 'tenant_id'
where c.relkind in ('r', 'p', 'v') and not c.relispartition;
grant select on test.tenant_tables to public;

create function test.visible(tenant uuid, out relation regclass, out own bigint, out foreign_rows bigint) returns setof record language plpgsql as $$
begin
    for relation in select t.relation from test.tenant_tables as t where case when current_user = session_user then t.relkind = 'r' else t.is_read_by_apps end loop
        execute format('select count(*) filter (where tenant_id = $1), count(*) filter (where tenant_id is distinct from $1) from %s', relation)
        into own, foreign_rows using tenant;
        return next;
    end loop;
end
$$;

select is_empty($$
    select v.relation, i.tenant from ids as i, test.visible(i.tenant_id) as v
    join test.tenant_tables as t using (relation) where t.relkind = 'r' and (v.own = 0 or v.foreign_rows = 0) $$,
    'The test has rows of both tenants in every table');

create function test.sees_only_its_own(tenant text, subject text) returns setof text language plpgsql as $$
declare
    v record;
begin
    perform test.act_as(tenant, subject);
    for v in select s.* from ids as i, test.visible(i.tenant_id) as s where i.tenant = sees_only_its_own.tenant order by s.relation::text loop
        return next is(v.foreign_rows, 0::bigint, format('%s of %s sees no row of another tenant in %s', subject, tenant, v.relation));
    end loop;
    return next is((select count(*) from ids as i join event.events as e using (event_id) where i.tenant <> sees_only_its_own.tenant), 0::bigint, 'even when asking by id');
    return next is((select count(distinct r.event_id) from event.v_recos_next_sessions as r join ids as i using (event_id) where i.tenant <> sees_only_its_own.tenant), 0::bigint, 'or for recommendations');
    perform test.act_as_superuser();
end
$$;
select test.sees_only_its_own(tenant, subject) from unnest(array['acme', 'globex']) as tenant, unnest(array['anna', 'olga', 'sam']) as subject;

select test.act_as('acme', 'olga');
select is_empty($$
    select v.relation from ids as i, test.visible(i.tenant_id) as v where i.tenant = 'acme' and v.own = 0
        and v.relation <> 'event.cached_sessions'::regclass $$,
    'An organizer sees rows of their own in every table: the silence above is not for want of privileges');

-- By id: every function an app may call with an id, called with another tenant's. Refused by code, as an id that does not exist
-- is refused; the two cannot be told apart.
select test.act_as_superuser();
create temp table calls (code text, statement text);
insert into calls values
    ('QC201', 'select event.require({event})'),
    ('QC201', 'select event.status({event})'),
    ('QC201', 'select * from event.current_sessions({event}, ''now'')'),
    ('QC201', 'select * from event.sessions_now({event})'),
    ('QC201', 'select * from event.sessions_next({event})'),
    ('QC201', 'select * from event.recommend_sessions({event}, {mine})'),
    ('QC202', 'select * from event.recommend_sessions({my event}, {contractor})'),
    ('QC201', 'select * from event.sponsor_shortlist({event}, {mine})'),
    ('QC202', 'select * from event.sponsor_shortlist({my event}, {contractor})'),
    ('QC206', 'select event.session_tags({session})'),
    ('QC201', 'select event.import_exhibition({event}, ''{}'')'),
    ('QC202', 'select contractor.require({contractor})'),
    ('QC202', 'select contractor.require({contractor})'),
    ('QC202', 'select contractor.contractor_features({contractor})'),
    ('QC202', 'select contractor.features({contractor})'),
    ('QC202', 'select * from contractor.partner_match({contractor})'),
    ('QC201', 'select chat.context({event}, {mine})'),
    ('QC202', 'select chat.context({my event}, {contractor})'),
    ('QC202', 'select * from contractor.learning({contractor})'),
    ('QC202', 'select * from contractor.action_plan({contractor}, {my event})'),
    ('QC201', 'select * from contractor.action_plan({mine}, {event})'),
    ('QC201', 'select chat.open(event_id => {event}, contractor_id => {mine})'),
    ('QC202', 'select chat.open(event_id => {my event}, contractor_id => {contractor})'),
    ('QC235', 'select chat.ask({conversation}, ''What is next?'', ''k1'')'),
    ('QC235', 'select chat.history({conversation})'),
    ('QC236', 'select chat.turn({turn})'),
    ('QC236', 'select chat.draft({turn})'),
    ('QC236', 'select chat.cancel({turn})'),
    ('QC236', 'select chat.rate({turn}, 1)'),
    ('QC202', 'select contractor.create_action_item({contractor}, {my event}, ''t'', ''c1'')'),
    ('QC201', 'select contractor.create_action_item({mine}, {event}, ''t'', ''c2'')'),
    ('QC207', 'select contractor.update_action_item_status({item}, ''done'', ''c3'')'),
    ('QC202', 'select contractor.capture_event_note({contractor}, {my event}, ''It is dry'', ''c4'')'),
    ('QC201', 'select contractor.capture_event_note({mine}, {event}, ''It is dry'', ''c5'')'),
    ('QC206', 'select contractor.capture_event_note({mine}, {my event}, ''It is dry'', ''c6'', {session})'),
    ('QC202', 'select contractor.schedule_followup({contractor}, {my event}, ''m'', ''2028-01-01'', ''c7'')'),
    ('QC201', 'select contractor.schedule_followup({mine}, {event}, ''m'', ''2028-01-01'', ''c8'')'),
    ('QC202', 'select knowledge.set_clearance({person}, 1)'),
    ('QC224', 'select knowledge.add_text(''guide'', ''t'', ''c'', parent_id => {document})'),
    ('QC224', 'select knowledge.add_file(''guide'', ''t.txt'', ''c'', parent_id => {document})');
grant select on calls to public;

-- Functions that rank what another function has let through, or tell nothing of a tenant.
select set_eq($$
    select split_part(p.oid::regprocedure::text, '(', 1) from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace and n.nspowner = to_regrole('concierge_owner')::oid
    where has_function_privilege('concierge_app', p.oid, 'execute') and 'uuid'::regtype = any (p.proargtypes) and p.prokind = 'f'
        and split_part(p.oid::regprocedure::text, '(', 1) not in ('event.cache_is_exact', 'event.sessions_at', 'event.rank_sessions', 'event.rank_sponsors', 'knowledge.remove_document') $$,
    $$ select distinct substring(statement from '(?:select|from) ([a-z_]+\.[a-z_]+)\(') from calls $$,
    'Every function that takes an id is in the list');

create function test.fill(statement text, mine text, theirs text) returns text language sql as $$
    select replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(statement,
        '{my event}', quote_literal(m.event_id)), '{mine}', quote_literal(m.contractor_id)),
        '{event}',      quote_literal(coalesce(t.event_id, u.nowhere))),
        '{contractor}', quote_literal(coalesce(t.contractor_id, u.nowhere))),
        '{session}',    quote_literal(coalesce(t.session_id, u.nowhere))),
        '{item}',       quote_literal(coalesce(t.action_item_id, u.nowhere))),
        '{person}',     quote_literal(coalesce(t.person_id, u.nowhere))),
        '{document}',   quote_literal(coalesce(t.document_id, u.nowhere))),
        '{conversation}', quote_literal(coalesce(t.conversation_id, u.nowhere))),
        '{turn}',       quote_literal(coalesce(t.turn_id, u.nowhere)))
    from ids as m
    left join ids as t on t.tenant = theirs
    cross join (select '00000000-0000-4000-8000-000000000000'::uuid as nowhere) as u
    where m.tenant = mine $$;

select test.act_as('acme', 'olga');
select throws_ok(test.fill(statement, 'acme', 'globex'), code::char(5), null, 'With an id of globex, acme''s organizer gets no data: ' || statement) from calls;
select throws_ok(test.fill(statement, 'acme', 'none'), code::char(5), null, 'An id of nobody is refused the same way: ' || statement) from calls;
select is(knowledge.remove_document('guide', document_id), false, 'Another tenant''s document is not there to be removed') from ids where tenant = 'globex';
select test.act_as('globex', 'sam');
select throws_ok(test.fill(statement, 'globex', 'acme'), case when statement ~ 'set_clearance' then 'QC405' else code end::char(5), null, 'With an id of acme, globex'' service gets no data: ' || statement) from calls where statement !~ 'import_';
select is(test.current('globex', cached), 1, format('The session that is on, cached: %s', cached)) from unnest('{t,f}'::boolean[]) as cached;
select is(test.current('acme', cached), 0, format('Another tenant''s is not shown, cached: %s', cached)) from unnest('{t,f}'::boolean[]) as cached;
select set_config('concierge.clock', '', true);
select is((select count(*) from event.rank_sessions((select event_id from ids where tenant = 'globex'), null, 12, '{now,next}', null))::int, 1, 'Ranking one''s own');
select is((select count(*) from event.rank_sessions((select event_id from ids where tenant = 'acme'), null, 12, '{now,next}', null))::int, 0, 'Ranking another tenant''s sessions ranks nothing');
select is((select count(*) from event.rank_sponsors((select event_id from ids where tenant = 'acme'), null, 12, null, null))::int, 0, 'Ranking another tenant''s sponsors ranks nothing');
select test.act_as('acme', 'anna');
select is(contractor.contractor_id('anna'), (select contractor_id from ids where tenant = 'acme'), 'A key both tenants use names one''s own');
select is(event.event_id('fair'), (select event_id from ids where tenant = 'acme'), 'So does a slug');

-- Within a tenant: what a contractor promised, noted or wants to be told is theirs, and the organizers'.
select test.act_as('acme', 'bert');
select is_empty('select * from contractor.' || t, 'An attendee does not see another''s ' || t) from unnest(array['contractor_action_items', 'event_notes', 'follow_ups']) as t;
select results_eq('select subject from access.people', array['bert'], 'nor other people''s e-mail addresses');
select throws_ok(format('select contractor.create_action_item(%L, %L, ''t'', ''k'')', contractor_id, event_id), 'QC405', null, 'Nobody makes an action item for another') from ids where tenant = 'acme';
select throws_ok(format('select contractor.update_action_item_status(%L, ''done'', ''k'')', action_item_id), 'QC405', null, 'nor finishes theirs') from ids where tenant = 'acme';
select throws_ok(format('select contractor.capture_event_note(%L, %L, ''It is dry'', ''k'')', contractor_id, event_id), 'QC405', null, 'nor takes notes for them') from ids where tenant = 'acme';
select throws_ok(format('select contractor.schedule_followup(%L, %L, ''m'', ''2028-01-01'', ''k'')', contractor_id, event_id), 'QC405', null, 'nor writes to their inbox') from ids where tenant = 'acme';
select throws_ok(format('select chat.open(event_id => %L, contractor_id => %L)', event_id, contractor_id), 'QC405', null, 'nor asks in their name') from ids where tenant = 'acme';
select throws_ok(format('select event.import_exhibition(%L, ''{}'')', event_id), 'QC405', null, 'An attendee imports no exhibition') from ids where tenant = 'acme';
select throws_ok('select event.import_schedule(''{}'')', 'QC405', null, 'nor a schedule');
select throws_ok('select contractor.import_contractors(''{}'')', 'QC405', null, 'nor contractors');
select test.act_as('acme', 'anna');
select is((select count(*) from contractor.contractor_action_items)::int, 1, 'Contractors see their own');
select test.act_as('acme', 'olga');
select is((select count(*) from contractor.event_notes)::int, 1, 'An organizer sees everyone''s of the tenant');
select lives_ok(format('select contractor.update_action_item_status(%L, ''done'', ''k'')', action_item_id), 'and acts for them') from ids where tenant = 'acme';
select test.act_as('acme', 'sam');
select is((select count(*) from contractor.follow_ups)::int, 1, 'So does the service that speaks for attendees');
select throws_ok(format('select event.import_exhibition(%L, ''{}'')', event_id), 'QC405', null, 'which imports nothing, though') from ids where tenant = 'acme';

-- Nobody below the owner writes to a table.
select test.act_as_superuser();
create function test.writes_not_refused(role text) returns setof text language plpgsql as $$
declare
    v_statement text;
begin
    perform set_config('role', role, true);
    for v_statement in select s from test.all_tables as t, unnest(array[
        format('insert into %s default values', t.relation), format('update %s set %I = default', t.relation, t.col),
        format('delete from %s', t.relation), format('truncate %s cascade', t.relation), format('lock table %s in exclusive mode', t.relation)]) as s loop
        begin
            execute v_statement;
            return next v_statement;
        exception
            when insufficient_privilege then null;
            when others then return next format('%s: %s', v_statement, sqlstate);
        end;
    end loop;
    perform set_config('role', 'none', true);
end
$$;
create view test.all_tables as
select c.oid::regclass as relation, a.attname as col
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace and n.nspowner = to_regrole('concierge_owner')::oid
join pg_attribute as a on a.attrelid = c.oid and a.attnum = 1
where c.relkind in ('r', 'p');
grant select on test.all_tables to public;
select ok((select count(*) from test.all_tables) > 20, 'All tables are tried');
select is_empty(format('select * from test.writes_not_refused(%L)', role), role || ' may write to no table, nor lock one') from unnest(array['concierge_app', 'concierge_worker', 'concierge_admin']) as role;
set local role concierge_worker;
select throws_ok('select * from ' || t, '42501', null, 'The daemon reads no table: ' || t) from unnest(array['queue.job', 'queue.refresh', 'event.events', 'event.mv_sessions_now']) as t;
set local role concierge_app;
select throws_ok('select * from ' || t, '42501', null, 'Apps do not read ' || t)
from unnest(array['access.token_keys', 'access.idempotency_keys', 'access.audit_log', 'queue.job', 'event.mv_sessions_now', 'event.mv_sessions_next_60', 'event.dirty_marks', 'chat.message_patterns']) as t;
set local role concierge_admin;
select throws_ok('select * from access.token_keys', '42501', null, 'Not even an operator reads keys');
reset role;

-- The clock of a session counts for an operator's login, and for nobody else's.
create role test_login_app login in role concierge_app;
create role test_login_admin login in role concierge_admin, concierge_app;
create temp table tokens as select access.issue_token('acme', 'anna') as token;
grant select on tokens to public;
select set_config('concierge.clock', '', true);
set local session authorization test_login_app;
select access.sign_in(token) from tokens;
select set_config('concierge.clock', '2027-05-03 12:00+02', true);
select is(access.clock(), now(), 'An app sets its clock in vain');
select is(event.status(event.event_id('fair')), 'pre_event', 'The event has not begun for it');
select throws_ok(format('select contractor.create_action_item(%L, %L, ''t'', ''early'')', contractor_id, event_id), 'QC410', null, 'and it makes no action item') from ids where tenant = 'acme';
select throws_ok('set role concierge_admin', '42501', null, 'It cannot become an operator');
select throws_ok('set role concierge_owner', '42501', null, 'nor the owner');
select throws_ok($$ select access.issue_token('globex', 'olga') $$, '42501', null, 'nor issue a token');
select throws_ok($$ select access.create_person('acme', 'anna', 'Anna', '{organizer}') $$, '42501', null, 'nor give itself a role');
select set_config('concierge.clock', 'no time at all', true);
select is(access.clock(), now(), 'Nonsense in it does no harm');
reset session authorization;
set local session authorization test_login_admin;
select set_config('concierge.clock', '2027-05-03 12:00+02', true);
select is(access.clock(), '2027-05-03 12:00+02'::timestamptz, 'An operator sets the clock');
set local role concierge_app;
select access.sign_in(token) from tokens;
select is(event.status(event.event_id('fair')), 'during_event', 'and replays a day, acting as an app');
reset session authorization;

select * from finish();
rollback;
