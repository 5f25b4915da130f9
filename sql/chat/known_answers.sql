-- An answer is given again only on the same ground: tenant, access scope, version of the agent, subject, version of the content, prompt,
-- history and facts are one hash, and nothing is compared across it. What is given again is checked like what a model says.
create or replace function chat.items_sent(bundle jsonb, documents boolean)
    returns jsonb
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(jsonb_agg(jsonb_build_array(i.item -> 'id', i.item -> 'kind', i.item -> 'title', i.item -> 'text')
        order by i.place), '[]')
    from jsonb_array_elements(bundle -> 'items') with ordinality as i (item, place)
    where documents or i.item ->> 'kind' <> 'document';
end;

comment on function chat.items_sent(jsonb, boolean) is 'What a model is told of a bundle''s items; without documents: of the others.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.codes_in(question text)
    returns text[]
    language sql immutable parallel safe
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(array_agg(distinct lower(m.word[1]) order by lower(m.word[1])), '{}')
    from regexp_matches(question, '[^\s,;!?()"]*[0-9][^\s,;!?()"]*', 'g') as m (word);
end;

comment on function chat.codes_in(text) is 'Words of a text with digits, such as 4.5, ERR_42 and v2.1.7.';
-- Granted to nobody: functions of this schema call it.

create or replace function chat.ground_of(turn chat.turns, conversation chat.conversations, prompt text, history text)
    returns bytea
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select sha256(convert_to(jsonb_build_array(turn.tenant_id, turn.agent_version_id, conversation.event_id, conversation.contractor_id,
        conversation.workspace_id, knowledge.content_version(conversation.workspace_id), (
            select array_agg(a order by a) from unnest(knowledge.my_audiences()) as a),
        (select jsonb_build_array(w.generation_id, g.model)
         from knowledge.workspaces as w left join knowledge.generations as g on g.generation_id = w.generation_id
         where w.workspace_id = conversation.workspace_id),
        turn.plan -> 'packs', turn.bundle - '{items,clock}'::text[], chat.items_sent(turn.bundle, false), prompt, history)::text, 'UTF8'));
end;

comment on function chat.ground_of(chat.turns, chat.conversations, text, text) is
    'Hash of all that the answer of a turn rests on, but for the question and the documents it finds. Errors: QC401-QC403.';
-- Granted to nobody: functions of this schema call it.

-- The same question with the same items, or one that is alike, has the same codes, and whose answer stands up for this one, too: a
-- number, a time or a name that only the other question had is refused.
create or replace function chat.known_answer(turn chat.turns, conversation chat.conversations, similarity float8)
    returns chat.turns
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_known  chat.turns;
    v_vector extensions.vector;
begin
    select t.* into v_known
    from chat.known_answers as k
    join chat.turns as t on t.turn_id = k.turn_id
    where k.ground = turn.ground and k.question_key = turn.question_key and k.expires_at > clock_timestamp();
    if found or similarity is null then
        return v_known;
    end if;
    v_vector := coalesce(chat.known_vector(turn, conversation), model.embed_offline(turn.question));
    select t.* into v_known
    from (
        select k.turn_id, k.embedding operator(extensions.<=>) v_vector as distance
        from chat.known_answers as k
        where k.ground = turn.ground and k.codes = chat.codes_in(turn.question) and k.expires_at > clock_timestamp()
            and extensions.vector_dims(k.embedding) = extensions.vector_dims(v_vector)
    ) as n
    join chat.turns as t on t.turn_id = n.turn_id
    where 1 - n.distance >= similarity
        and chat.check_answer(t.raw_answer, t.bundle, turn.question) = '{}'
    order by n.distance, t.turn_id
    limit 1;
    return v_known;
end
$$;

comment on function chat.known_answer(chat.turns, chat.conversations, float8) is
    'The turn whose answer may be given again; similarity: the least cosine of another question, null for none. Null: there is none.';
-- Granted to nobody: chat.answer_again calls it.

