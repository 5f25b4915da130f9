-- Who asks and who answers where turns are the matter: everything a turn can go through costs a call of a model, the vector of
-- the question, a plan, a plan that holds, an answer, an answer that stands up; and in between an action is taken.
select access.create_token_key('faults');
select access.create_tenant('acme', 'Acme');
select access.create_person('acme', 'olga', 'Olga', '{organizer}');

insert into contractor.contractors (tenant_id, person_id, key, name, goal)
select p.tenant_id, p.person_id, 'olga', 'Olga', 'adopt-technology' from access.people as p;
insert into event.events (tenant_id, slug, title, time_zone, starts_at, ends_at)
select t.tenant_id, 'fair', 'Fair', 'UTC', now() - interval '1 day', now() + interval '1 day' from access.tenants as t;
insert into event.event_speakers (tenant_id, event_id, source_key, session_title, session_start, session_end)
select e.tenant_id, e.event_id, 'crews', 'Crews talk', now() - interval '1 hour', now() + interval '5 hours' from event.events as e;
insert into event.event_attendees (event_id, contractor_id, tenant_id)
select e.event_id, c.contractor_id, e.tenant_id from event.events as e join contractor.contractors as c using (tenant_id);

select model.set_provider('scripted', 'openai', current_setting('fault.url'));
select model.set_model(m, 'generate', 'scripted') from unnest(array['talker', 'planner']) as m;
select model.set_model('embedder', 'embed', 'scripted');
select model.set_price(m.name, m.purpose, k, 1000, '2026-01-01')
from model.models as m, unnest(array['input', 'output']) as k where m.name in ('talker', 'planner', 'embedder');
select model.set_budget('acme', 'day', 100000);
select queue.configure(breaker_pause => '50 ms', breaker_longest => '200 ms');

-- Signed in as olga.
select access.sign_in(access.issue_token('acme', 'olga', '10 hours'), for_session => true);
select knowledge.create_workspace('docs', 'Docs', '{}', 'embedder', 4);
select knowledge.add_text('docs', 'Crews', 'A crew of four lays a floor in a day.', 'crews');
select model.register_prompt('host', 'You are the host.', '{}'), model.label_prompt('host', 'production', 1);
select model.register_agent('host', 'host', 'talker', '{"max_tokens": 100}', '{create_action_item}', planner => 'planner');
select model.promote('host', 1);
