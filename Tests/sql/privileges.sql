-- The whole matrix of privileges: who may what. A grant that is not written down here fails; writing it down is the review.
-- app: concierge_app, worker: concierge_worker (the daemon), admin: concierge_admin (an operator). PUBLIC may nothing.
begin;
select no_plan();

-- As it is, in the words of the lists below.
create function test.grantees(acl aclitem[], owner oid) returns text language sql stable as $$
    select string_agg(distinct replace(case a.grantee when 0 then 'PUBLIC' else a.grantee::regrole::text end, 'concierge_', ''), ' '
        order by replace(case a.grantee when 0 then 'PUBLIC' else a.grantee::regrole::text end, 'concierge_', ''))
    from aclexplode(acl) as a where a.grantee <> owner $$;
-- Lists name roles in the order a request meets them; here they are compared in the alphabet's.
create function test.sorted(roles text) returns text language sql immutable as $$
    select string_agg(r, ' ' order by r) from unnest(string_to_array(roles, ' ')) as r $$;

create view test.schema_grants as
select n.nspname::text as name, test.grantees(n.nspacl, n.nspowner) as roles
from pg_namespace as n where n.nspowner = to_regrole('concierge_owner')::oid;
create view test.relation_grants as
select c.oid::regclass::text as name, test.grantees(c.relacl, c.relowner) as roles
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace and n.nspowner = to_regrole('concierge_owner')::oid;
create view test.routine_grants as
select p.oid::regprocedure as name, test.grantees(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner) as roles
from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace and n.nspowner = to_regrole('concierge_owner')::oid;

-- Usage of schemas.
select bag_eq('select name, roles from test.schema_grants where roles is not null', $$ select name, test.sorted(roles) from (values
    ('access',      'app admin'),
    ('queue',       'worker admin'),
    ('event',       'app worker admin'),
    ('contractor',  'app admin'),
    ('model',       'app admin'),
    ('chat',        'app admin')
) as v (name, roles) $$, 'Schemas: who may look inside');

-- Select. No other privilege on a relation is granted to anyone: see catalogue.sql.
select bag_eq('select name, roles from test.relation_grants where roles is not null', $$ select name, test.sorted(roles) from (values
    ('access.tenants',                            'app admin'),
    ('access.people',                             'app admin'),
    ('access.audit_log',                          'admin'),
    ('queue.job',                                 'admin'),
    ('queue.refresh',                             'admin'),
    ('event.events',                              'app admin'),
    ('event.event_days',                          'app admin'),
    ('event.rooms',                               'app admin'),
    ('event.tracks',                              'app admin'),
    ('event.event_speakers',                      'app admin'),
    ('event.speakers',                            'app admin'),
    ('event.session_speakers',                    'app admin'),
    ('event.event_sponsors',                      'app admin'),
    ('event.dirty_marks',                         'admin'),
    ('event.refresh_state',                       'admin'),
    ('event.event_attendees',                     'app admin'),
    ('event.session_details',                     'app'),
    ('event.tenant_sessions',                     'app'),
    ('event.cached_sessions',                     'app'),
    ('event.v_recos_next_sessions',               'app'),
    ('contractor.contractors',                    'app admin'),
    ('contractor.strategic_partners',             'app admin'),
    ('contractor.contractor_action_items',        'app admin'),
    ('contractor.event_notes',                    'app admin'),
    ('contractor.follow_ups',                     'app admin'),
    ('chat.message_patterns',                     'admin')
) as v (name, roles) $$, 'Tables and views: who may read, under row-level security');

