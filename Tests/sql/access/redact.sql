-- What is private in a text does not leave it: each kind, what only looks like it, overlaps, numbers, a tenant's own rules.
begin;
select no_plan();

create function test.redacted(content text) returns text language sql as $$ select access.redact_for(null, content) $$;
create function test.kept(content text) returns text language sql as $$
    select is(test.redacted(content), content, 'It is left: ' || content) $$;

-- Nothing.
select is(test.redacted(null), null, 'No text has nothing');
select is(test.redacted(''), '', 'nor has the empty one');
select is(test.redacted('See you at the fair.'), 'See you at the fair.', 'A text without anything private stays as it is');

-- Each kind.
select is(test.redacted('Card 4111 1111 1111 1111, or 5555-5555-5555-4444.'), 'Card [card 1], or [card 2].', 'Cards are found in groups');
select is(test.redacted('378282246310005 and 3056 930902 5904'), '[card 1] and [card 2]', 'of other lengths');
select is(test.redacted('4111 1111 1111 1111 123'), '[card 1] 123', 'and before their security code');
select is(test.redacted('SSN 219-09-9999'), 'SSN [social security number 1]', 'A social security number');
select is(test.redacted('ssn: 219099999'), 'ssn: [social security number 1]', 'without dashes where it is spoken of');
select is(test.redacted('<anna.b+x@example.co.uk>, o''neil@example.com.'), '<[email 1]>, [email 2].', 'E-mail addresses');
select is(test.redacted('+49 30 1234567, (415) 555-0134, 1-800-555-0100'), '[phone 1], [phone 2], [phone 3]', 'Telephone numbers, international and of the US');
select is(test.redacted('DE89 3704 0044 0532 0130 00 BIC X'), '[iban 1] BIC X', 'An IBAN ends where its country''s do');
select is(test.redacted('BE68 5390 0754 7034 BE68 5390 0754 7034'), '[iban 1] [iban 1]', 'and the next begins');
select is(test.redacted('sk' || '-' || repeat('aB3', 12) || ', ghp' || '_' || repeat('aB3', 12) || ', AKI' || 'AIOSFODNN7EXAMPLE'), '[key 1], [key 2], [key 3]', 'Keys');
select is(test.redacted('Authorization: Bearer ' || repeat('0a', 16)), 'Authorization: Bearer [key 1]', 'Of a header the token');
select is(test.redacted('eyJ' || 'hbGciOiJIUzI1NiJ9.eyJ' || 'zdWIiOiJhIn0.abc-_9'), '[key 1]', 'A JSON web token');
select is(test.redacted('x -----BEGIN PRIVATE' || E' KEY-----\nMIIE/+==\n-----END PRIVATE' || ' KEY-----. y'), 'x [key 1]. y', 'A private key is one');
select is(test.redacted('-----BEGIN RSA PRIVATE' || E' KEY-----\nMIIE/+'), '[key 1]', 'also when its end is missing');
select is(test.redacted('password=hunter2&x=1, Password: Winter2024!'), 'password=[key 1]&x=1, Password: [key 2]', 'Of a password said its value');
select is(test.redacted('postgres://app:secret@db/x'), 'postgres://[key 1]@db/x', 'and of an address');

-- What only looks like it.
select test.kept(t) from unnest(array[
    '#47, #999 and order 10023', '4111 1111 1111 1112', '0.4111111111111111', '14111111111111111', '4111111111111111.5', '411111111111111123456',
    '41111111-1111-4111-8111-111111111111', '1700000000000', '1700000000000000', '2027-05-03 10:30', '03.05.2027', 'call on 01.02.2027', '1.2.3', '10:00-11:30',
    '192.168.100.200', '000-12-3456, 666-12-3456, 912-34-5678, 123-00-4567, 123-45-0000', '219099999', '4155550134', '211-555-0134', '+12345678', '5-219-09-9999',
    '@anna', 'a@b', 'left-pad@1.3.0', 'icon@2x.png', 'git@github.com:a/b.git', 'a..b@@example.com', 'DE89 3704 0044 0532 0130 01', 'XX89370400440532013000',
    'The password is required', 'password=${SECRET}', 'token=null', 'sk-learn', 'a bearer of news', '[email 1] and password=[key 1]']) as t;

-- Overlaps.
select is(test.redacted('call 4111 1111 1111 1111'), 'call [card 1]', 'A card is no telephone number besides');
select is(test.redacted('https://anna:pw12@example.com/x'), 'https://[key 1]@example.com/x', 'nor a password the name in an e-mail address');
select is(test.redacted('token=' || 'eyJ' || 'hbGciOiJIUzI1NiJ9.eyJ' || 'zdWIiOiJhIn0.abc'), 'token=[key 1]', 'One key said twice is one');

-- Numbers.
select is(test.redacted('a@b.co, c@d.co, A@B.CO, (415) 555-0134, +1 415 555 0134, 415.555.0134'), '[email 1], [email 2], [email 1], [phone 1], [phone 1], [phone 1]',
    'The same value has the same number, however it is written');
