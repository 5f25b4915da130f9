-- One sentence a code: what several functions refuse is refused in the same words everywhere. Never
-- immutable: the planner would run a refusal with constant words ahead of the branch it stands in.
create or replace function access.refuse(
    code text, sentence text, hint text default null, detail text default null
)
    returns void
    language plpgsql stable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- A sentence built from a null must not turn the refusal into a complaint about RAISE.
    v_sentence text := concat(sentence);
begin
    if hint is null and detail is null then
        raise exception using errcode = code, message = v_sentence;
    elsif detail is null then
        raise exception using errcode = code, message = v_sentence, hint = refuse.hint;
    elsif hint is null then
        raise exception using errcode = code, message = v_sentence, detail = refuse.detail;
    end if;
    raise exception using errcode = code, message = v_sentence, hint = refuse.hint, detail = refuse.detail;
end
$$;

comment on function access.refuse(text, text, text, text) is
    'Raises an error: SQLSTATE, sentence, and where there is one a hint and a detail. Codes are
listed in docs/errors.md.';

grant execute on function access.refuse(text, text, text, text)
    to concierge_app, concierge_worker, concierge_admin;
