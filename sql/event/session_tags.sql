create or replace function event.tags_of(session event.cached_sessions)
    returns event.tag_set
    language sql immutable parallel safe
return row(lower((session).track), (session).topics, (session).goals, (session).roles, (session).audience,
    (session).regions, (session).revenue_bands, (session).embedding)::event.tag_set;

comment on function event.tags_of(event.cached_sessions) is
    'The tags of a session''s row, as match_score reads them.';

create or replace function event.session_tags(session_id uuid)
    returns event.tag_set
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_session event.cached_sessions;
begin
    if session_id is null then
        perform access.refuse('22004', 'a session is required', 'Pass session_id from event.event_speakers.');
    end if;
    select d.*, null into v_session
    from event.session_details as d
    where d.session_id = session_tags.session_id;
    if v_session.session_id is null then
        perform access.refuse('QC206', format('there is no session %s', session_id),
            'Sessions are listed in event.event_speakers; it may be cancelled.');
    end if;
    return event.tags_of(v_session);
end
$$;

comment on function event.session_tags(uuid) is
    'What a session offers, as match_score reads it. Errors: 22004 null, QC206 unknown or cancelled session.';

grant execute on function event.tags_of(event.cached_sessions) to concierge_app;
grant execute on function event.session_tags(uuid)             to concierge_app;
