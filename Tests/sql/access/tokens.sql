-- A token proves who asks; without one that proves it there are no rows, and no data in the refusal either.
begin;
select no_plan();

-- Tokens made by hand, as an issuer elsewhere would make them, or as an attacker would.
create function test.encode(part text) returns text language sql as $$ select access.base64url_encode(convert_to(part, 'UTF8')) $$;
create function test.secret(key text) returns bytea language sql as $$ select k.secret from access.token_keys as k where k.key_id = key $$;
create function test.sign(header text, claims text, secret bytea default test.secret('test-key'), digest text default 'sha256') returns text language sql as $$
    select b.body || '.' || access.base64url_encode(extensions.hmac(convert_to(b.body, 'UTF8'), secret, digest))
    from (select test.encode(header) || '.' || test.encode(claims) as body) as b $$;
create function test.header(alg text default 'HS256', kid text default 'test-key') returns text language sql as $$
    select jsonb_build_object('alg', alg, 'typ', 'JWT', 'kid', kid)::text $$;
create function test.claims(tenant text default 'acme', sub text default 'anna', more jsonb default '{}') returns text language sql as $$
    select (jsonb_build_object('tenant', tenant, 'sub', sub, 'exp', floor(extract(epoch from now())) + 600) || more)::text $$;

-- What a token is refused with: the code, and everything a client or a log gets to read. Once handed to sign_in, once to a query.
create function test.refusal(token text, how text, out code text, out words text) language plpgsql as $$
declare
    v_message text; v_detail text; v_hint text; v_context text;
begin
    if how = 'sign_in' then
        perform access.sign_in(token);
    else
        perform set_config('request.jwt', token, true);
        perform from event.events as e where e.tenant_id = (select access.tenant_id());
    end if;
exception when others then
    get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint, v_context = pg_exception_context;
    code := sqlstate;
    words := concat_ws(' ', v_message, v_detail, v_hint, v_context);
end
$$;

-- Signing in.
select access.create_token_key('ours', '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff');
select access.create_token_key('theirs', tenant => 'globex');
select is(access.sign_in(test.sign(test.header(), test.claims())) - 'expires_at',
    (select jsonb_build_object('tenant_id', p.tenant_id, 'person_id', p.person_id, 'subject', 'anna', 'roles', array['attendee'])
     from access.people as p join access.tenants as t using (tenant_id) where t.slug = 'acme' and p.subject = 'anna'), 'A token made elsewhere signs its person in');
select is(access.whoami() ->> 'subject', 'anna', 'whoami says who that is');
select is((access.sign_in(test.sign(test.header(), test.claims(more => '{"exp": 4102444800.5}'))) ->> 'expires_at')::timestamptz, '2100-01-01 00:00:00.5+00'::timestamptz, 'The expiry is the token''s, to the fraction');
select is(access.sign_in(access.issue_token('globex', 'olga')) ->> 'subject', 'olga', 'A token issued here signs in too');
select is(access.sign_in(test.sign(test.header(kid => 'ours'), test.claims(), '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff')) ->> 'subject', 'anna', 'So does one signed with a secret shared with an issuer elsewhere');
select is(access.sign_in(test.sign(test.header(kid => 'theirs'), test.claims('globex', 'bert'), test.secret('theirs'))) ->> 'subject', 'bert', 'and one of a key bound to its tenant');
select is(access.sign_in(test.sign('{"kid" :  "test-key",  "alg":"HS256"}', test.claims())) ->> 'subject', 'anna', 'White space in the header means nothing');
select is(access.sign_in(test.sign(test.header(), test.claims(more => '{"nbf": 0, "aud": ["x"], "extra": {"a": [1]}}'))) ->> 'subject', 'anna', 'Further claims are not in the way');

select access.create_person('acme', 'zoë+日本@example', 'Zoë');
select is(access.sign_in(test.sign(test.header(), test.claims(sub => 'zoë+日本@example'))) ->> 'subject', 'zoë+日本@example', 'A subject may be written in any script');

-- Nobody signed in.
select set_config('request.jwt', null, true);
select set_config('role', 'concierge_app', true);
select throws_ok(s, 'QC401', 'nobody is signed in', 'Without a token: ' || s)
from unnest(array['select access.whoami()', 'select access.me()', 'select access.tenant_id()', 'select access.person_id()', 'select access.has_role(''organizer'')',
    'select access.require_role(''organizer'')', 'select * from event.events', 'select * from access.people', 'select event.event_id(''fair'')']) as s;
