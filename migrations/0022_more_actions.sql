-- A message may ask for each of the guarded actions.
set local role concierge_owner;

-- allow M104: a few hundred rows
alter table chat.message_patterns
    drop constraint "a value is one its facet knows",
    add constraint "a value is one its facet knows" check (
        case facet when 'class'  then value in ('question', 'request', 'small_talk')
                   when 'intent' then value in ('now', 'next', 'sponsors', 'action_items', 'partner', 'learning', 'plan', 'status')
                   when 'action' then value in ('create_action_item', 'update_action_item_status', 'capture_event_note', 'schedule_followup') end);
