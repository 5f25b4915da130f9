-- Soon, and once for all that comes in between. Nobody waits for it: who finds another one about to ask leaves it to that
-- one, and what its count does not see yet upkeep has counted.
create or replace function knowledge.have_words_counted(workspace_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text := format('knowledge.count_words:%s', workspace_id);
begin
    if not exists (select from queue.job as j where j.key = v_key and j.state = 'ready')
        and pg_try_advisory_xact_lock(hashtext('knowledge.count_words'), hashtext(v_key))
    then
        perform queue.enqueue('call', jsonb_build_object('workspace_id', workspace_id), 'knowledge.count_words',
            run_at => now() + interval '1 s', key => v_key, on_conflict => 'replace');
    end if;
end
$$;

comment on function knowledge.have_words_counted(bigint) is 'Has what came and went counted in a second.';
-- Granted to nobody: functions of this schema call it.

-- Document frequencies are folded in behind the writers, who would otherwise wait for each other at the common words:
-- five thousand chunks a job, in the order of words, so that no two can deadlock.
create or replace function knowledge.count_some_words(workspace_id bigint, max_chunks int)
    returns int
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_taken      int;
    v_statistics knowledge.statistics;
begin
    -- One at a time: the row is the lock.
    perform from knowledge.statistics as s where s.workspace_id = count_some_words.workspace_id for update;
    execute format($sql$
        with taken as (
            delete from knowledge.uncounted as u
            where u.workspace_id = $1 and u.chunk_id = any (array(
                select o.chunk_id from knowledge.uncounted as o
                where o.workspace_id = $1 order by o.chunk_id limit $2 for update skip locked))
            returning u.chunk_id, u.lexemes, u.length
        ), came as (
            select l.chunk_id, l.length, l.words,
                (w.bm25_k1 * (1 - w.bm25_b + w.bm25_b * l.length / s.average_length))::real as norm
            from taken as t
            join knowledge.chunk_words_%1$s as l on l.workspace_id = $1 and l.chunk_id = t.chunk_id
            join knowledge.workspaces as w on w.workspace_id = $1
            join knowledge.statistics as s on s.workspace_id = $1
            where t.lexemes is null
        ), changes as (
            select u.lexeme, 1 as one,
                f.count / (f.count + c.norm) as weight
            from came as c
            cross join lateral unnest(c.words) as u
            cross join lateral (
                select greatest(coalesce(cardinality(u.positions), 1), 1)::real as count) as f
            union all
            select u.lexeme, -1, 0
            from taken as t
            cross join lateral unnest(t.lexemes) as u (lexeme)
        ), summed as (
            select c.lexeme collate "C" as lexeme, sum(c.one)::int as chunk_count, max(c.weight)::real as max_weight,
                count(*) filter (where c.weight > knowledge.strong_weight())::int as strong_count
            from changes as c
            group by 1
        ), folded as (
            insert into knowledge.terms_%1$s as t (workspace_id, lexeme, chunk_count, max_weight, strong_count)
            select $1, m.lexeme, m.chunk_count, m.max_weight, m.strong_count from summed as m order by m.lexeme
            on conflict (workspace_id, lexeme) do update
                set chunk_count = t.chunk_count + excluded.chunk_count,
                    max_weight = greatest(t.max_weight, excluded.max_weight),
                    strong_count = least(t.strong_count + excluded.strong_count, t.chunk_count + excluded.chunk_count)
        ), total as (
            update knowledge.statistics as s
            set chunk_count = s.chunk_count + (select count(*) from came)
                    - (select count(*) from taken as t where t.lexemes is not null),
                word_count = s.word_count + (select coalesce(sum(c.length), 0) from came as c)
                    - (select coalesce(sum(t.length), 0) from taken as t where t.lexemes is not null),
                counted_at = now()
            where s.workspace_id = $1
        )
        select count(*) from taken$sql$, workspace_id)
    into v_taken using workspace_id, max_chunks;

    select * into v_statistics from knowledge.statistics as s where s.workspace_id = count_some_words.workspace_id;
    if v_statistics.chunk_count > 0 and abs(v_statistics.word_count::float8 / v_statistics.chunk_count
        / v_statistics.average_length - 1) > 0.1
    then
        perform knowledge.weigh_again(workspace_id);
    end if;
    -- What writers left beside the index, to be quick, every search has to read through.
    perform gin_clean_pending_list(i.indexrelid)
    from pg_index as i
    join pg_class as c on c.oid = i.indexrelid
    join pg_am as a on a.oid = c.relam and a.amname = 'gin'
    where i.indrelid = format('knowledge.lexical_%s', workspace_id)::regclass;
    perform knowledge.note_change(workspace_id);
    perform knowledge.fold_changes(workspace_id);
    return v_taken;
end
$$;

comment on function knowledge.count_some_words(bigint, int) is
    'Takes up to so many chunks that came or went into the statistics; returns how many.';
-- Granted to nobody: count_words calls it.

-- The stored weights know the average length, and the terms the largest weight. Seldom: only when the average is a tenth
-- off, which a grown workspace hardly ever is.
create or replace function knowledge.weigh_again(workspace_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
    update knowledge.statistics as s
    set average_length = greatest(s.word_count::real / nullif(s.chunk_count, 0), 1)
    where s.workspace_id = weigh_again.workspace_id and s.chunk_count > 0;
    execute format($sql$
        update knowledge.lexical_%1$s as l
        set weights = knowledge.weights(c.words, w.bm25_k1, w.bm25_b, s.average_length)
        from knowledge.workspaces as w
        join knowledge.statistics as s using (workspace_id)
        join knowledge.chunk_words_%1$s as c using (workspace_id)
        where w.workspace_id = %1$s and l.workspace_id = %1$s and l.chunk_id = c.chunk_id$sql$, workspace_id);
    execute format($sql$
        with bounds as (
            select u.lexeme collate "C" as lexeme, max(f.count / (f.count + n.norm))::real as max_weight,
                count(*) filter (where f.count / (f.count + n.norm) > knowledge.strong_weight()) as strong_count
            from knowledge.chunk_words_%1$s as l
            join knowledge.workspaces as w on w.workspace_id = l.workspace_id
            join knowledge.statistics as s on s.workspace_id = l.workspace_id
            cross join lateral (
                select (w.bm25_k1 * (1 - w.bm25_b + w.bm25_b * l.length / s.average_length))::real as norm) as n
            cross join lateral unnest(l.words) as u
            cross join lateral (
                select greatest(coalesce(cardinality(u.positions), 1), 1)::real as count) as f
            group by 1
        )
        update knowledge.terms_%1$s as t
        set max_weight = b.max_weight, strong_count = b.strong_count
        from bounds as b
        where t.workspace_id = %1$s and t.lexeme = b.lexeme$sql$, workspace_id);
end
$$;

comment on function knowledge.weigh_again(bigint) is
    'Makes all weights of a workspace anew, for the average length it has now.';
-- Granted to nobody: functions of this schema call it.

create or replace function knowledge.count_next_words(workspace_id bigint)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from knowledge.workspaces as w where w.workspace_id = count_next_words.workspace_id)
        and knowledge.count_some_words(workspace_id, 5000) = 5000
    then
        perform queue.enqueue('call', jsonb_build_object('workspace_id', workspace_id), 'knowledge.count_words');
    end if;
end
$$;

comment on function knowledge.count_next_words(bigint) is 'Counts five thousand chunks, and has the next ones counted.';
-- Granted to nobody: count_words calls it.

create or replace function knowledge.count_words(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select knowledge.count_next_words((queue.payload_of(job_id) ->> 'workspace_id')::bigint);
end;

comment on function knowledge.count_words(bigint, jsonb) is 'Continuation: counts what came and went in a workspace.';
-- Granted to nobody: queue.finish calls it.
