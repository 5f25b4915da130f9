-- What tests need to act as somebody at some time. In every test database, in no real one.
create schema test;
grant usage on schema test to concierge_app, concierge_worker, concierge_admin;

-- Everything after it in the transaction is done as this person, under row-level security.
create function test.act_as(tenant text, subject text) returns void language plpgsql as $$
begin
    perform set_config('role', 'none', true);
    perform set_config('request.jwt', access.issue_token(tenant, subject), true);
    perform set_config('role', 'concierge_app', true);
end
$$;

-- Back to the superuser who runs the test; nobody is signed in.
create function test.act_as_superuser() returns void language plpgsql as $$
begin
    perform set_config('role', 'none', true);
    perform set_config('request.jwt', '', true);
end
$$;

create function test.freeze(at timestamptz) returns void language plpgsql as $$
begin
    perform set_config('concierge.clock', at::text, true);
end
$$;

-- Two tenants that must not see each other, each with an organizer, an attendee and an event called "fair".
-- The fair: 2027-05-03 and 04 in Europe/Berlin, 09:00 to 18:00; sessions are added by the tests.
create function test.add_tenant(slug text) returns void language plpgsql as $$
declare
    v_tenant_id uuid := access.create_tenant(slug, initcap(slug));
    v_person_id uuid;
begin
    perform access.create_person(slug, 'olga', 'Olga Organizer', '{organizer}');
    perform access.create_person(slug, 'sam', 'Sam Service', '{service}');
    perform access.create_person(slug, 'bert', 'Bert Bystander');
    v_person_id := access.create_person(slug, 'anna', 'Anna Attendee');

    insert into contractor.contractors (tenant_id, person_id, key, name, goal, role, revenue_band, team_size, region, tech_stack, preferred_tracks, profile, embedding)
    values (v_tenant_id, v_person_id, 'anna', 'Anna Attendee', 'adopt-technology', 'owner', '1m-5m', 8, 'mountain',
        '{jobber}', '{tools}', 'Scheduling software and estimating tools for a small crew',
        model.embed_offline('Scheduling software and estimating tools for a small crew'));

    insert into event.events (tenant_id, slug, title, time_zone, starts_at, ends_at)
    values (v_tenant_id, 'fair', 'Fair of ' || slug, 'Europe/Berlin', '2027-05-03 09:00+02', '2027-05-04 18:00+02');
    insert into event.rooms (event_id, tenant_id, name, zone)
    select e.event_id, e.tenant_id, r.name, r.zone from event.events as e, (values ('Red', 'A'), ('Blue', 'B')) as r (name, zone)
    where e.tenant_id = v_tenant_id;
    insert into event.tracks (event_id, tenant_id, name)
    select e.event_id, e.tenant_id, t from event.events as e, unnest(array['Tools', 'People']) as t where e.tenant_id = v_tenant_id;
    insert into event.event_attendees (event_id, contractor_id, tenant_id)
    select e.event_id, c.contractor_id, e.tenant_id from event.events as e join contractor.contractors as c using (tenant_id) where e.tenant_id = v_tenant_id;
end
$$;

create function test.add_session(tenant text, title text, starts timestamptz, ends timestamptz, track text default 'Tools', room text default 'Red')
    returns uuid language sql as $$
    insert into event.event_speakers (tenant_id, event_id, source_key, session_title, session_start, session_end, track, room, embedding)
    select e.tenant_id, e.event_id, add_session.title, add_session.title, starts, ends, add_session.track, add_session.room,
        model.embed_offline(add_session.title)
    from event.events as e join access.tenants as t using (tenant_id) where t.slug = tenant and e.slug = 'fair'
    returning session_id
$$;

create function test.event(tenant text) returns uuid language sql as $$
    select e.event_id from event.events as e join access.tenants as t using (tenant_id) where t.slug = tenant and e.slug = 'fair'
$$;

create function test.contractor(tenant text) returns uuid language sql as $$
    select c.contractor_id from contractor.contractors as c join access.tenants as t using (tenant_id) where t.slug = tenant and c.key = 'anna'
$$;

select access.create_token_key('test-key');
select test.add_tenant('acme'), test.add_tenant('globex');