select set_config('request.jwt', '', true);
select throws_ok('select * from event.events', 'QC401', null, 'An empty token is no token');
select set_config('request.jwt', ' ', true);
select throws_ok('select * from event.events', 'QC403', null, 'A blank one is not valid');
select set_config('role', 'none', true);

-- Tokens that do not count. All are refused by code, and no refusal repeats the token, its claims or the key.
create temp table bad_tokens (token text, why text, code text default 'QC403');
insert into bad_tokens (token, why, code) values (null, 'no token at all', 'QC401');
insert into bad_tokens (token, why) values
    ('', 'an empty text'), ('.', 'a dot'), ('..', 'two dots'), ('...', 'three dots'), ('a.b', 'two parts'), ('a.b.c.d', 'four parts'),
    ('Bearer ' || access.issue_token('acme', 'anna'), 'the word Bearer before it'),
    (' ' || access.issue_token('acme', 'anna'), 'a blank before it'),
    (access.issue_token('acme', 'anna') || E'\n', 'a line end after it'),
    (access.issue_token('acme', 'anna') || '=', 'padding after it'),
    ('!!!.???.' || repeat('A', 43), 'parts that are not base64'),
    ('Ä.Ö.' || repeat('Ü', 43), 'letters that are not ASCII'),
    ('abcde.' || test.encode(test.claims()) || '.' || repeat('A', 43), 'a part of impossible length'),
    (test.encode('not json') || '.' || test.encode('nor this') || '.' || repeat('A', 43), 'parts that are not JSON'),
    (access.base64url_encode('\xff00fe') || '.' || access.base64url_encode('\xc328') || '.' || repeat('A', 43), 'parts that are not text'),
    (repeat('A', 100000), '100 kB of letters'),
    (repeat('A', 50000) || '.' || repeat('A', 50000) || '.' || repeat('A', 43), '100 kB in the shape of a token'),
    (test.encode(repeat('[', 6000)) || '.e30.' || repeat('A', 43), 'JSON nested beyond reason'),
    (test.sign(test.header(), test.claims(more => jsonb_build_object('x', repeat('x', 9000)))), 'a signed token longer than 8192 characters'),
    (test.sign(test.header(), test.claims(), '\x00'), 'a signature of another key'),
    (overlay(access.issue_token('acme', 'anna') placing
        case left(right(access.issue_token('acme', 'anna'), 10), 1) when 'A' then 'B' else 'A' end
        from length(access.issue_token('acme', 'anna')) - 9 for 1), 'one letter of the signature changed'),
    (split_part(access.issue_token('acme', 'anna'), '.', 1) || '.' || test.encode(test.claims('globex')) || '.' || split_part(access.issue_token('acme', 'anna'), '.', 3), 'another tenant put into a signed token'),
    (split_part(access.issue_token('acme', 'anna'), '.', 1) || '.' || test.encode(test.claims(sub => 'olga')) || '.' || split_part(access.issue_token('acme', 'anna'), '.', 3), 'another subject put into it'),
    (test.encode(test.header('none')) || '.' || test.encode(test.claims()) || '.', 'alg none without a signature'),
    (test.sign(test.header('none'), test.claims()), 'alg none with a signature'),
    (test.sign(test.header('None'), test.claims()), 'alg None'),
    (test.sign(test.header('hs256'), test.claims()), 'alg in small letters'),
    (test.sign(test.header('HS512'), test.claims(), digest => 'sha512'), 'alg HS512'),
    (test.sign(test.header('HS512'), test.claims()), 'alg HS512 signed as HS256'),
    (test.sign(test.header('RS256'), test.claims()), 'alg RS256, the confusion of a public key with a secret'),
    (test.sign('{"kid": "test-key"}', test.claims()), 'no alg'),
    (test.sign('{"alg": ["HS256"], "kid": "test-key"}', test.claims()), 'alg in an array'),
    (test.sign(test.header(kid => 'no-such-key'), test.claims()), 'a key nobody knows'),
    (test.sign('{"alg": "HS256"}', test.claims()), 'no kid'),
    (test.sign('{"alg": "HS256", "kid": 7}', test.claims()), 'a kid that is a number'),
    (test.sign('{"alg": "HS256", "kid": "test-key'' or 1=1 --"}', test.claims()), 'a kid that would be SQL'),
    (test.sign('{"alg": "HS256", "kid": "\u0000"}', test.claims()), 'a NUL in the kid'),
    (test.sign('["alg", "HS256", "kid", "test-key"]', test.claims()), 'a header that is an array'),
    (test.sign('["alg", "HS256", {"kid": "test-key"}]', test.claims()), 'a header that is an array with an object'),
    (test.sign(test.header(kid => 'theirs'), test.claims(), test.secret('theirs')), 'a key of another tenant'),
    (test.sign(test.header(), '[1, 2]'), 'claims that are an array'),
    (test.sign(test.header(), '"anna"'), 'claims that are a text'),
    (test.sign(test.header(), 'null'), 'claims that are null'),
    (test.sign(test.header(), '{}'), 'no claims'),
    (test.sign(test.header(), (test.claims()::jsonb - 'exp')::text), 'no exp'),
    (test.sign(test.header(), test.claims(more => '{"exp": "4102444800"}')), 'an exp that is a text'),
    (test.sign(test.header(), test.claims(more => '{"exp": null}')), 'an exp that is null'),
    (test.sign(test.header(), test.claims(more => '{"exp": true}')), 'an exp that is true'),
    (test.sign(test.header(), test.claims(more => '{"exp": 1e300}')), 'an exp no timestamp can hold'),
    (test.sign(test.header(), test.claims(more => '{"exp": 1e4000}')), 'an exp no float can hold'),
    (test.sign(test.header(), test.claims(more => '{"exp": 4102444800000}')), 'an exp in milliseconds'),
    (test.sign(test.header(), test.claims(more => '{"nbf": 4102444800}')), 'an nbf to come'),
    (test.sign(test.header(), test.claims(more => '{"nbf": "0"}')), 'an nbf that is a text'),
    (test.sign(test.header(), test.claims(sub => 'nobody')), 'a subject nobody has'),
    (test.sign(test.header(), test.claims(sub => 'ANNA')), 'a subject in other letters'),
    (test.sign(test.header(), test.claims('nowhere')), 'a tenant that is not there'),
    (test.sign(test.header(), test.claims(more => '{"sub": null}')), 'a subject that is null'),
    (test.sign(test.header(), test.claims(sub => 'zoë+日本@example', tenant => 'globex')), 'a subject of another tenant'),
    (test.sign(test.header(), test.claims(more => '{"sub": ["anna"]}')), 'a subject in an array');
