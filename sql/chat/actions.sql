-- Actions are asked for in words; whose item is meant, and when, is found here, and the function that acts has its own rule.
create or replace function chat.item_named(contractor_id uuid, event_id uuid, words text)
    returns uuid
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_ids    uuid[];
    v_titles text[];
begin
    select array_agg(i.action_item_id), array_agg(i.title) into v_ids, v_titles
    from (
        select i.action_item_id, i.title, rank() over (order by lower(i.title) <> lower(words)) as place
        from contractor.contractor_action_items as i
        where i.contractor_id = item_named.contractor_id and i.event_id = item_named.event_id
            and i.tenant_id = (select access.tenant_id()) and i.status in ('open', 'in_progress')
            and strpos(lower(i.title), lower(words)) > 0
    ) as i
    where i.place = 1;
    if v_ids is null then
        perform access.refuse('QC207', format('there is no open action item "%s"', words), 'Ask for your action items.');
    elsif cardinality(v_ids) > 1 then
        perform access.refuse('22023', format('"%s" may be any of %s', words,
            (select string_agg('"' || t || '"', ', ' order by t) from unnest(v_titles[1:5]) as t)), 'Name one of them.');
    end if;
    return v_ids[1];
end
$$;

comment on function chat.item_named(uuid, uuid, text) is
    'The open action item of a contractor with these words in its title. Errors: QC401-QC403, QC207 none, 22023 several.';
-- Granted to nobody: chat.take_action calls it.

create or replace function chat.follow_up_in(words text, out after interval, out message text)
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    c_time  constant text := 'in\s+([0-9]{1,4})\s+(minute|minuten|minutes|hour|hours|stunde|stunden|day|days|tag|tagen|week|weeks|woche|wochen)\M';
    v_first constant text[] := regexp_match(words, '^\s*' || c_time || '\s*(?:to\M|that\M|:|,)?\s*(.+)$', 'i');
    v_last  constant text[] := regexp_match(words, '^(.+)\s' || c_time || '\W*$', 'i');
    v_count int;
    v_unit  text;
begin
    v_count := coalesce(v_first[1], v_last[2])::int;
    v_unit := lower(left(coalesce(v_first[2], v_last[3]), 1));
    message := coalesce(v_first[3], v_last[1]);
    if message is null then
        perform access.refuse('22004', 'a follow-up needs a time', 'Say, for example, ''in 3 days to call Pat''.');
    end if;
    after := case v_unit when 'm' then make_interval(mins => v_count) when 'h' then make_interval(hours => v_count)
        when 's' then make_interval(hours => v_count) when 'd' then make_interval(days => v_count)
        when 't' then make_interval(days => v_count) else make_interval(weeks => v_count) end;
end
$$;

comment on function chat.follow_up_in(text) is
    'When somebody is to be reminded of what: "in 3 days to call Pat", "call Pat in 3 days". Errors: 22004 it names no time.';
-- Granted to nobody: chat.take_action calls it.

-- Whatever asked for it, the function that does it has its own rule; what it refuses stays refused.
create or replace function chat.take_action(turn chat.turns, conversation chat.conversations, action jsonb)
    returns jsonb
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_agent     model.agent_versions := chat.agent_of(turn);
    v_key       text := 'turn ' || turn.turn_id;
    v_text      text := action ->> 'text';
    v_follow_up record;
    v_zone      text;
    v_result    jsonb;
    v_state     text;
    v_reason    text;
    v_hint      text;
begin
    -- The offline answerer takes what its rules know; an agent what it was given.
    if v_agent is not null and not (action ->> 'name') = any (v_agent.actions) then
        return action || jsonb_build_object('outcome', 'refused', 'reason', 'this agent may not do that');
    end if;
    case action ->> 'name'
        when 'create_action_item' then
            v_result := contractor.create_action_item(conversation.contractor_id, conversation.event_id, v_text, v_key);
        when 'update_action_item_status' then
            v_result := contractor.update_action_item_status(
                chat.item_named(conversation.contractor_id, conversation.event_id, v_text), 'done', v_key);
        when 'capture_event_note' then
            v_result := contractor.capture_event_note(conversation.contractor_id, conversation.event_id, v_text, v_key);
        when 'schedule_followup' then
            select * into v_follow_up from chat.follow_up_in(v_text);
            v_zone := (event.require(conversation.event_id)).time_zone;
            -- Days end at the same hour where the event is, whatever clocks do; hours are hours.
            v_result := contractor.schedule_followup(conversation.contractor_id, conversation.event_id, v_follow_up.message,
                case when extract(day from v_follow_up.after) > 0
                    then (access.clock() at time zone v_zone + v_follow_up.after) at time zone v_zone
                    else access.clock() + v_follow_up.after end, v_key);
    end case;
    return action || jsonb_build_object('outcome', 'done', 'result', v_result);
exception when others then
    get stacked diagnostics v_state = returned_sqlstate, v_reason = message_text, v_hint = pg_exception_hint;
    -- A rule that says no is an answer; anything else is a fault, and the turn's.
    if v_state !~ '^(QC[24]|22|23)' then
        raise;
    end if;
    return action || jsonb_build_object('outcome', 'refused', 'code', v_state, 'reason', v_reason, 'hint', nullif(v_hint, ''));
end
$$;

comment on function chat.take_action(chat.turns, chat.conversations, jsonb) is
    'Does what a plan asks for, through the function that guards it: the action with its outcome (done, refused) and result or reason.';
-- Granted to nobody: chat.act calls it.
