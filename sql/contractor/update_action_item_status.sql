create or replace function contractor.update_action_item_status(
    action_item_id uuid, status text, idempotency_key text
)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_answer jsonb;
    v_item   contractor.contractor_action_items;
begin
    select i.* into v_item
    from contractor.contractor_action_items as i
    where i.action_item_id = update_action_item_status.action_item_id
        and i.tenant_id = (select access.tenant_id())
    for update;
    if v_item.action_item_id is null then
        perform access.refuse('QC207',
            format('there is no action item %s', coalesce(action_item_id::text, 'null')),
            'Action items are listed in contractor.contractor_action_items.');
    end if;
    perform contractor.require(v_item.contractor_id);

    v_answer := access.recall('update_action_item_status', idempotency_key,
        jsonb_build_object('action_item_id', action_item_id, 'status', status));
    if v_answer is not null then
        return v_answer;
    end if;

    if status is null or status not in ('open', 'in_progress', 'done', 'cancelled') then
        perform access.refuse('QC211',
            format('"%s" is no status of an action item', coalesce(status, 'null')),
            'Use open, in_progress, done or cancelled.');
    elsif v_item.status = 'cancelled' and status <> 'cancelled' then
        perform access.refuse('QC412', 'a cancelled action item stays cancelled', 'Create a new one.');
    end if;

    update contractor.contractor_action_items as i
    set status = update_action_item_status.status, updated_at = access.clock()
    where i.action_item_id = v_item.action_item_id
    returning i.* into v_item;
    return access.remember('update_action_item_status', idempotency_key, to_jsonb(v_item));
end
$$;

comment on function contractor.update_action_item_status(uuid, text, text) is
    'Moves an action item to open, in_progress, done or cancelled (for good); returns the row as JSON.
Errors: 22004 no key, QC207 unknown item, QC211 unknown status, QC405 someone else''s, QC409 key reused, QC412
it was cancelled.';

grant execute on function contractor.update_action_item_status(uuid, text, text) to concierge_app;
