create or replace function model.set_budget(
    tenant text, period text, cap numeric, workspace text default null, subject text default null
)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_tenant_id    uuid   := (select t.tenant_id from access.tenants as t where t.slug = tenant);
    v_workspace_id bigint := (
        select w.workspace_id from knowledge.workspaces as w where w.tenant_id = v_tenant_id and w.slug = workspace);
    v_person_id    uuid   := (
        select p.person_id from access.people as p where p.tenant_id = v_tenant_id and p.subject = set_budget.subject);
begin
    if v_tenant_id is null then
        perform access.refuse('QC202', format('there is no tenant "%s"', tenant), 'access.tenants has them.');
    elsif workspace is not null and v_workspace_id is null then
        perform access.refuse('QC215', format('there is no workspace "%s"', workspace), 'knowledge.workspaces has them.');
    elsif subject is not null and v_person_id is null then
        perform access.refuse('QC202', format('there is no person "%s"', subject), 'access.people has them.');
    end if;
    if cap is null then
        delete from model.budgets as b
        where b.tenant_id = v_tenant_id and b.period = set_budget.period
            and b.workspace_id is not distinct from v_workspace_id and b.person_id is not distinct from v_person_id;
    else
        insert into model.budgets as b (tenant_id, workspace_id, person_id, period, cap)
        values (v_tenant_id, v_workspace_id, v_person_id, set_budget.period, set_budget.cap)
        on conflict on constraint "a tenant, a workspace or a person has one budget a period" do update set cap = excluded.cap;
    end if;
end
$$;

comment on function model.set_budget(text, text, numeric, text, text) is
    'What a tenant may spend in a day or month of UTC, in US dollars: all of it, in one workspace, by one person, or both.
Null: as much as it likes. Errors: QC202 tenant or person, QC215 workspace, 23514.';

grant execute on function model.set_budget(text, text, numeric, text, text) to concierge_admin;

create or replace function model.period_start(period text, at timestamptz)
    returns date
    language sql immutable strict parallel safe
return date_trunc(period, at at time zone 'UTC')::date;

comment on function model.period_start(text, timestamptz) is 'The first day of the day or month that it is in UTC.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.describe_budget(budget_id bigint)
    returns text
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select concat_ws(', ', 'tenant ' || t.slug, 'workspace ' || w.slug, 'person ' || p.subject, 'a ' || b.period)
    from model.budgets as b
    join access.tenants as t on t.tenant_id = b.tenant_id
    left join knowledge.workspaces as w on w.workspace_id = b.workspace_id
    left join access.people as p on p.person_id = b.person_id
    where b.budget_id = describe_budget.budget_id;
end;

comment on function model.describe_budget(bigint) is 'Whose a budget is, and of which period, for a person to read.';
-- Granted to nobody: functions of this schema call it.

-- There is room in all budgets or nothing is set aside. Who comes at the same time waits for the rows, which everybody takes
-- in one order, and then sees what is left: together they cannot have more than there is.
create or replace function model.reserve(
    tenant_id uuid, amount numeric, workspace_id bigint default null, person_id uuid default null,
    expires_in interval default '15 minutes'
)
    returns bigint
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_now       timestamptz := clock_timestamp();
    v_ids       bigint[];
    v_starts    date[];
    v_with_room bigint[];
    v_id        bigint;
