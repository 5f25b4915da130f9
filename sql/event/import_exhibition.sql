-- Everything about an event that a schedule file does not say: who pays, who is there. Re-run =
-- update, by key.
create or replace function event.check_exhibition(document jsonb)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_problem record;
begin
    if document is null then
        perform access.refuse('22004', 'a document is required', 'Pass the exhibition as a JSON object.');
    elsif jsonb_typeof(document) <> 'object' then
        perform access.refuse('QC205', 'the exhibition is not a JSON object',
            'It has the keys sponsors, rooms, partners, contractors and attendees, each an array.');
    end if;

    with known (list, field, kind) as (
        values ('sponsors', 'key', 'text'), ('sponsors', 'name', 'text'), ('sponsors', 'tier', 'text'),
            ('sponsors', 'booth', 'text'), ('sponsors', 'booth_zone', 'text'),
            ('sponsors', 'topics', 'an array of texts'), ('sponsors', 'offers', 'an array'),
            ('sponsors', 'description', 'text'), ('sponsors', 'url', 'text'),
            ('rooms', 'name', 'text'), ('rooms', 'zone', 'text'),
            ('partners', 'key', 'text'), ('partners', 'name', 'text'), ('partners', 'category', 'text'),
            ('partners', 'goals', 'an array of texts'), ('partners', 'regions', 'an array of texts'),
            ('partners', 'topics', 'an array of texts'), ('partners', 'description', 'text'),
            ('contractors', 'key', 'text'), ('contractors', 'name', 'text'),
            ('contractors', 'company', 'text'),
            ('contractors', 'goal', 'text'), ('contractors', 'role', 'text'),
            ('contractors', 'revenue_band', 'text'), ('contractors', 'team_size', 'a whole number'),
            ('contractors', 'region', 'text'), ('contractors', 'tech_stack', 'an array of texts'),
            ('contractors', 'preferred_tracks', 'an array of texts'), ('contractors', 'profile', 'text')
    ), lists (list, item_kind, value) as (
        select l.list, l.item_kind, nullif(document -> l.list, 'null')
        from (values ('sponsors', 'an object'), ('rooms', 'an object'), ('partners', 'an object'),
                ('contractors', 'an object'), ('attendees', 'text'))
            as l (list, item_kind)
    ), items as (
        select l.list, l.item_kind, i.item, i.n, coalesce(i.item ->> 'key', i.item ->> 'name') as key
        from lists as l
        cross join lateral jsonb_array_elements(
            case when jsonb_typeof(l.value) = 'array' then l.value else '[]' end)
            with ordinality as i (item, n)
    ), expected (path, kind, value, n) as (
        select l.list, 'an array', l.value, 0 from lists as l where l.value is not null
        union all
        select format('%s[%s]', i.list, i.n - 1), i.item_kind, i.item, i.n from items as i
        union all
        select format('%s[%s].%s', i.list, i.n - 1, k.field), k.kind, i.item -> k.field, i.n
        from items as i join known as k using (list)
        where i.item -> k.field <> 'null'
    )
    select p.path, p.problem into v_problem
    from (
        select e.path, format('%s is expected, not %s', e.kind, left(e.value::text, 50)) as problem, e.n
        from expected as e
        where not case e.kind
            when 'an object'         then jsonb_typeof(e.value) = 'object'
            when 'an array'          then jsonb_typeof(e.value) = 'array'
            when 'an array of texts' then jsonb_typeof(e.value) = 'array'
                and not jsonb_path_exists(e.value, 'strict $[*] ? (@.type() != "string")', silent => true)
            when 'a whole number'    then e.value::text ~ '^-?[0-9]{1,9}$'
            else jsonb_typeof(e.value) in ('string', 'number')
        end
        union all
        select format('%s[%s]', i.list, max(i.n) - 1), format('"%s" is there twice', i.key), max(i.n)
        from items as i
        where i.key is not null
        group by i.list, i.key
        having count(*) > 1
    ) as p
    order by p.n
    limit 1;

    if v_problem.problem is not null then
        perform access.refuse('QC204',
            format('the exhibition is malformed at %s: %s', v_problem.path, v_problem.problem),
            'Nothing was changed. Correct the document and import it whole.');
    end if;
