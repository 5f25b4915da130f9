-- Turns, from both ends: who asks, and the daemon, whose models say what the test wants.

-- The daemon's part: the next call that waits, and an answer to it, or none.
create function test.call_sent() returns jsonb language sql security definer as $$
    select payload from queue.job where kind in ('generate', 'embed') order by job_id desc limit 1
$$;
create function test.reply(said text, more jsonb default '{}') returns void language plpgsql security definer as $$
declare
    v_job record;
    v_me  text := current_setting('request.jwt');
begin
    perform set_config('request.jwt', '', true);    -- the daemon is nobody
    update queue.job set run_at = clock_timestamp() where state = 'ready';
    select * into v_job from queue.claim('test', '{generate,embed}', 1);
    perform queue.finish(v_job.job_id, v_job.token, jsonb_build_object('text', said, 'finish', 'stop', 'usage', '{"input": 1000, "output": 100}'::jsonb) || more);
    if current_setting('request.jwt') <> '' then
        raise 'somebody stays signed in';
    end if;
    perform set_config('request.jwt', v_me, true);
end
$$;
create function test.break_down(words text) returns void language plpgsql security definer as $$
declare
    v_job record;
    v_me  text := current_setting('request.jwt');
begin
    perform set_config('request.jwt', '', true);
    update queue.job set run_at = clock_timestamp(), max_attempts = 1 where state = 'ready';
    select * into v_job from queue.claim('test', '{generate,embed}', 1);
    perform queue.fail(v_job.job_id, v_job.token, words, 'item');
    perform set_config('request.jwt', v_me, true);
end
$$;
create function test.calls_waiting() returns bigint language sql security definer as $$ select count(*) from queue.job where kind in ('generate', 'embed') $$;
create function test.steps(turn uuid) returns text language sql as $$ select string_agg(e.state, ' ' order by e.number) from chat.turn_events as e where e.turn_id = turn $$;
-- What has a name, and the last turn.
create table test.ids (name text primary key, id uuid);
create function test.id(name text) returns uuid language sql as $$ select i.id from test.ids as i where i.name = id.name $$;
create function test.ask(conversation text, question text) returns jsonb language plpgsql as $$
declare
    v_turn uuid := chat.ask(test.id(conversation), question, 'k' || gen_random_uuid());
begin
    insert into test.ids values ('turn', v_turn) on conflict (name) do update set id = excluded.id;
    return chat.turn(v_turn);
end
$$;
create function test.now() returns jsonb language sql as $$ select chat.turn(test.id('turn')) $$;
grant all on test.ids to concierge_app;
grant execute on all functions in schema test to concierge_app;
