-- Answers, from a model or from the bundle alone, end here.
create or replace function chat.end_turn(turn_id uuid, answer text, note text default null)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    update chat.turns as t
    set answer = access.redact_for(t.tenant_id, chat.without_invisible(end_turn.answer), t.conversation_id::text),
        citations = chat.citations_of(end_turn.answer, t.bundle), note = end_turn.note,
        answered_by = case when t.raw_answer = end_turn.answer
            then (select m.name from model.models as m where m.model_id = t.model_id) else 'offline' end
    where t.turn_id = end_turn.turn_id;
    perform chat.move(turn_id, 'done', jsonb_build_object('note', note));
end
$$;

comment on function chat.end_turn(uuid, text, text) is 'Gives a turn its answer, without what is private, or nobody sees.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.answer_from_bundle(turn chat.turns, note text default null)
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select chat.end_turn(turn.turn_id, chat.answer_offline(turn.plan ->> 'intent', turn.bundle, turn.action), note);
end;

comment on function chat.answer_from_bundle(chat.turns, text) is 'Ends a turn with what its bundle says, without a model.';
-- Granted to nobody: functions of this schema call it.

-- answering: the bundle is made once; a second model, and a repair, see the same.
create or replace function chat.compose(turn chat.turns, conversation chat.conversations)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_model model.models := (select m from model.models as m where m.model_id = turn.model_id);
    v_sentence text;
begin
    if turn.bundle is null then
        -- Who waited for a vector or a plan is told what is so now, not what was.
        turn.clock := access.clock();
        turn.bundle := chat.make_bundle(turn, conversation, chat.known_vector(turn, conversation));
        update chat.turns as t set bundle = turn.bundle, clock = turn.clock where t.turn_id = turn.turn_id;
    end if;
    if v_model is null or v_model.name = 'offline' or turn.plan ->> 'intent' in ('small_talk', 'action') then
        perform chat.answer_from_bundle(turn);
    elsif turn.bundle -> 'items' = '[]' then
        perform chat.answer_from_bundle(turn, 'nothing was found to answer from');
    else
        begin
            perform chat.request_answer(turn, conversation, v_model, null);
        exception when sqlstate 'QC414' then
            get stacked diagnostics v_sentence = message_text;
            update chat.turns as t set error = v_sentence where t.turn_id = turn.turn_id;
            perform chat.move(turn.turn_id, 'refused', jsonb_build_object('code', 'QC414', 'reason', v_sentence));
        end;
    end if;
end
$$;

comment on function chat.compose(chat.turns, chat.conversations) is
    'Puts the bundle of a turn together and has it answered: by its model, or from the bundle alone. Where the budget is spent (QC414)
the turn is refused.';
-- Granted to nobody: chat.proceed calls it.

-- checking → done, or back once
create or replace function chat.check_turn(turn chat.turns, conversation chat.conversations)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_problems text[] := chat.check_answer(turn.raw_answer, turn.bundle, turn.question);
    v_model    model.models := (select m from model.models as m where m.model_id = turn.model_id);
begin
    if v_problems = '{}' then
        perform chat.end_turn(turn.turn_id, turn.raw_answer);
        perform chat.remember_answer(turn.turn_id);
        return;
    end if;
    update chat.turns as t
    set checks = coalesce(t.checks, '[]') || jsonb_build_array(to_jsonb(v_problems)), repairs = t.repairs + 1,
        known_from = null
    where t.turn_id = turn.turn_id;
    if turn.repairs > 0 then
        perform chat.answer_from_bundle(turn, 'the model''s answer did not stand up to the facts; this is what they say');
        return;
    end if;
    perform chat.move(turn.turn_id, 'answering', jsonb_build_object('problems', v_problems));
    begin
        perform chat.request_answer(turn, conversation, v_model, v_problems);
    exception when sqlstate 'QC414' then
        perform chat.answer_from_bundle(turn, 'the model''s answer did not stand up to the facts, and the budget allows no second one');
    end;
end
$$;

comment on function chat.check_turn(chat.turns, chat.conversations) is
    'Ends a turn whose answer stands up to its bundle; sends it back once if it does not, and then, or where the budget is spent
