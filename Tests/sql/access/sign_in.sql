-- Signing in is local to the transaction, unless asked for otherwise. Commits, in a database that is thrown away.
select no_plan();

begin;
select access.sign_in(access.issue_token('acme', 'anna'));
commit;
select is(nullif(current_setting('request.jwt', true), ''), null, 'Signing in ends with the transaction: a pooled connection goes to somebody else');
select throws_ok('select access.whoami()', 'QC401', null, 'After it nobody is signed in');
begin;
select access.sign_in(access.issue_token('acme', 'anna'), for_session => true);
commit;
select is(access.whoami() ->> 'subject', 'anna', 'With for_session it stays');
begin;
select access.sign_in(access.issue_token('acme', 'bert'));
select is(access.whoami() ->> 'subject', 'bert', 'Another may sign in for one transaction');
commit;
select is(access.whoami() ->> 'subject', 'anna', 'and the session''s is back after it');
begin;
select access.sign_in(access.issue_token('globex', 'anna'), for_session => true);
rollback;
select is(access.whoami() ->> 'subject', 'anna', 'A transaction that rolls back signs nobody in');
select * from finish();
