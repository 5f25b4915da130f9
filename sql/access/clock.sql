-- One clock for every "now" the product speaks of. Golden traces replay a conference day by setting
-- concierge.clock; the setting counts only in a session whose login may administer, because anyone can
-- set a parameter.
create or replace function access.clock()
    returns timestamptz
    language sql stable parallel safe
return case
    when pg_has_role(session_user, 'concierge_admin', 'member')
        then coalesce(nullif(current_setting('concierge.clock', true), '')::timestamptz, now())
    else now()
end;

comment on function access.clock() is
    'The present: now(), unless the session''s login is a member of concierge_admin and
has set concierge.clock.';

grant execute on function access.clock() to concierge_app, concierge_worker, concierge_admin;