(QC414), answers from the bundle.';
-- Granted to nobody: chat.proceed calls it.

-- As far as it goes without waiting. Whoever calls it holds the row: two that hear of one turn take turns.
create or replace function chat.proceed(turn_id uuid)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_turn         chat.turns;
    v_conversation chat.conversations;
begin
    loop
        select * into v_turn from chat.turns as t where t.turn_id = proceed.turn_id for update;
        exit when not found or v_turn.ended_at is not null or v_turn.job_id is not null;
        select * into v_conversation from chat.conversations as c where c.conversation_id = v_turn.conversation_id;
        case v_turn.state
            when 'received' then perform chat.gather(v_turn, v_conversation);
            when 'gathering', 'planning' then perform chat.decide(v_turn, v_conversation);
            when 'acting' then perform chat.act(v_turn, v_conversation);
            when 'answering' then perform chat.compose(v_turn, v_conversation);
            when 'checking' then perform chat.check_turn(v_turn, v_conversation);
        end case;
    end loop;
end
$$;

comment on function chat.proceed(uuid) is 'Takes the steps of a turn until it ends or waits for a call.';
-- Granted to nobody: chat.ask and continuations call it.

-- What comes back from outside goes on as the person who asked, with no more rights than theirs. A turn that breaks is failed, and the
-- job that told of it is done: it would break again.
create or replace function chat.resume(turn_id uuid)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_state    text;
    v_sentence text;
begin
    begin
        perform set_config('request.jwt', access.issue_token(n.slug, p.subject, '5 minutes'), true)
        from chat.turns as t
        join access.people as p on p.person_id = t.person_id
        join access.tenants as n on n.tenant_id = t.tenant_id
        where t.turn_id = resume.turn_id;
        perform chat.proceed(turn_id);
        perform set_config('request.jwt', '', true);
    exception when others then
        get stacked diagnostics v_state = returned_sqlstate, v_sentence = message_text;
        -- What comes again is the queue's to try again.
        if v_state ~ '^(40|53|55|57)' then
            raise;
        end if;
        update chat.turns as t set error = v_sentence where t.turn_id = resume.turn_id;
        perform chat.move(turn_id, 'failed', jsonb_build_object('code', v_state, 'reason', v_sentence));
    end;
end
$$;

comment on function chat.resume(uuid) is 'Goes on with a turn as the person who asked.';
-- Granted to nobody: continuations call it.

-- The turn that waits for this job, locked; null when it waits no longer.
create or replace function chat.waiting_for(job_id bigint, turn_id uuid)
    returns chat.turns
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    select t.* from chat.turns as t
    where t.turn_id = waiting_for.turn_id and t.job_id = waiting_for.job_id and t.ended_at is null
    for update;
end;

comment on function chat.waiting_for(bigint, uuid) is 'The turn that waits for a job, locked; null when none does any more.';
-- Granted to nobody: continuations call it.

create or replace function chat.close_call(turn chat.turns, job_id bigint, payload jsonb, result jsonb, failure jsonb default null)
    returns numeric
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_cost numeric := model.close_call(job_id, payload, result, failure);
begin
    update chat.turns as t set cost = t.cost + v_cost where t.turn_id = turn.turn_id;
    return v_cost;
end
$$;

comment on function chat.close_call(chat.turns, bigint, jsonb, jsonb, jsonb) is
    'model.close_call, whose cost the turn bears; turn: the one that waits for the call, null when none does any more.';
-- Granted to nobody: continuations call it.

