create or replace function chat.open(
    agent text default null, event_id uuid default null, contractor_id uuid default null, workspace text default null,
    title text default null
)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_me           access.identity := access.me();
    v_agent        model.agent_versions;
    v_contractor   contractor.contractors;
    v_workspace_id bigint;
    v_id           uuid;
begin
    if agent is not null then
        v_agent := model.require_agent(agent, null);
        workspace := coalesce(workspace, v_agent.retrieval ->> 'workspace');
    end if;
    if event_id is not null then
        perform event.require(event_id);
        v_contractor := contractor.require(contractor_id);
    end if;
    if workspace is not null then
        v_workspace_id := (knowledge.require_workspace(workspace)).workspace_id;
    end if;
    insert into chat.conversations (tenant_id, person_id, agent, event_id, contractor_id, workspace_id, title)
    values (v_me.tenant_id, v_me.person_id, open.agent, open.event_id, v_contractor.contractor_id, v_workspace_id, open.title)
    returning conversation_id into v_id;
    return v_id;
end
$$;

comment on function chat.open(text, uuid, uuid, text, text) is
    'Begins a conversation of the signed-in person: with an agent (null: the offline answerer), about an event for a contractor, about
the documents of a workspace (by default the agent''s), or both. Returns its id.
Errors: QC401-QC403, QC201 event, QC202 contractor, QC215 workspace, QC233 agent, QC405 someone else''s, 22004, 23514.';

grant execute on function chat.open(text, uuid, uuid, text, text) to concierge_app;

create or replace function chat.require_conversation(conversation_id uuid)
    returns chat.conversations
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_me           access.identity := access.me();
    v_conversation chat.conversations;
begin
    select * into v_conversation from chat.conversations as c
    where c.conversation_id = require_conversation.conversation_id and c.tenant_id = v_me.tenant_id
        and c.person_id = v_me.person_id;
    if not found then
        perform access.refuse('QC235', format('there is no conversation %s', coalesce(conversation_id::text, '(null)')),
            'chat.open begins one; chat.conversations has yours.');
    end if;
    return v_conversation;
end
$$;

comment on function chat.require_conversation(uuid) is 'A conversation of the signed-in person. Errors: QC401-QC403, QC235 there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.require_turn(turn_id uuid)
    returns chat.turns
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_me   access.identity := access.me();
    v_turn chat.turns;
begin
    select * into v_turn from chat.turns as t
    where t.turn_id = require_turn.turn_id and t.tenant_id = v_me.tenant_id and t.person_id = v_me.person_id;
    if not found then
        perform access.refuse('QC236', format('there is no turn %s', coalesce(turn_id::text, '(null)')),
            'chat.ask returns one; chat.turns has yours.');
    end if;
    return v_turn;
end
$$;

comment on function chat.require_turn(uuid) is 'A turn of the signed-in person. Errors: QC401-QC403, QC236 there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.ask(conversation_id uuid, question text, idempotency_key text)
    returns uuid
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_conversation chat.conversations := chat.require_conversation(conversation_id);
    v_agent        model.agent_versions;
    v_answer       jsonb;
    v_id           uuid;
begin
    v_answer := access.recall('chat.ask', idempotency_key, jsonb_build_object('conversation_id', conversation_id,
        'question', encode(sha256(convert_to(coalesce(question, ''), 'UTF8')), 'hex')));
    if v_answer is not null then
        return (v_answer ->> 'turn_id')::uuid;
    end if;
    if nullif(btrim(question), '') is null then
        perform access.refuse('22004', 'a question is required', 'Ask, for example, ''What should I see next?''.');
    elsif length(question) > 4000 then
        perform access.refuse('QC208', 'a question has at most 4000 characters', 'Shorten it.');
    end if;
    -- Turns are numbered one after the other.
    perform from chat.conversations as c where c.conversation_id = ask.conversation_id for update;
    if v_conversation.agent is not null then
        v_agent := model.version_for(v_conversation.tenant_id, v_conversation.agent, conversation_id);
        if v_agent.agent_version_id is null then
            perform access.refuse('QC233', format('there is no agent "%s" that is active', v_conversation.agent),
                'model.promote makes one active.');
        end if;
    end if;
    insert into chat.turns (tenant_id, conversation_id, person_id, number, question, original, clock, agent_version_id,
        prompt_version_id, model_id)
    values (v_conversation.tenant_id, conversation_id, v_conversation.person_id, 1 + coalesce((
            select max(t.number) from chat.turns as t where t.conversation_id = ask.conversation_id), 0),
        access.redact_for(v_conversation.tenant_id, question, conversation_id::text),
        case when access.keeps_originals(v_conversation.tenant_id) then question end, access.clock(),
        v_agent.agent_version_id, v_agent.prompt_version_id, v_agent.model_id)
    returning turn_id into v_id;
    perform chat.note_event(v_id, 'received');
    perform chat.proceed(v_id);
    perform access.remember('chat.ask', idempotency_key, jsonb_build_object('turn_id', v_id));
    return v_id;
end
$$;

comment on function chat.ask(uuid, text, text) is
    'Asks in a conversation and returns the turn at once; chat.answer waits for its answer. What can be done without anybody else, such as an
answer of the offline answerer, is done already. The same key again is the same turn.
Errors: QC401-QC403, QC208 too long, QC233 agent, QC235 conversation, QC409 the key was used for another question, 22004.';

grant execute on function chat.ask(uuid, text, text) to concierge_app;

