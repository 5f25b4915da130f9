create or replace function chat.note_event(turn_id uuid, state text, detail jsonb default '{}')
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    insert into chat.turn_events (turn_id, tenant_id, number, state, detail)
    select t.turn_id, t.tenant_id, 1 + coalesce((
            select max(e.number) from chat.turn_events as e where e.turn_id = t.turn_id), 0),
        note_event.state, jsonb_strip_nulls(note_event.detail)
    from chat.turns as t
    where t.turn_id = note_event.turn_id;
end;

comment on function chat.note_event(uuid, text, jsonb) is 'Notes what a turn came into, or what happened in it.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.move(turn_id uuid, state text, detail jsonb default '{}')
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    update chat.turns as t
    set state = move.state, job_id = null,
        ended_at = case when move.state in ('done', 'refused', 'failed') then clock_timestamp() end
    where t.turn_id = move.turn_id;
    select chat.note_event(move.turn_id, move.state, move.detail);
    select chat.record_turn(move.turn_id) where move.state in ('done', 'refused', 'failed');
end;

comment on function chat.move(uuid, text, jsonb) is 'Brings a turn into a state, and notes it.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.agent_of(turn chat.turns)
    returns model.agent_versions
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select a from model.agent_versions as a where a.agent_version_id = turn.agent_version_id;
end;

comment on function chat.agent_of(chat.turns) is 'The version of an agent that answers a turn; null: the offline answerer does.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.origin_of(turn chat.turns, workspace_id bigint)
    returns jsonb
    language sql immutable
    set search_path = pg_catalog, pg_temp
return jsonb_build_object('tenant_id', turn.tenant_id, 'workspace_id', workspace_id, 'person_id', turn.person_id,
    'agent_version_id', turn.agent_version_id, 'prompt_version_id', turn.prompt_version_id, 'turn_id', turn.turn_id);

comment on function chat.origin_of(chat.turns, bigint) is 'For whom a turn''s calls are, as model.record_call has it.';
-- Granted to nobody: functions of this schema call it.

-- A step has what the step before left in the row, and leaves its own there: whatever becomes of the one who takes it, the next one
-- begins where it ended.

-- received → gathering: what has to be asked elsewhere before anything is looked for.
create or replace function chat.gather(turn chat.turns, conversation chat.conversations)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_plan       jsonb := chat.plan_by_rules(turn.question, conversation.event_id is not null,
                              conversation.workspace_id is not null, turn.agent_version_id is not null);
    v_generation knowledge.generations;
begin
    update chat.turns as t set plan = v_plan where t.turn_id = turn.turn_id;
    perform chat.move(turn.turn_id, 'gathering');
    select g.* into v_generation
    from knowledge.workspaces as w
    join knowledge.generations as g on g.generation_id = w.generation_id
    where w.workspace_id = conversation.workspace_id;
    if v_generation.model <> 'offline' and v_plan -> 'packs' ? 'documents' then
        if chat.known_vector(turn, conversation) is null then
            update chat.turns as t
            set job_id = model.enqueue_embed(v_generation.model, v_generation.dimensions,
                jsonb_build_object('turn_id', turn.turn_id), jsonb_build_array(turn.question),
                chat.origin_of(turn, conversation.workspace_id), 'chat.receive_query_vector', 'chat.query_vector_failed', gives_up => true)
            where t.turn_id = turn.turn_id;
            return;
        end if;
    end if;
    perform chat.move(turn.turn_id, 'planning');
end
$$;

comment on function chat.gather(chat.turns, chat.conversations) is
    'Asks for the vector of the question where its documents have vectors of a model elsewhere; else there is nothing to wait for.';
-- Granted to nobody: chat.proceed calls it.

-- acting → answering
create or replace function chat.act(turn chat.turns, conversation chat.conversations)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_action jsonb := turn.plan -> 'action';
begin
    if v_action is not null and v_action <> 'null' then
        v_action := chat.take_action(turn, conversation, v_action);
        update chat.turns as t set action = v_action where t.turn_id = turn.turn_id;
    else
        v_action := null;
    end if;
    perform chat.move(turn.turn_id, 'answering', coalesce(jsonb_build_object('action', v_action), '{}'));
end
$$;

comment on function chat.act(chat.turns, chat.conversations) is 'Takes the action of a turn''s plan, if there is one.';
-- Granted to nobody: chat.proceed calls it.