select is(test.redacted('4111-1111-1111-1111 = 4111111111111111'), '[card 1] = [card 1]', 'of cards, too');
select is(access.redact_for(null, 'Mail a@b.co', 'salt'), access.redact_for(null, 'Mail A@B.CO', 'salt'), 'With a salt it has the same in another text');
select isnt(access.redact_for(null, 'a@b.co', 'salt'), access.redact_for(null, 'c@d.co', 'salt'), 'other values another');
select isnt(access.redact_for(null, 'a@b.co', 'salt'), access.redact_for(null, 'a@b.co', 'pepper'), 'and in another conversation');
select matches(access.redact_for(null, 'a@b.co', 'salt'), '^\[email [0-9]{1,6}\]$', 'It is a number as well');

-- Any script around, and where things are.
create temp table hard as select U&'\+01F468\200D\+01F469 漢字a@b.co漢 ü\0308' || E'\x01\x02' || '4111111111111111字 e\0301' as content;
select is(test.redacted(content), U&'\+01F468\200D\+01F469 漢字[email 1]漢 ü\0308' || E'\x01\x02' || '[card 1]字 e\0301', 'Offsets hold in any script') from hard;
select results_eq($$ select substr(h.content, p.starts_at, p.ends_at - p.starts_at + 1) from hard as h, access.private_parts_of(null, h.content) as p order by p.starts_at $$,
    array['a@b.co', '4111111111111111'], 'and parts are where they are said to be');
select is_empty($$ select p.value from hard as h, access.private_parts_of(null, h.content) as p where convert_from(substr(convert_to(h.content, 'UTF8'), p.first_octet, p.octets), 'UTF8') <> p.value $$, 'in octets, too');
select setseed(0.5);
select is_empty($$
    select r.content from (select test.random_text(30) || ' a@b.co ' || test.random_text(30) || ' 4111111111111111 ' || test.random_text(30) as content from generate_series(1, 100)) as r
    where replace(replace(test.redacted(r.content), '[email 1]', 'a@b.co'), '[card 1]', '4111111111111111') <> r.content $$, 'What is around comes out as it went in');

-- As somebody.
select throws_ok($$ set local role concierge_app; select access.redact('a@b.co') $$, 'QC401', null, 'Who is not signed in has no rules');
select test.act_as('acme', 'anna');
select is(access.redact('Mail a@b.co'), 'Mail [email 1]', 'A person redacts');
select results_eq($$ select * from access.private_parts('Mail a@b.co or call 7205550103') $$, $$ values ('email', 6, 11, 0.95::real), ('phone', 21, 30, 0.6::real) $$, 'and is told what is found, and how sure that is');
select throws_ok($$ select access.redact_for(null, 'a') $$, '42501', null, 'Redacting for any tenant is for functions');
select throws_ok($$ select * from access.private_parts_of(null, 'a') $$, '42501', null, 'and so is looking');
select throws_ok(s, 'QC405', null, 'An attendee changes nothing: ' || s) from unnest(array[
    $$ select access.set_redaction_rule('phone_us', enabled => false) $$, $$ select access.drop_redaction_rule('phone_us') $$, $$ select access.configure_redaction('{phone}') $$]) as s;

-- A tenant's own rules.
select test.act_as('acme', 'olga');
select lives_ok($$ select access.set_redaction_rule('badge', 'badge', '\mBADGE-[0-9]+\M') $$, 'An organizer makes a rule');
select is(access.redact('BADGE-47'), '[badge 1]', 'and it is followed');
select lives_ok($$ select access.set_redaction_rule('badge', label => 'visitor', confidence => 0.3, context => '{Badge,shows}') $$, 'It is changed');
select is(access.redact('BADGE-47, she shows BADGE-47'), 'BADGE-47, she shows [visitor 1]', 'to be followed where it is spoken of');
select lives_ok($$ select access.set_redaction_rule('email', enabled => false) $$, 'A default is switched off');
select is(access.redact('a@b.co 4111111111111111'), 'a@b.co [card 1]', 'and no other');
select results_eq($$ select name, is_own, is_on from access.list_redaction_rules() where kind in ('badge', 'email', 'iban') $$, $$ values ('badge', true, true), ('email', true, false), ('iban', false, true) $$, 'The list says whose each rule is');
select lives_ok($$ select access.configure_redaction('{card}') $$, 'A kind is switched off');
select is(access.redact('4111111111111111, DE89370400440532013000'), '4111111111111111, [iban 1]', 'with all its rules');
select lives_ok($$ select access.configure_redaction(least_confidence => 1) $$, 'More is asked of a match');
select is(access.redact('4111111111111111, DE89370400440532013000'), '4111111111111111, DE89370400440532013000', 'and what was said before stays');
select results_eq('select kinds_off, least_confidence, keeps_originals from access.redaction_settings', $$ values ('{card}'::text[], 1::real, false) $$, 'Originals are not kept unless somebody says so');
select lives_ok($$ select access.configure_redaction('{}', 0.5, true) $$, 'which they may');
select is(access.drop_redaction_rule('email'), true, 'A rule of one''s own goes');
select is(access.drop_redaction_rule('email'), false, 'once');
select is(access.redact('a@b.co'), '[email 1]', 'and the default is back');