create or replace function chat.told(turn chat.turns)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
return jsonb_strip_nulls(jsonb_build_object('turn_id', turn.turn_id, 'state', turn.state, 'question', turn.question,
    'intent', turn.plan -> 'intent', 'answer', turn.answer, 'citations', turn.citations, 'action', turn.action, 'note', turn.note,
    'answered_by', turn.answered_by, 'known_from', turn.known_from, 'error', turn.error, 'cost', turn.cost, 'clock', turn.clock,
    'milliseconds', round(extract(epoch from turn.ended_at - turn.asked_at) * 1000)));

comment on function chat.told(chat.turns) is 'A turn as it is told.';
-- Granted to nobody: functions of this schema call it.

-- Volatile, so that it sees a turn that the same statement has begun.
create or replace function chat.turn(turn_id uuid)
    returns jsonb
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
return chat.told(chat.require_turn(turn_id));

comment on function chat.turn(uuid) is
    'A turn of the signed-in person as it stands: {turn_id, state, question, intent, answer, citations[{id, kind, of, title, text, url, …}],
action, note, answered_by, known_from, error, cost, clock, milliseconds}; what is not there yet is left out. Errors: QC401-QC403, QC236.';

grant execute on function chat.turn(uuid) to concierge_app;

-- What a model has said so far, and nobody has looked at yet. The last word is held back: it may be the first half of something
-- private. Listen on concierge_text to know when to look.
create or replace function chat.draft(turn_id uuid)
    returns text
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_turn chat.turns := chat.require_turn(turn_id);
    v_text text;
begin
    select string_agg(e.content, '' order by e.number) into v_text
    from queue.emission as e
    where e.job_id = v_turn.job_id
        and e.token = (select max(o.token) from queue.emission as o where o.job_id = v_turn.job_id);
    return access.redact_for(v_turn.tenant_id, regexp_replace(v_text, '\S+$', ''), v_turn.conversation_id::text);
end
$$;

comment on function chat.draft(uuid) is
    'The answer of a turn as far as its model has said it, redacted and not checked yet; null when nothing is being said. It may begin
anew: after a crash, with another model, or when the answer is mended. Errors: QC401-QC403, QC236.';

grant execute on function chat.draft(uuid) to concierge_app;

-- A procedure, for it has to see what others commit while it waits.
create or replace procedure chat.answer(turn_id uuid, wait interval, inout told jsonb default null)
    language plpgsql
as $$
declare
    v_until timestamptz := clock_timestamp() + wait;
    v_pause float8 := 0.005::float8;
begin
    loop
        told := chat.turn(turn_id);
        exit when told ->> 'state' in ('done', 'refused', 'failed') or clock_timestamp() >= v_until;
        commit;
        perform pg_sleep(least(v_pause, extract(epoch from v_until - clock_timestamp())));
        v_pause := least(v_pause * 1.5, 0.1);
    end loop;
end
$$;

comment on procedure chat.answer(uuid, interval, jsonb) is
    'Waits for a turn to end, so long at most, and tells it as chat.turn does. Called outside a transaction, by somebody signed in for the
session. Errors: QC401-QC403, QC236.';

grant execute on procedure chat.answer(uuid, interval, jsonb) to concierge_app;

create or replace function chat.history(conversation_id uuid, max_turns int default 50)
    returns setof jsonb
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select chat.told(t)
    from (
        select t.* from chat.turns as t
        where t.conversation_id = (chat.require_conversation(history.conversation_id)).conversation_id
        order by t.number desc
        limit max_turns
    ) as t
    order by t.number;
end;

comment on function chat.history(uuid, int) is 'The latest turns of a conversation, each as chat.turn tells it. Errors: QC401-QC403, QC235.';

grant execute on function chat.history(uuid, int) to concierge_app;

create or replace function chat.rate(turn_id uuid, rating int, comment text default null)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_turn chat.turns := chat.require_turn(turn_id);
begin
    if v_turn.ended_at is null then
        perform access.refuse('QC418', 'this turn has no answer yet', 'Rate it when it has ended.');
    end if;
    update chat.turns as t
    set rating = rate.rating, comment = access.redact_for(t.tenant_id, rate.comment, t.conversation_id::text)
    where t.turn_id = rate.turn_id;
    -- What somebody finds wrong nobody else is told.
    delete from chat.known_answers as k where rating = -1 and k.turn_id in (v_turn.turn_id, v_turn.known_from);
    perform chat.note_event(turn_id, 'rated', jsonb_build_object('rating', rating));
end
$$;

comment on function chat.rate(uuid, int, text) is
    'What the person thinks of an answer: 1 or -1, and why; null takes it back. Errors: QC401-QC403, QC236, QC418 not ended, 23514.';

grant execute on function chat.rate(uuid, int, text) to concierge_app;

create or replace function chat.cancel(turn_id uuid)
    returns boolean
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_turn chat.turns := chat.require_turn(turn_id);
begin
    select * into v_turn from chat.turns as t where t.turn_id = cancel.turn_id for update;
    if v_turn.ended_at is not null then
        return false;
    end if;
    update chat.turns as t set error = 'cancelled' where t.turn_id = cancel.turn_id;
    perform chat.move(turn_id, 'failed', '{"reason": "cancelled"}');
    -- After the turn has ended: what the queue tells of the job's end finds nobody waiting, and settles the bill.
    perform queue.cancel(v_turn.job_id) where v_turn.job_id is not null;
    return true;
end
$$;

comment on function chat.cancel(uuid) is
    'Ends a turn, and the call it waits for; says whether there was anything to end. Errors: QC401-QC403, QC236.';

grant execute on function chat.cancel(uuid) to concierge_app;
