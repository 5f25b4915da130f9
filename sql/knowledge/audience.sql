create or replace function knowledge.check_level(level int)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if level is null or level not between 0 and 32767 then
        perform access.refuse('22023', format('%s is no access level', coalesce(level::text, 'null')),
            'A level is 0, for everybody, to 32767.');
    end if;
end
$$;

comment on function knowledge.check_level(int) is 'Refuses what is no access level. Errors: 22023.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.audience(tenant_id uuid, level int, groups text[])
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_groups text[] := array(
        select distinct g from unnest(audience.groups) as g where g is not null order by g);
    v_id     bigint;
begin
    perform knowledge.check_level(audience.level);
    select a.audience_id into v_id from knowledge.audiences as a
    where a.tenant_id = audience.tenant_id and a.level = audience.level and a.groups = v_groups;
    if v_id is null then
        -- Another session may be making it, too.
        insert into knowledge.audiences as a (tenant_id, level, groups)
        values (audience.tenant_id, audience.level, v_groups)
        on conflict (tenant_id, level, groups) do update set groups = excluded.groups
        returning a.audience_id into v_id;
    end if;
    return v_id;
end
$$;

comment on function knowledge.audience(uuid, int, text[]) is
    'The number of those who have the level and are in one of the groups. Errors: 22023 no level.';
-- Granted to nobody: adding documents calls it.

-- Worked out once a query; the rows say only a number.
create or replace function knowledge.my_audiences()
    returns bigint[]
    language sql stable parallel safe security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with mine as (
        select m.tenant_id, m.roles && array['organizer', 'service'] as all_levels,
            coalesce(c.level, 0) as level, coalesce(c.groups, '{}') as groups
        from access.me() as m
        left join knowledge.clearances as c on c.person_id = m.person_id
    )
    select coalesce(array_agg(a.audience_id order by a.audience_id), '{}')
    from mine as m
    join knowledge.audiences as a on a.tenant_id = m.tenant_id
    where m.all_levels or a.level <= m.level and (a.groups = '{}' or a.groups && m.groups);
end;

comment on function knowledge.my_audiences() is
    'Whose documents the signed-in person may find; organizers and services: all of their tenant.
Errors: QC401, QC402, QC403.';

grant execute on function knowledge.my_audiences() to concierge_app, concierge_admin;

create or replace function knowledge.set_clearance(person_id uuid, level int default 0, groups text[] default '{}')
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform access.require_role('organizer');
    perform knowledge.check_level(set_clearance.level);
    insert into knowledge.clearances as c (person_id, tenant_id, level, groups)
    select p.person_id, p.tenant_id, set_clearance.level,
        array(select distinct g from unnest(set_clearance.groups) as g where g is not null order by g)
    from access.people as p
    where p.person_id = set_clearance.person_id and p.tenant_id = (select access.tenant_id())
    on conflict (person_id) do update set level = excluded.level, groups = excluded.groups;
    if not found then
        perform access.refuse('QC202', 'there is no such person', 'Look in access.people.');
    end if;
end
$$;

comment on function knowledge.set_clearance(uuid, int, text[]) is
    'Says what a person of the signed-in organizer''s tenant may find: documents up to the level, and of the groups.
Errors: QC401-QC403, QC405 not an organizer, QC202 no such person, 22023 no level.';

grant execute on function knowledge.set_clearance(uuid, int, text[]) to concierge_app;
