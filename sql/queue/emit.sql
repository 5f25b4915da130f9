-- Text as it comes, of all streams of a daemon in one statement, so that fifty of them cost a commit every 50 ms and not
-- fifty. Nothing is locked: a piece that comes when its attempt has just ended stays until upkeep, and nobody reads it, for
-- who knows the job knows that it is over.
--
-- Only what generates has text that comes bit by bit, and only what generates pays for it.
create or replace function queue.emit(job_ids bigint[], tokens bigint[], texts text[], numbers int[] default null)
    returns bigint[]
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
    -- A plan made when the queue was small is no good when it has grown.
    set plan_cache_mode = force_custom_plan
as $$
declare
    v_heard bigint[];
    v_stop  bigint[];
begin
    with piece as (
        select e.job_id, e.token, e.content, e.number, e.place
        from rows from (unnest(job_ids), unnest(tokens), unnest(texts), unnest(numbers))
            with ordinality as e (job_id, token, content, number, place)
    ), heard as (
        select p.job_id, p.token, p.content, p.number, p.place, j.cancel_requested
        from piece as p
        -- One look by key for each piece: the planner expects one such job, and would hold every piece against every job.
        cross join lateral (
            select o.cancel_requested from queue.job as o
            where o.job_id = p.job_id and o.token = p.token and o.state || '' = 'running' and o.kind = 'generate'
            offset 0
        ) as j
    ), superseded as (
        -- With an attempt's first piece alone: for all of them the planner would rather read the whole table.
        delete from queue.emission as m using heard as h
        where coalesce(h.number, 1) = 1 and m.job_id = h.job_id and m.token < h.token
    ), kept as (
        insert into queue.emission as m (job_id, token, number, content)
        select h.job_id, h.token, coalesce(h.number, row_number() over (partition by h.job_id order by h.place) + coalesce((
            select max(b.number) from queue.emission as b where b.job_id = h.job_id and b.token = h.token), 0)), h.content
        from heard as h
        -- Told again, because the answer to the first time was lost.
        on conflict on constraint emission_pkey do nothing
        returning m.job_id
    )
    select array(select distinct k.job_id from kept as k order by k.job_id),
        array(
            select distinct p.job_id
            from piece as p left join heard as h on h.place = p.place
            where h.place is null or h.cancel_requested
            order by p.job_id)
    into v_heard, v_stop;
    -- A number has 19 digits at most: 395 of them with their commas are 7,900 bytes, and a payload may have 7,999.
    perform pg_notify('concierge_text', string_agg(h.job_id::text, ',' order by h.place))
    from unnest(v_heard) with ordinality as h (job_id, place)
    group by (h.place - 1) / 395;
    return v_stop;
end
$$;

comment on function queue.emit(bigint[], bigint[], text[], int[]) is
    'Adds pieces of text to answers that are being given: job, token, text and number side by side, numbers following on when not
given. Whoever listens on concierge_text hears which jobs have more. What an earlier attempt said is gone with the first piece of
the next. Returns the jobs to stop: taken back, or not running with that token any more, whose pieces are dropped.';

grant execute on function queue.emit(bigint[], bigint[], text[], int[]) to concierge_worker;

create or replace function queue.drop_emissions()
    returns int
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_count int;
begin
    delete from queue.emission as m
    where not exists (
        select from queue.job as j where j.job_id = m.job_id and j.token = m.token and j.state || '' = 'running');
    get diagnostics v_count = row_count;
    return v_count;
end
$$;

comment on function queue.drop_emissions() is 'Drops text of attempts that are over; returns how many pieces.';
-- Granted to nobody: queue.upkeep calls it.
