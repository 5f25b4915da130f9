create or replace function chat.ask(question text, event_id uuid, contractor_id uuid)
    returns jsonb
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_intent  text := chat.intent(question);
    v_context jsonb;
    v_reply   record;
begin
    if nullif(btrim(question), '') is null then
        perform access.refuse('22004', 'a question is required',
            'Ask, for example, ''What should I see next?''.');
    elsif length(question) > 4000 then
        perform access.refuse('QC208', 'a question has at most 4000 characters', 'Shorten it.');
    end if;

    v_context := chat.context(event_id, contractor_id, question);
    select a.answer, a.citations into v_reply from model.answer_offline(v_intent, v_context) as a;
    return jsonb_build_object('intent', v_intent, 'answer', v_reply.answer, 'citations', v_reply.citations,
        'provider', 'offline', 'clock', v_context #> '{event,clock}');
end
$$;

comment on function chat.ask(text, uuid, uuid) is
    'Answers a contractor''s question about an event from chat.context alone: {intent, answer, citations:
[{n, kind, id, title, line, url}], provider, clock}. Intents: now, next, sponsors, action_items; anything else
gets an honest "nothing on that".
Errors: 22004 null or empty, QC201 event, QC202 contractor, QC208 too long, QC405 someone else''s.';

grant execute on function chat.ask(text, uuid, uuid) to concierge_app;