end
$$;

comment on function event.check_exhibition(jsonb) is
    'Refuses (22004, QC204 with the path, QC205) an exhibition that cannot be read.';
-- Granted to nobody: the imports use it as the owner.

create or replace function event.import_exhibition(event_id uuid, document jsonb)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_event    event.events;
    v_unknown  text;
    v_counts   jsonb := '{}'::jsonb;
    v_count    bigint;
begin
    perform access.require_role('organizer');
    v_event := event.require(import_exhibition.event_id);
    perform event.check_exhibition(import_exhibition.document);

    insert into event.event_sponsors as s (
        tenant_id, event_id, key, name, tier, booth, booth_zone, topics, offers, description, url, embedding)
    select v_event.tenant_id, v_event.event_id, i.key, i.name, i.tier, i.booth, i.booth_zone,
        event.lower_words(i.topics), coalesce(i.offers, '[]'), i.description, i.url,
        model.embed_offline(concat_ws(' ',
            array_to_string(i.topics, ' '), i.description, i.offers #>> '{}'))
    from jsonb_to_recordset(coalesce(nullif(import_exhibition.document -> 'sponsors', 'null'), '[]')) as i (
        key text, name text, tier text, booth text, booth_zone text, topics text[], offers jsonb,
        description text, url text)
    on conflict (event_id, key) do update
        set name = excluded.name, tier = excluded.tier, booth = excluded.booth,
            booth_zone = excluded.booth_zone, topics = excluded.topics, offers = excluded.offers,
            description = excluded.description, url = excluded.url, embedding = excluded.embedding
        where (s.name, s.tier, s.booth, s.booth_zone, s.topics, s.offers, s.description, s.url)
            is distinct from (excluded.name, excluded.tier, excluded.booth, excluded.booth_zone,
                excluded.topics, excluded.offers, excluded.description, excluded.url);
    get diagnostics v_count = row_count;
    v_counts := v_counts || jsonb_build_object('sponsors', v_count);

    insert into event.rooms as r (event_id, tenant_id, name, zone)
    select v_event.event_id, v_event.tenant_id, i.name, i.zone
    from jsonb_to_recordset(coalesce(nullif(import_exhibition.document -> 'rooms', 'null'), '[]'))
        as i (name text, zone text)
    on conflict (event_id, name) do update set zone = excluded.zone
        where r.zone is distinct from excluded.zone;
    get diagnostics v_count = row_count;
    v_counts := v_counts || jsonb_build_object('rooms', v_count)
        || contractor.import_contractors(import_exhibition.document);

    select min(a.key) into v_unknown
    from jsonb_array_elements_text(
        coalesce(nullif(import_exhibition.document -> 'attendees', 'null'), '[]')) as a (key)
    where not exists (
        select from contractor.contractors as c where c.tenant_id = v_event.tenant_id and c.key = a.key);
    if v_unknown is not null then
        perform access.refuse('QC202', format('there is no contractor "%s"', v_unknown),
            'Every attendee is named among the contractors, here or in an earlier import.');
    end if;
    insert into event.event_attendees (event_id, contractor_id, tenant_id)
    select v_event.event_id, c.contractor_id, v_event.tenant_id
    from contractor.contractors as c
    where c.tenant_id = v_event.tenant_id
        and c.key in (select jsonb_array_elements_text(
            coalesce(nullif(import_exhibition.document -> 'attendees', 'null'), '[]')))
    on conflict do nothing;
    get diagnostics v_count = row_count;
    return v_counts || jsonb_build_object('attendees', v_count);
end
$$;

comment on function event.import_exhibition(uuid, jsonb) is
    'Adds or updates an event''s sponsors, room zones and attendees and the tenant''s partners and
contractors, from an object with the arrays sponsors, rooms, partners, contractors, attendees (keys of
contractors). Returns how many rows of each were written.
Errors: 22004 null, QC201 event, QC202 an attendee who is no contractor, QC204 or QC205 malformed, QC405 not
an organizer, 23502 or 23514 a field missing or out of range.';

grant execute on function event.import_exhibition(uuid, jsonb) to concierge_app;

create or replace function contractor.import_contractors(document jsonb)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_tenant_id   uuid := access.tenant_id();
    v_partners    bigint;
    v_contractors bigint;
begin
    perform access.require_role('organizer');
    perform event.check_exhibition(document);

    insert into contractor.strategic_partners as p (
        tenant_id, key, name, category, goals, regions, topics, description, embedding)
    select v_tenant_id, i.key, i.name, i.category, event.lower_words(i.goals), event.lower_words(i.regions),
        event.lower_words(i.topics), i.description,
        model.embed_offline(concat_ws(' ', i.category,
            array_to_string(i.topics, ' '), array_to_string(i.goals, ' '), i.description))
    from jsonb_to_recordset(coalesce(nullif(document -> 'partners', 'null'), '[]')) as i (
        key text, name text, category text, goals text[], regions text[], topics text[], description text)
    on conflict (tenant_id, key) do update
        set name = excluded.name, category = excluded.category, goals = excluded.goals,
            regions = excluded.regions, topics = excluded.topics,
            description = excluded.description, embedding = excluded.embedding
        where (p.name, p.category, p.goals, p.regions, p.topics, p.description)
            is distinct from (excluded.name, excluded.category, excluded.goals, excluded.regions,
                excluded.topics, excluded.description);
    get diagnostics v_partners = row_count;

    -- A contractor signs in as the person whose subject is their key, once there is one.
    insert into contractor.contractors as c (
        tenant_id, person_id, key, name, company, goal, role, revenue_band, team_size, region,
        tech_stack, preferred_tracks, profile, embedding)
    select v_tenant_id,
        (select p.person_id from access.people as p where p.tenant_id = v_tenant_id and p.subject = i.key),
        i.key, i.name, i.company, lower(i.goal), lower(i.role), lower(i.revenue_band), i.team_size,
        lower(i.region),
        event.lower_words(i.tech_stack), event.lower_words(i.preferred_tracks), i.profile,
        model.embed_offline(concat_ws(' ', i.goal, array_to_string(i.tech_stack, ' '), i.profile))
    from jsonb_to_recordset(coalesce(nullif(document -> 'contractors', 'null'), '[]')) as i (
        key text, name text, company text, goal text, role text, revenue_band text, team_size int,
        region text, tech_stack text[], preferred_tracks text[], profile text)
    on conflict (tenant_id, key) do update
        set person_id = coalesce(excluded.person_id, c.person_id), name = excluded.name,
            company = excluded.company, goal = excluded.goal, role = excluded.role,
            revenue_band = excluded.revenue_band, team_size = excluded.team_size, region = excluded.region,
            tech_stack = excluded.tech_stack, preferred_tracks = excluded.preferred_tracks,
            profile = excluded.profile, embedding = excluded.embedding, updated_at = now()
        where (c.person_id, c.name, c.company, c.goal, c.role, c.revenue_band, c.team_size, c.region,
                c.tech_stack, c.preferred_tracks, c.profile)
            is distinct from (coalesce(excluded.person_id, c.person_id), excluded.name, excluded.company,
                excluded.goal, excluded.role, excluded.revenue_band, excluded.team_size, excluded.region,
                excluded.tech_stack, excluded.preferred_tracks, excluded.profile);
    get diagnostics v_contractors = row_count;
    return jsonb_build_object('partners', v_partners, 'contractors', v_contractors);
end
$$;

comment on function contractor.import_contractors(jsonb) is
    'Adds or updates the tenant''s partners and contractors from an object with the arrays partners and
contractors; returns how many rows of each were written. Errors: 22004 null, QC204 or QC205 malformed, QC405
not an organizer, 23502 or 23514 a field missing or out of range.';

grant execute on function contractor.import_contractors(jsonb) to concierge_app;