-- False where nothing is known; then the turn remembers its keys, so that its answer can be.
create or replace function chat.answer_again(turn chat.turns, conversation chat.conversations, prompt text, history text)
    returns boolean
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_caching jsonb := (chat.agent_of(turn)).caching;
    v_known   chat.turns;
begin
    -- What was done is told once.
    if v_caching is null or turn.action is not null then
        return false;
    end if;
    turn.ground := chat.ground_of(turn, conversation, prompt, history);
    turn.question_key := sha256(convert_to(jsonb_build_array(
        regexp_replace(btrim(lower(turn.question)), '\s+', ' ', 'g'), chat.items_sent(turn.bundle, true))::text, 'UTF8'));
    v_known := chat.known_answer(turn, conversation, (v_caching ->> 'similarity')::float8);
    update chat.turns as t
    set ground = turn.ground, question_key = turn.question_key, known_from = v_known.turn_id,
        bundle = coalesce(v_known.bundle, turn.bundle), raw_answer = v_known.raw_answer, model_id = coalesce(v_known.model_id, t.model_id)
    where t.turn_id = turn.turn_id;
    if v_known.turn_id is null then
        return false;
    end if;
    perform chat.move(turn.turn_id, 'checking', jsonb_build_object('known_from', v_known.turn_id,
        'known', case when v_known.question_key = turn.question_key then 'exactly' else 'by a question like it' end));
    return true;
end
$$;

comment on function chat.answer_again(chat.turns, chat.conversations, text, text) is
    'Answers a turn as another one was, from the same bundle, and has it checked; false where its agent allows none, or none is known.
Errors: QC401-QC403.';
-- Granted to nobody: chat.request_answer calls it.

create or replace function chat.remember_answer(turn_id uuid)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_turn         chat.turns := (select t from chat.turns as t where t.turn_id = remember_answer.turn_id);
    v_conversation chat.conversations := (
        select c from chat.conversations as c where c.conversation_id = v_turn.conversation_id);
begin
    if v_turn.ground is null or v_turn.known_from is not null or v_turn.answered_by = 'offline' then
        return;
    end if;
    insert into chat.known_answers (turn_id, tenant_id, agent_version_id, ground, question_key, codes, embedding, expires_at)
    values (v_turn.turn_id, v_turn.tenant_id, v_turn.agent_version_id, v_turn.ground, v_turn.question_key,
        chat.codes_in(v_turn.question), coalesce(chat.known_vector(v_turn, v_conversation), model.embed_offline(v_turn.question)),
        clock_timestamp() + make_interval(secs => ((chat.agent_of(v_turn)).caching ->> 'seconds')::float8))
    on conflict on constraint "a question has one answer on one ground" do update
        set turn_id = excluded.turn_id, expires_at = excluded.expires_at;
end
$$;

comment on function chat.remember_answer(uuid) is 'Lets the answer of a turn be given again, if its agent allows that. Errors: QC401-QC403.';
-- Granted to nobody: chat.check_turn calls it.

create or replace function chat.forget_answers()
    returns void
    language sql volatile
    set search_path = pg_catalog, pg_temp
begin atomic
    delete from chat.known_answers as k where k.expires_at < clock_timestamp();
end;

comment on function chat.forget_answers() is 'Forgets answers that have expired.';
-- Granted to nobody: upkeep calls it.

create or replace view chat.answer_cache with (security_invoker = true) as
select a.tenant_id, a.name as agent, a.version, count(*) filter (where t.ground is not null) as looked_up, count(t.known_from) as known,
    round(count(t.known_from)::numeric / nullif(count(*) filter (where t.ground is not null), 0), 3) as hit_rate,
    coalesce(sum(o.cost), 0) as saved
from model.agent_versions as a
left join chat.turns as t on t.agent_version_id = a.agent_version_id
left join chat.turns as o on o.turn_id = t.known_from
where a.caching is not null
group by a.agent_version_id;

comment on view chat.answer_cache is
    'Of each version of an agent that gives answers again: how often one was looked up and known, and US dollars that were not spent again.';
grant select on chat.answer_cache to concierge_admin;
