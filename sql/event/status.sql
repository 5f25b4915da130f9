create or replace function event.status_at(
    starts_at timestamptz, ends_at timestamptz, follow_up_days int, at timestamptz
)
    returns text
    language sql immutable parallel safe
return case
    when at < starts_at                                                then 'pre_event'
    when at < ends_at                                                  then 'during_event'
    when at < ends_at + follow_up_days * interval '24 hours'           then 'post_event'
    else 'past_event'
end;

comment on function event.status_at(timestamptz, timestamptz, int, timestamptz) is
    'pre_event, during_event, post_event (until follow_up_days after the end) or past_event at an instant.';

grant execute on function event.status_at(timestamptz, timestamptz, int, timestamptz) to concierge_app;

create or replace function event.status(event_id uuid)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event event.events := event.require(event_id);
begin
    return event.status_at(v_event.starts_at, v_event.ends_at, v_event.follow_up_days, access.clock());
end
$$;

comment on function event.status(uuid) is
    'pre_event, during_event, post_event or past_event, by access.clock().
Errors: 22004 null, QC201 unknown event.';

grant execute on function event.status(uuid) to concierge_app;