-- Tenants apart.
select test.act_as('globex', 'olga');
select is(access.redact('she shows BADGE-47, a@b.co'), 'she shows BADGE-47, [email 1]', 'Another tenant''s rules are nobody''s');
select is((select count(*) from access.redaction_rules)::int + (select count(*) from access.redaction_settings)::int, 0, 'and not seen');
select is_empty($$ select from access.list_redaction_rules() where is_own $$, 'nor listed');
select is(access.drop_redaction_rule('badge'), false, 'nor dropped');
select test.act_as_superuser();
select results_eq($$ select t.slug::text, access.keeps_originals(t.tenant_id) from access.tenants as t order by 1 $$, $$ values ('acme', true), ('globex', false) $$, 'Whether originals are kept is each one''s to say');
select set_eq($$ select distinct relation from access.audit_log where relation like 'access.redaction%' $$, $$ values ('access.redaction_rules'), ('access.redaction_settings') $$, 'Changes are in the audit trail');

-- Refusals.
select test.act_as('acme', 'olga');
select throws_ok(format('select access.set_redaction_rule(''x'', ''x'', %L)', p), 'QC232', null, why || ': ' || p)
from (values
    ('(', 'No regular expression'), ('[a', 'none either'), ('', 'The empty text matches'), ('a*', 'it does'), ('x|', 'and here'), ('\m', 'A place is no text'), ('(?=a)', 'nor is what follows one'), ('^', 'or a line''s start'),
    ('([a-z])\1', 'What refers back is slow'), ('(?<=ab)c', 'So is looking far behind'), ('(?<![a-z]+)c', 'however far'), ('(?<!ab|c)d', 'or either')) as v (p, why);
select lives_ok(format('select access.set_redaction_rule(''x'', ''x'', %L)', p), 'A pattern may: ' || p) from unnest(array['(?<![a-z])c', '(?<=[[:alpha:]_])c', '(?<!\d)c', '\\1', '(?i)abc', '(a|b)c']) as p;
select throws_ok($$ select access.set_redaction_rule('y') $$, '22004', null, 'A new rule needs more than a name');
select throws_ok($$ select access.set_redaction_rule('y', 'y', 'y', 'guess') $$, '23514', null, 'There is no such validator');
select throws_ok($$ select access.set_redaction_rule('y', 'y', 'y', label => '[x') $$, '23514', null, 'A label cannot look like two');
select throws_ok($$ select access.set_redaction_rule('y', 'y', 'y', confidence => 2) $$, '23514', null, 'Nothing is surer than sure');
select throws_ok($$ select access.configure_redaction('{fingerprint}') $$, 'QC231', 'redaction knows no kind "fingerprint"', 'A kind nobody knows cannot be off');
select test.act_as_superuser();

-- A pattern that matches the empty text after all, somewhere, harms nobody.
insert into access.redaction_rules (tenant_id, name, kind, label, pattern, confidence) select tenant_id, 'empty', 'e', 'e', 'q*', 1 from access.tenants where slug = 'globex';
select is(access.redact_for(tenant_id, 'aqqa a@b.co'), 'a[e 1]a [email 1]', 'Where nothing is matched, nothing is replaced') from access.tenants where slug = 'globex';

-- A megabyte made to hurt. What takes the square of it would take hours.
set local statement_timeout = '30s';
create function test.survives(what text, content text) returns text language sql as $$
    select ok(length(access.redact_for(null, content)) > 0, what) $$;
select test.survives('A megabyte of digits', repeat('4111111111111111', 62500));
select test.survives('of digits and spaces', repeat('1 ', 500000));
select test.survives('of digits and dashes', repeat('1-', 500000));
select test.survives('of pluses', repeat('+1', 500000));
select test.survives('of @', repeat('@', 1000000));
select test.survives('of letters and @', repeat('a@', 500000));
select test.survives('of hosts', repeat('a@a.', 250000));
select test.survives('of one long name', repeat('a', 1000000) || '@@x@b.co');
select test.survives('of a name with dots', repeat('a.', 500000) || '@b.co');
select test.survives('of dashes', repeat('-', 1000000));
select test.survives('of beginnings of keys', repeat('-----BEGIN PRIVATE KEY', 45000));
select test.survives('of keys that do not end', repeat('-----BEGIN PRIVATE KEY-----', 37000));
select test.survives('of passwords', repeat('password=', 110000));
select test.survives('of beginnings of tokens', repeat('eyJ', 330000));
select test.survives('of addresses', repeat('://a:', 200000));
select test.survives('of an address that does not end', '://' || repeat('a:', 500000) || '@');
select test.survives('of spaces', repeat(' ', 1000000));
select test.survives('of Chinese', repeat('漢', 333333));
select test.survives('of countries', repeat('DE12 3456 ', 100000));
select test.survives('of cards', repeat('4111 1111 1111 1111 ', 50000));
select test.survives('of e-mail addresses', repeat('ab@c.example.com ', 60000));
select test.survives('of telephone numbers', repeat('415-555-0134 ', 77000));

select * from finish();
rollback;