begin
    select coalesce(array_agg(b.budget_id order by b.budget_id), '{}'),
        coalesce(array_agg(model.period_start(b.period, v_now) order by b.budget_id), '{}')
    into v_ids, v_starts
    from model.budgets as b
    where b.tenant_id = reserve.tenant_id and (b.workspace_id is null or b.workspace_id = reserve.workspace_id)
        and (b.person_id is null or b.person_id = reserve.person_id);
    insert into model.spending (tenant_id, budget_id, starts_on)
    select tenant_id, u.budget_id, u.starts_on from unnest(v_ids, v_starts) as u (budget_id, starts_on) order by u.budget_id
    on conflict do nothing;
    perform from model.spending as s
    join unnest(v_ids, v_starts) as u (budget_id, starts_on) on u.budget_id = s.budget_id and u.starts_on = s.starts_on
    order by s.budget_id for update of s;

    with room as (
        update model.spending as s
        set reserved = s.reserved + amount
        from unnest(v_ids, v_starts) as u (budget_id, starts_on)
        join model.budgets as b on b.budget_id = u.budget_id
        where s.budget_id = u.budget_id and s.starts_on = u.starts_on and s.spent + s.reserved + amount <= b.cap
        returning s.budget_id
    )
    select coalesce(array_agg(r.budget_id), '{}') into v_with_room from room as r;
    if cardinality(v_with_room) < cardinality(v_ids) then
        -- What was set aside above is undone with the statement that called.
        perform access.refuse('QC414', format('the budget is spent: %s', (
                select string_agg(model.describe_budget(u.budget_id), '; ' order by u.budget_id)
                from unnest(v_ids) as u (budget_id) where u.budget_id <> all (v_with_room))),
            'It begins anew with the next period; an operator raises it: model.set_budget.');
    end if;

    insert into model.reservations (tenant_id, amount, budget_ids, starts_on, expires_at)
    values (reserve.tenant_id, reserve.amount, v_ids, v_starts, v_now + expires_in)
    returning reservation_id into v_id;
    return v_id;
end
$$;

comment on function model.reserve(uuid, numeric, bigint, uuid, interval) is
    'Sets an amount, in US dollars, aside in every budget it falls under; returns the reservation. Errors: QC414 one of them, which is
named, has no room.';
-- Granted to nobody: who asks a model calls it.

-- What was spent is counted where it was set aside: in the period in which it was asked for. That the reservation has expired
-- changes nothing about it.
create or replace function model.settle(reservation_id bigint, cost numeric)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    with gone as (
        delete from model.reservations as r where r.reservation_id = settle.reservation_id
        returning case when r.expired then 0 else r.amount end as amount, r.budget_ids, r.starts_on
    ), place as (
        select s.budget_id, s.starts_on, g.amount
        from gone as g
        cross join lateral unnest(g.budget_ids, g.starts_on) as u (budget_id, starts_on)
        join model.spending as s on s.budget_id = u.budget_id and s.starts_on = u.starts_on
        order by s.budget_id
        for update of s
    )
    update model.spending as s
    set reserved = s.reserved - p.amount, spent = s.spent + settle.cost
    from place as p
    where s.budget_id = p.budget_id and s.starts_on = p.starts_on;
end;

comment on function model.settle(bigint, numeric) is
    'Gives back what was set aside and counts what was spent instead; once: a second time changes nothing.';
-- Granted to nobody: who asks a model calls it.

create or replace function model.expire_reservations()
    returns bigint
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    delete from model.reservations as r where r.expired and r.expires_at < clock_timestamp() - interval '7 days';
    with late as (
        update model.reservations as r
        set expired = true
        where r.reservation_id in (
            select o.reservation_id from model.reservations as o
            where o.expires_at < clock_timestamp() and not o.expired
            order by o.reservation_id for update skip locked)
        returning r.amount, r.budget_ids, r.starts_on
    ), given_back as (
        select u.budget_id, u.starts_on, sum(l.amount) as amount
        from late as l
        cross join lateral unnest(l.budget_ids, l.starts_on) as u (budget_id, starts_on)
        group by u.budget_id, u.starts_on
    ), place as (
        select s.budget_id, s.starts_on, g.amount
        from given_back as g
        join model.spending as s on s.budget_id = g.budget_id and s.starts_on = g.starts_on
        order by s.budget_id, s.starts_on
        for update of s
    ), written as (
        update model.spending as s
        set reserved = s.reserved - p.amount
        from place as p
        where s.budget_id = p.budget_id and s.starts_on = p.starts_on
    )
    select count(*) from late as l;
end;

comment on function model.expire_reservations() is
    'Gives back what was set aside for calls of which nothing was heard; returns how many.';
-- Granted to nobody: upkeep calls it.