create or replace function chat.receive_query_vector(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_payload    jsonb := queue.payload_of(receive_query_vector.job_id);
    v_turn       chat.turns := chat.waiting_for(job_id, (v_payload ->> 'turn_id')::uuid);
    v_generation knowledge.generations;
begin
    perform chat.close_call(v_turn, job_id, v_payload, result);
    if v_turn.turn_id is null then
        return;
    end if;
    select g.* into v_generation
    from chat.conversations as c
    join knowledge.workspaces as w on w.workspace_id = c.workspace_id
    join knowledge.generations as g on g.generation_id = w.generation_id
    where c.conversation_id = v_turn.conversation_id;
    if result #> '{embeddings,0}' <> 'null' and v_generation.generation_id is not null then
        perform knowledge.store_query_vector(v_generation, v_turn.question,
            (result #> '{embeddings,0}')::text::extensions.vector);
    end if;
    perform chat.move(v_turn.turn_id, 'planning');
    perform chat.resume(v_turn.turn_id);
end
$$;

comment on function chat.receive_query_vector(bigint, jsonb) is
    'Continuation of embed: keeps the vector of a question, and goes on with the turn. Errors: QC217 no vector of the workspace''s.';
-- Granted to nobody: queue.finish calls it.

create or replace function chat.query_vector_failed(job_id bigint, failure jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_turn chat.turns := chat.waiting_for(job_id, (failure #>> '{payload,turn_id}')::uuid);
begin
    perform chat.close_call(v_turn, job_id, failure -> 'payload', null, failure);
    if v_turn.turn_id is not null then
        -- Words alone find most of it.
        perform chat.note_event(v_turn.turn_id, 'no vector', jsonb_build_object('reason', failure ->> 'error'));
        perform chat.move(v_turn.turn_id, 'planning');
        perform chat.resume(v_turn.turn_id);
    end if;
end
$$;

comment on function chat.query_vector_failed(bigint, jsonb) is 'On failure of embed: the turn goes on with words alone.';
-- Granted to nobody: the queue calls it.

create or replace function chat.receive_answer(job_id bigint, result jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_payload jsonb := queue.payload_of(receive_answer.job_id);
    v_turn    chat.turns := chat.waiting_for(job_id, (v_payload ->> 'turn_id')::uuid);
    v_cost    numeric := chat.close_call(v_turn, job_id, v_payload, result);
begin
    -- Its text is the turn's; the queue's history keeps neither it nor what was sent.
    perform queue.forget(job_id, '{text,system,messages}');
    if v_turn.turn_id is not null then
        update chat.turns as t
        set raw_answer = btrim(coalesce(result ->> 'text', ''))
        where t.turn_id = v_turn.turn_id;
        perform chat.move(v_turn.turn_id, 'checking', jsonb_build_object('finish', result ->> 'finish', 'cost', v_cost));
        perform chat.resume(v_turn.turn_id);
    end if;
end
$$;

comment on function chat.receive_answer(bigint, jsonb) is 'Continuation of generate: takes a model''s answer, and has it checked.';
-- Granted to nobody: queue.finish calls it.

create or replace function chat.next_model(agent model.agent_versions, after_id bigint)
    returns bigint
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select m.chain[1 + array_position(m.chain, after_id)]
    from (select array_prepend(agent.model_id, agent.fallback_ids) as chain) as m;
end;

comment on function chat.next_model(model.agent_versions, bigint) is 'The model an agent falls back to from another; null: none is left.';
-- Granted to nobody: chat.answer_failed calls it.

create or replace function chat.answer_failed(job_id bigint, failure jsonb)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_turn  chat.turns := chat.waiting_for(job_id, (failure #>> '{payload,turn_id}')::uuid);
    v_next  bigint;
    v_words text := queue.words_of(failure);
begin
    perform chat.close_call(v_turn, job_id, failure -> 'payload', null, failure);
    if v_turn.turn_id is null then
        return;
    end if;
    v_next := chat.next_model(chat.agent_of(v_turn), v_turn.model_id);
    update chat.turns as t set model_id = coalesce(v_next, t.model_id) where t.turn_id = v_turn.turn_id;
    perform chat.move(v_turn.turn_id, 'answering', jsonb_build_object('reason', v_words, 'falls_back', v_next is not null));
    if v_next is null then
        perform chat.answer_from_bundle(v_turn, 'no model could be reached; this is what the facts say');
    else
        perform chat.resume(v_turn.turn_id);
    end if;
end
$$;

comment on function chat.answer_failed(bigint, jsonb) is
    'On failure of generate: the next model of the agent is asked, or the bundle answers by itself.';
-- Granted to nobody: the queue calls it.
