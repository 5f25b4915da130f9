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

create or replace trigger records_stay before update or delete on chat.records
    for each row execute function chat.tg__refuse_change();
create or replace trigger records_all_stay before truncate on chat.records
    for each statement execute function access.tg__append_only();

create or replace function chat.record_turn(turn_id uuid)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_month regclass := access.ensure_period('chat.records', 'month', now());
begin
    -- Of the parent's triggers those for rows come along, that of the statement does not.
    if v_month is not null then
        execute format('create trigger records_all_stay before truncate on %s
            for each statement execute function access.tg__append_only()', v_month);
    end if;
    insert into chat.records (turn_id, tenant_id, record)
    select t.turn_id, t.tenant_id, jsonb_strip_nulls(jsonb_build_object('question', t.question, 'bundle', t.bundle, 'plan', t.plan,
        'action', t.action, 'agent', a.name, 'agent_version', a.version, 'prompt', p.name, 'prompt_version', p.version,
        'model', m.name, 'raw_answer', t.raw_answer, 'checks', t.checks, 'answer', t.answer, 'citations', t.citations,
        'answered_by', t.answered_by, 'known_from', t.known_from, 'note', t.note, 'state', t.state, 'error', t.error, 'cost', t.cost, 'clock', t.clock,
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
