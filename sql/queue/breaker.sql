-- One breaker a provider and credential, shared by all workers. It counts faults of the provider only, in a
-- row: an answer of any kind, be it a refusal, shows that somebody is there.
create or replace function queue.provider_failed(provider text, error text, retry_after interval default null)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_setting queue.setting;
    v_breaker queue.breaker_state;
    v_pause   interval;
begin
    select s.* into v_setting from queue.setting as s;
    insert into queue.breaker_state as b (provider, faults, last_error)
    values (provider_failed.provider, 1, left(error, 2000))
    on conflict on constraint breaker_state_pkey do update
        set faults = b.faults + 1, last_error = excluded.last_error
    returning b.* into v_breaker;
    -- Those that were under way when it opened tell nothing new.
    if v_breaker.state = 'open' or v_breaker.state = 'closed' and v_breaker.faults < v_setting.breaker_after then
        return;
    end if;

    v_pause := greatest(retry_after, least(v_setting.breaker_longest,
        v_setting.breaker_pause * power(2, least(v_breaker.openings, 20))) * (0.75 + random() / 2));
    update queue.breaker_state as b
    set state = 'open', openings = b.openings + 1, opened_at = coalesce(b.opened_at, clock_timestamp()),
        retry_at = clock_timestamp() + v_pause, probe = null
    where b.provider = provider_failed.provider;
    update queue.closed_gate as g set opens_at = clock_timestamp() + v_pause
    where g.gate = 'breaker:' || provider_failed.provider;
end
$$;

comment on function queue.provider_failed(text, text, interval) is
    'Counts a fault of a provider; after queue.setting.breaker_after in a row its breaker opens.';
-- Granted to nobody: queue.fail calls it.

create or replace function queue.provider_answered(provider text)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    -- A provider that is well costs one look into an index.
    if not exists (select from queue.breaker_state as b where b.provider = provider_answered.provider) then
        return;
    end if;
    delete from queue.breaker_state as b where b.provider = provider_answered.provider;
    perform queue.open_gate('breaker:' || provider_answered.provider);
end
$$;

comment on function queue.provider_answered(text) is 'Closes the breaker of a provider.';
-- Granted to nobody: queue.finish and queue.fail call it.