insert into bad_tokens values
    (test.sign(test.header(), test.claims(more => jsonb_build_object('exp', floor(extract(epoch from now())) - 1))), 'an exp a second ago', 'QC402'),
    (test.sign(test.header(), test.claims(more => '{"exp": 0}')), 'an exp of 1970', 'QC402'),
    (test.sign(test.header(), test.claims(more => '{"exp": -1e4000}')), 'an exp before time', 'QC402'),
    (access.issue_token('acme', 'anna', '-1 second'), 'a token issued for the past', 'QC402'),
    (test.sign(test.header(), '{"tenant": "acme", '), 'signed, but not JSON', '22P02');

create temp table refused as
select b.why, b.code as wanted, b.token, h.how, r.*
from bad_tokens as b, (values ('sign_in'), ('request.jwt')) as h (how), test.refusal(b.token, h.how) as r
where h.how = 'sign_in' or b.token <> '';
select is(code, wanted, format('%s: %s', how, why)) from refused;
select is_empty($$
    select r.why, r.how from refused as r, string_to_table(r.token, '.') as part where length(part) > 12 and strpos(r.words, part) > 0 $$,
    'No refusal repeats a part of a token');
select is_empty($$
    select r.why, r.how from refused as r, access.token_keys as k
    where strpos(r.words, encode(k.secret, 'hex')) > 0 or strpos(r.words, encode(k.secret, 'base64')) > 0 $$,
    'nor a key');
select is((select count(distinct words) from refused where how = 'sign_in' and why in ('a signature of another key', 'a key nobody knows', 'another tenant put into a signed token', 'another subject put into it'))::int, 1,
    'Without the key nothing can be learnt: which keys, tenants and people there are');
select throws_ok($$ select access.sign_in(E'a\000b') $$, '22021', null, 'A NUL cannot be sent to the server at all');
select throws_ok('select access.token_identity(null)', 'QC401', null, 'No token is nobody''s');

