-- A guarded write does its work once per idempotency key. Usage, in a definer function:
--
--     v_answer := access.recall('create_action_item', idempotency_key, request);
--     if v_answer is not null then return v_answer; end if;
--     … write, build v_answer …
--     return access.remember('create_action_item', idempotency_key, v_answer);
--
-- recall inserts the key first: a second call with it waits on the unique index until the first commits or
-- rolls back, so two concurrent calls cannot both find nothing.
create or replace function access.recall(operation text, key text, request jsonb)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_me    access.identity := access.me();
    v_first access.idempotency_keys;
begin
    if key is null then
        perform access.refuse('22004', 'an idempotency key is required',
            'Pass idempotency_key: a text that stays the same when this call is repeated.');
    end if;

    insert into access.idempotency_keys (tenant_id, person_id, operation, key, request)
    values (v_me.tenant_id, v_me.person_id, recall.operation, recall.key, recall.request)
    on conflict do nothing;
    if found then
        return null;
    end if;

    select k.* into v_first
    from access.idempotency_keys as k
    where k.tenant_id = v_me.tenant_id and k.person_id = v_me.person_id
        and k.operation = recall.operation and k.key = recall.key;
    if v_first.request is distinct from request then
        perform access.refuse('QC409', format('idempotency key "%s" was used with other arguments', key),
            'Repeat the call exactly, or use a new key for a new call.');
    end if;
    return v_first.response;
end
$$;

comment on function access.recall(text, text, jsonb) is
    'The first answer to this key, or null when this call is the first.
Errors: 22004 no key, 23514 a key too long, QC409 the key was used with other arguments.';

create or replace function access.remember(operation text, key text, response jsonb)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_me access.identity := access.me();
begin
    update access.idempotency_keys as k
    set response = remember.response
    where k.tenant_id = v_me.tenant_id and k.person_id = v_me.person_id
        and k.operation = remember.operation and k.key = remember.key;
    return response;
end
$$;

comment on function access.remember(text, text, jsonb) is 'Keeps the answer given for a key, and returns it.';
-- Both granted to nobody: guarded writes call them as the owner.
