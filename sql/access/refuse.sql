-- One sentence a code: what several functions refuse is refused in the same words everywhere.
create or replace function access.refuse(code text, sentence text, hint text default null, detail text default null)
    returns void
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if hint is null and detail is null then
        raise exception using errcode = code, message = sentence;
    elsif detail is null then
        raise exception using errcode = code, message = sentence, hint = refuse.hint;
    elsif hint is null then
        raise exception using errcode = code, message = sentence, detail = refuse.detail;
    end if;
    raise exception using errcode = code, message = sentence, hint = refuse.hint, detail = refuse.detail;
end
$$;

comment on function access.refuse(text, text, text, text) is
    'Raises an error: SQLSTATE, sentence, and where there is one a hint and a detail. Codes are listed in docs/errors.md.';

grant execute on function access.refuse(text, text, text, text) to concierge_app, concierge_worker, concierge_admin;
