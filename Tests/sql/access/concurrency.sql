-- Signing in while an operator disables people, and keys taken twice in the other order.
create function test.remember(key text) returns void language plpgsql as $$
begin
    perform access.recall('test', key, '{}');
    perform access.remember('test', key, to_jsonb(key));
end
$$;

-- session: operator
begin;
select access.disable_person('acme', 'anna');
-- session: anna
-- Until the operator commits, anna is who she was, and does not wait.
begin;
select set_config('request.jwt', access.issue_token('acme', 'anna'), true);
-- She is known,
select person_id is not null from access.me();
--| t
commit;
-- session: operator
commit;
-- session: anna
-- and with the commit she is refused, with the token she had.
select access.sign_in(access.issue_token('acme', 'anna'));
--> error QC403

-- Two calls that take two keys in opposite orders: one of them fails, with a code that says to try again.
-- The server ends whoever looks first; here that is two.
-- session: two
set deadlock_timeout = '10ms';
select set_config('request.jwt', access.issue_token('acme', 'bert'), false);
begin;
select test.remember('b');
-- session: one
select set_config('request.jwt', access.issue_token('acme', 'bert'), false);
begin;
select test.remember('a');
-- The first waits for the second,
select test.remember('b');
--> waits for two
-- session: two
-- and the second for the first: one must give way,
select test.remember('a');
--> error 40P01
rollback;
-- session: one
-- which sets the other free.
--> done
commit;
