-- Two caches, a little wider than their names: whatever can be "now" or "within 60 minutes" at any
-- instant from five minutes before the refresh to twenty minutes after it. Reads filter by their own
-- instant, so "now" is never the refresh's now. One row a session. refresh_state says for which instants
-- they are complete.
create materialized view event.mv_sessions_now as
select d.*
from event.session_details as d
where d.session_start <= now() + interval '20 minutes' and d.session_end > now() - interval '5 minutes';

create unique index mv_sessions_now_key on event.mv_sessions_now (session_id);
create index mv_sessions_now_by_event on event.mv_sessions_now (event_id);
comment on materialized view event.mv_sessions_now is
    'Cache of sessions on now or about to be; read it through event.sessions_now(event_id), which is exact.';

create materialized view event.mv_sessions_next_60 as
select d.*
from event.session_details as d
where d.session_start > now() - interval '5 minutes' and d.session_start <= now() + interval '80 minutes'
    -- Follows from the first; said for the index that begins with it.
    and d.session_end > now() - interval '5 minutes';

create unique index mv_sessions_next_60_key on event.mv_sessions_next_60 (session_id);
create index mv_sessions_next_60_by_event on event.mv_sessions_next_60 (event_id);
comment on materialized view event.mv_sessions_next_60 is
    'Cache of sessions that start within the hour; read it through event.sessions_next(event_id),
which is exact.';

-- Refreshed often, so vacuumed by count and not by share.
alter materialized view event.mv_sessions_now
    set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
alter materialized view event.mv_sessions_next_60
    set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
-- Granted to nobody: a materialized view has no row-level security. What they hold after this file has run is
-- unknown to readers until a refresh says so:
delete from event.refresh_state;

-- The door for apps: the tenant is checked here, and nothing leaks past the barrier.
create or replace view event.cached_sessions with (security_barrier) as
select c.*
from (
    select n.*, 'now' as timeframe from event.mv_sessions_now as n
    union all
    select n.*, 'next' from event.mv_sessions_next_60 as n
) as c
where c.tenant_id = (select access.tenant_id());

comment on view event.cached_sessions is
    'Both materialized views, the signed-in tenant''s rows, with timeframe "now" or "next"; complete only when
event.cache_is_exact() says so.';

grant select on event.cached_sessions to concierge_app;
