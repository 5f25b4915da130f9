-- Rows go with their tenant, whose row is gone by then; nothing else takes or changes one.
create or replace function chat.tg__refuse_change()
    returns trigger
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'DELETE' and not exists (select from access.tenants as t where t.tenant_id = old.tenant_id) then
        return old;
    end if;
    perform access.refuse('QC413', 'chat.records is append-only', 'Add what corrects it.');
    return null;
end
$$;

comment on function chat.tg__refuse_change() is 'Row trigger: what is recorded stays as it is. Errors: QC413.';

create or replace function chat.tg__refuse_truncate()
    returns trigger
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.refuse('QC413', 'chat.records is append-only', 'A month that is no longer wanted is dropped as a table.');
    return null;
end
$$;

comment on function chat.tg__refuse_truncate() is 'Statement trigger: what is recorded stays. Errors: QC413.';

create or replace trigger records_stay before update or delete on chat.records
    for each row execute function chat.tg__refuse_change();
create or replace trigger records_all_stay before truncate on chat.records
    for each statement execute function chat.tg__refuse_truncate();

create or replace function chat.ensure_month(at timestamptz)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_month date := model.period_start('month', at);
    v_table text := 'records_' || to_char(v_month, 'YYYYMM');
begin
    if to_regclass('chat.' || v_table) is not null then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtext('concierge'), hashtext('chat.records'));
    -- Not by to_regclass, which may remember that there was none before the wait.
    if exists (
        select from pg_class as c where c.relnamespace = 'chat'::regnamespace and c.relname = v_table)
    then
        return;
    end if;
    -- Attached, not made in place: that would wait for, and stop, everybody who reads or writes records.
    execute format('create table chat.%I (like chat.records including all)', v_table);
    execute format('alter table chat.%I enable row level security', v_table);
    execute format('comment on table chat.%I is %L', v_table, 'A month of chat.records.');
    execute format('create trigger records_all_stay before truncate on chat.%I
        for each statement execute function chat.tg__refuse_truncate()', v_table);
    execute format('alter table chat.records attach partition chat.%I for values from (%L) to (%L)',
        v_table, v_month || ' 00:00+00', (v_month + interval '1 month')::date || ' 00:00+00');
end
$$;

comment on function chat.ensure_month(timestamptz) is 'Makes the table of a month of records, unless it is there.';
-- Granted to nobody: chat.record_turn calls it.

create or replace function chat.record_turn(turn_id uuid)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform chat.ensure_month(now());
    insert into chat.records (turn_id, tenant_id, record)
    select t.turn_id, t.tenant_id, jsonb_strip_nulls(jsonb_build_object('question', t.question, 'bundle', t.bundle, 'plan', t.plan,
        'action', t.action, 'agent', a.name, 'agent_version', a.version, 'prompt', p.name, 'prompt_version', p.version,
        'model', m.name, 'raw_answer', t.raw_answer, 'checks', t.checks, 'answer', t.answer, 'citations', t.citations,
        'answered_by', t.answered_by, 'note', t.note, 'state', t.state, 'error', t.error, 'cost', t.cost, 'clock', t.clock,
        'asked_at', t.asked_at, 'ended_at', t.ended_at, 'events', (
            select jsonb_agg(jsonb_build_object('state', e.state, 'at', e.at, 'detail', e.detail) order by e.number)
            from chat.turn_events as e where e.turn_id = t.turn_id)))
    from chat.turns as t
    left join model.agent_versions as a on a.agent_version_id = t.agent_version_id
    left join model.prompt_versions as p on p.prompt_version_id = t.prompt_version_id
    left join model.models as m on m.model_id = t.model_id
    where t.turn_id = record_turn.turn_id;
end
$$;

comment on function chat.record_turn(uuid) is 'Writes down a turn as it is.';
-- Granted to nobody: chat.move calls it.

create or replace function chat.consent(may_be_learned_from boolean)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into chat.consents as c (person_id, tenant_id, given_at, withdrawn_at)
    select access.person_id(), access.tenant_id(), now(), null::timestamptz where may_be_learned_from
    on conflict (person_id) do update set given_at = now(), withdrawn_at = null where c.withdrawn_at is not null;
    update chat.consents as c set withdrawn_at = now()
    where c.person_id = (select access.person_id()) and c.withdrawn_at is null and may_be_learned_from is not true;
end;

comment on function chat.consent(boolean) is
    'Whether the signed-in person''s conversations may be learned from, also those that were; nobody''s are unless they said so.
Errors: QC401-QC403.';

grant execute on function chat.consent(boolean) to concierge_app;