-- Execute.
select bag_eq('select name, roles from test.routine_grants where roles is not null', $$ select name::regprocedure, test.sorted(roles) from (values
    ('access.clock()',                                                                                'app worker admin'),
    ('access.create_person(text,text,text,text[],text)',                                              'admin'),
    ('access.create_tenant(text,text)',                                                               'admin'),
    ('access.create_token_key(text,bytea,text)',                                                      'admin'),
    ('access.disable_person(text,text,bool)',                                                         'admin'),
    ('access.disable_tenant(text,bool)',                                                              'admin'),
    ('access.has_role(text[])',                                                                       'app admin'),
    ('access.issue_token(text,text,interval)',                                                        'admin'),
    ('access.me()',                                                                                   'app admin'),
    ('access.person_id()',                                                                            'app admin'),
    ('access.refuse(text,text,text,text)',                                                            'app worker admin'),
    ('access.require_role(text[])',                                                                   'app admin'),
    ('access.retire_token_key(text)',                                                                 'admin'),
    ('access.sign_in(text,bool)',                                                                     'app admin'),
    ('access.tenant_id()',                                                                            'app admin'),
    ('access.token_identity(text)',                                                                   'app admin'),
    ('access.whoami()',                                                                               'app admin'),
    ('queue.cancel(bigint)',                                                                          'admin'),
    ('queue.channels()',                                                                              'worker admin'),
    ('queue.claim(text,text[],int,interval)',                                                         'worker'),
    ('queue.extend(bigint,bigint,interval)',                                                          'worker'),
    ('queue.fail(bigint,bigint,text)',                                                                'worker'),
    ('queue.finish(bigint,bigint,jsonb)',                                                             'worker'),
    ('queue.look(text[])',                                                                            'worker admin'),
    ('queue.retry(bigint)',                                                                           'admin'),
    ('event.cache_is_exact(uuid,timestamptz)',                                                        'app'),
    ('event.event_id(text)',                                                                          'app'),
    ('event.current_sessions(uuid,text)',                                                             'app'),
    ('event.explain_part(double precision)',                                                          'app'),
    ('event.explain_score(real[],double precision)',                                                  'app'),
    ('event.explain_sum(text[],real[],real[],double precision)',                                      'app'),
    ('event.import_exhibition(uuid,jsonb)',                                                           'app'),
    ('event.import_schedule(text,text,text)',                                                         'app'),
    ('event.match_labels()',                                                                          'app'),
    ('event.match_listed(text,text[])',                                                               'app'),
    ('event.match_score(contractor.feature_set,event.tag_set)',                                       'app'),
    ('event.match_signals(contractor.feature_set,event.tag_set)',                                     'app'),
    ('event.match_weights()',                                                                         'app'),
    ('event.rank_sessions(uuid,contractor.feature_set,int,text[],extensions.vector)',                      'app'),
    ('event.rank_sponsors(uuid,contractor.feature_set,int,text,extensions.vector)',                        'app'),
    ('event.recommend_sessions(uuid,uuid,int,text,text)',                                             'app'),
    ('event.refresh(bool)',                                                                           'worker admin'),
    ('event.refresh_due_in()',                                                                        'worker admin'),
    ('event.refresh_sessions()',                                                                      'worker admin'),
    ('event.require(uuid)',                                                                           'app'),
    ('event.session_tags(uuid)',                                                                      'app'),
    ('event.sessions_at(uuid,timestamptz,bool)',                                                      'app'),
    ('event.sessions_next(uuid)',                                                                     'app'),
    ('event.sessions_now(uuid)',                                                                      'app'),
    ('event.sponsor_shortlist(uuid,uuid,int,text,text)',                                              'app'),
    ('event.status(uuid)',                                                                            'app'),
    ('event.status_at(timestamptz,timestamptz,int,timestamptz)',                                      'app'),
    ('event.tags_of(event.cached_sessions)',                                                          'app'),
    ('event.weigh_signals(real[])',                                                                   'app'),
    ('contractor.capture_event_note(uuid,uuid,text,text,uuid)',                                       'app'),
    ('contractor.contractor_features(uuid)',                                                          'app'),
    ('contractor.contractor_id(text)',                                                                'app'),
    ('contractor.create_action_item(uuid,uuid,text,text,text,timestamptz)',                           'app'),
    ('contractor.features(uuid)',                                                                     'app'),
    ('contractor.features_of(contractor.contractors)',                                                'app'),
    ('contractor.import_contractors(jsonb)',                                                          'app'),
    ('contractor.own_ids()',                                                                          'app'),
    ('contractor.partner_match(uuid,int)',                                                            'app'),
    ('contractor.require(uuid)',                                                                      'app'),
    ('contractor.schedule_followup(uuid,uuid,text,timestamptz,text)',                                 'app'),
    ('contractor.segment(int)',                                                                       'app'),
    ('contractor.update_action_item_status(uuid,text,text)',                                          'app'),
    ('model.answer_offline(text,jsonb)',                                                              'app'),
    ('model.citations(text,jsonb)',                                                                   'app'),
    ('model.embed_offline(text)',                                                                     'app admin'),
    ('chat."normalize"(text)',                                                                        'app'),
    ('chat.ask(text,uuid,uuid)',                                                                      'app'),
    ('chat.best_pattern(text,text)',                                                                  'app'),
    ('chat.classify(text)',                                                                           'app'),
    ('chat.context(uuid,uuid,text)',                                                                  'app'),
    ('chat.intent(text)',                                                                             'app'),
    ('chat.topic(text)',                                                                              'app')
) as v (name, roles) $$, 'Functions: who may call');

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
left join test.routine_grants as g on g.name::oid = v.name::regproc::oid;

select * from finish();
rollback;
