-- The database's share of what a daemon serves to Prometheus: names and labels as they are shown there.
create or replace function queue.figures()
    returns table (name text, help text, labels text[], value double precision)
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select 'concierge_queue_jobs', 'Jobs that are not over, by kind and state; due are the ready ones whose time has come.',
        array['kind=' || o.kind, 'state=' || s.state], s.count::double precision
    from queue.overview as o
    cross join lateral (values ('due', o.due), ('later', o.later), ('running', o.running), ('held', o.held),
        ('parked', o.parked), ('dead', o.dead)) as s (state, count);
    return query
    select 'concierge_queue_oldest_due_seconds', 'For how long the oldest job has been due and not claimed.',
        array['kind=' || o.kind], coalesce(extract(epoch from o.oldest_due), 0)::double precision
    from queue.overview as o;
    return query
    select 'concierge_queue_stuck_jobs', 'Jobs that do not go on by themselves: see queue.stuck.',
        array[]::text[], count(*)::double precision
    from queue.stuck;
    return query
    select 'concierge_queue_open_breakers', 'Providers that are believed to be down.',
        array[]::text[], count(*)::double precision
    from queue.breaker_state as b where b.state <> 'closed';
    return query
    select 'concierge_queue_workers', 'Workers with a lease.', array[]::text[], count(*)::double precision
    from queue.worker as w where w.leased_until > clock_timestamp();
    return query
    select 'concierge_notification_queue_ratio', 'How full PostgreSQL''s queue of notifications is.',
        array[]::text[], pg_notification_queue_usage();
    return query
    select 'concierge_oldest_transaction_seconds', 'For how long the oldest transaction has been open.',
        array[]::text[], coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)), 0)::double precision
    from pg_stat_activity as a
    where a.datname = current_database() and a.pid <> pg_backend_pid();
    return query
    select 'concierge_queue_dead_rows', 'Dead rows in the table of live jobs, as last counted.',
        array[]::text[], t.n_dead_tup::double precision
    from pg_stat_user_tables as t where t.relid = 'queue.job'::regclass;
end
$$;

comment on function queue.figures() is
    'Samples for Prometheus: name, sentence, labels as name=value, value.';

grant execute on function queue.figures() to concierge_worker, concierge_admin;
