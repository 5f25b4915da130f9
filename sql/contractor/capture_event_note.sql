-- Only information is kept: a question or a request stored as a note would be lost as a question or a
-- request. The message is classed here, from its text, whatever the caller believes it to be.
create or replace function contractor.capture_event_note(
    contractor_id uuid, event_id uuid, message text, idempotency_key text, session_id uuid default null
)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_event      event.events           := event.require(event_id);
    v_answer     jsonb;
    v_class      text                   := chat.classify(message);
    v_note       contractor.event_notes;
begin
    v_answer := access.recall('capture_event_note', idempotency_key, jsonb_build_object(
        'contractor_id', contractor_id, 'event_id', event_id, 'message', message, 'session_id', session_id));
    if v_answer is not null then
        return v_answer;
    end if;

    if v_class is null then
        perform access.refuse('22004', 'a note needs a message', 'Pass the text to be kept.');
    elsif v_class <> 'information' then
        perform access.refuse('QC411', format('only information is kept as a note; this is %s',
                case v_class when 'small_talk' then 'small talk' else 'a ' || v_class end),
            case v_class when 'question' then 'Ask it with chat.ask.'
                         when 'request'  then 'Create an action item or schedule a follow-up.'
                         else 'There is nothing in it to keep.' end);
    end if;
    if session_id is not null and not exists (
        select from event.event_speakers as s
        where s.session_id = capture_event_note.session_id and s.event_id = v_event.event_id
    ) then
        perform access.refuse('QC206', format('there is no session %s at "%s"', session_id, v_event.slug),
            'Sessions are listed in event.event_speakers.');
    end if;

    insert into contractor.event_notes (
        tenant_id, contractor_id, event_id, session_id, body, created_by, created_at)
    values (v_contractor.tenant_id, v_contractor.contractor_id, v_event.event_id,
        capture_event_note.session_id,
        btrim(capture_event_note.message), access.person_id(), access.clock())
    returning * into v_note;
    return access.remember('capture_event_note', idempotency_key, to_jsonb(v_note));
end
$$;

comment on function contractor.capture_event_note(uuid, uuid, text, text, uuid) is
    'Keeps a message that chat.classify calls information, for a contractor at an event; returns the row as
JSON. Errors: 22004 null contractor, event, message or key, QC201 event, QC202 contractor, QC206 session,
QC405 someone else''s, QC409 key reused, QC411 not information.';

grant execute on function contractor.capture_event_note(uuid, uuid, text, text, uuid) to concierge_app;