-- Disabled and retired.
savepoint before;
select is(access.disable_person('acme', 'anna'), true, 'A person is disabled');
select is(access.disable_person('acme', 'anna'), false, 'once');
select is(access.disable_person('acme', 'nobody'), false, 'and only if they are there');
select throws_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims())), 'QC403', null, 'A disabled person is refused');
select access.create_person('acme', 'anna', 'Anna Attendee');
select throws_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims())), 'QC403', null, 'and not revived by a script that runs again');
select lives_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims('globex'))), 'Whoever has the name elsewhere is somebody else');
select is(access.disable_person('acme', 'anna', disabled => false), true, 'An operator takes it back');
select lives_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims())), 'and the same token counts again');
rollback to before;
select is(access.disable_tenant('acme'), true, 'A tenant is disabled');
select is(access.disable_tenant('acme'), false, 'once');
select throws_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims())), 'QC403', null, 'So is everyone of a disabled tenant');
select lives_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims('globex'))), 'and nobody else');
select is(access.disable_tenant('acme', disabled => false), true, 'An operator takes it back');
select lives_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims())), 'and its people are back');
rollback to before;
select access.sign_in(test.sign(test.header(), test.claims()));
select is(access.retire_token_key('test-key'), true, 'A key is retired, even while its own token is presented');
select throws_ok('select access.whoami()', 'QC403', null, 'From that moment its tokens are refused');
select is(access.retire_token_key('test-key'), false, 'It is retired once');
select is(access.retire_token_key('no-such-key'), false, 'An unknown key cannot be');
rollback to before;

-- Keys.
select throws_ok($$ select access.create_token_key('short', '\x00') $$, '23514', null, 'A secret of less than 32 bytes is refused');
select throws_ok($$ select access.create_token_key('test-key') $$, '23505', null, 'A key id names one key');
select throws_ok(format('select access.create_token_key(%L)', k), '23514', null, format('"%s" cannot be the id of a key', k)) from unnest(array['', 'a b', 'a"b', 'ä']) as k;
select throws_ok($$ select access.create_token_key('k', tenant => 'nowhere') $$, 'QC202', null, 'A key is for a tenant that is there');
select throws_ok($$ select access.issue_token('acme', 'nobody') $$, 'QC202', null, 'A token is issued to a person who is there');
select throws_ok($$ select access.create_person('nowhere', 'x', 'X') $$, 'QC202', null, 'A person belongs to a tenant that is there');
select throws_ok($$ select access.create_person('acme', 'x', 'X', '{king}') $$, '23514', null, 'A person has known roles');
savepoint keyless;
update access.token_keys set retired_at = now();
select throws_ok($$ select access.issue_token('acme', 'anna') $$, 'QC202', 'there is no active key to sign with', 'No key, no token');
rollback to keyless;

-- Roles.
select test.act_as('acme', 'anna');
select is(access.has_role('organizer', 'attendee'), true, 'One of the roles is enough');
select is(access.has_role('organizer', 'service'), false, 'None of them is not');
select throws_ok($$ select access.require_role('organizer', 'service') $$, 'QC405', 'this needs role organizer or service', 'A role that is needed is named');
select is(access.me(), access.token_identity(current_setting('request.jwt')), 'me() is whom the token proves');

-- A set clock revives nothing, though this session may set it.
select test.act_as_superuser();
select test.freeze('2001-01-01');
select is(access.clock(), '2001-01-01'::timestamptz, 'The clock of this session is set');
select throws_ok(format('select access.sign_in(%L)', access.issue_token('acme', 'anna', '-1 minute')), 'QC402', null, 'A set clock revives no token');
select test.freeze('2101-01-01');
select lives_ok(format('select access.sign_in(%L)', test.sign(test.header(), test.claims())), 'nor does it age one');
select set_config('concierge.clock', '', true);

-- A parallel query asks too: it would refuse to start a subtransaction.
select test.act_as('acme', 'anna');
set local force_parallel_mode = on;
select is((select count(*) from event.events)::int, 1, 'A parallel query is read under the same policy');
reset force_parallel_mode;

-- A token smuggled into the query that reads: only what it proves counts, and a forged one proves nothing.
select test.act_as('acme', 'anna');
select throws_ok(format($$ with smuggled as (select set_config('request.jwt', %L, true))
    select e.slug from smuggled, event.events as e $$, test.forged), 'QC403', null, 'A forged token inside the query reads nothing')
from (select (string_to_array(current_setting('request.jwt'), '.'))[1] || '.' || access_claims || '.' || repeat('A', 43) as forged
      from (select translate(encode(convert_to('{"tenant": "globex", "sub": "olga", "exp": 4102444800}', 'UTF8'), 'base64'), E'+/=\n', '-_') as access_claims) as c) as test;
select test.act_as('acme', 'anna');
select throws_ok($$ with smuggled as materialized (select set_config('request.jwt', 'globex', true)) select * from smuggled, event.events $$, 'QC403', null, 'nor does a name for one');
select test.act_as('acme', 'anna');
select is_empty($$ select e.slug from event.events as e where set_config('concierge.tenant', 'globex', true) = 'globex' and e.title = 'Fair of globex' $$, 'Other parameters mean nothing');

select * from finish();
rollback;
