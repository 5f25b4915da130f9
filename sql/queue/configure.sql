create or replace function queue.configure(
    history_for interval default null, dead_letters_for interval default null, breaker_after int default null,
    breaker_pause interval default null, breaker_longest interval default null
)
    returns queue.setting
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    update queue.setting as s
    set history_for = coalesce(configure.history_for, s.history_for),
        dead_letters_for = coalesce(configure.dead_letters_for, s.dead_letters_for),
        breaker_after = coalesce(configure.breaker_after, s.breaker_after),
        breaker_pause = coalesce(configure.breaker_pause, s.breaker_pause),
        breaker_longest = coalesce(configure.breaker_longest, s.breaker_longest)
    returning s.*;
end;

comment on function queue.configure(interval, interval, int, interval, interval) is
    'Sets what is given, and returns all of queue.setting. Errors: 23514 less than a day, or than nothing.';

grant execute on function queue.configure(interval, interval, int, interval, interval) to concierge_admin;
