-- How much of what is private is found, and how much of what is found is private: 287 lines made up for this, half of
-- them traps. «kind|value» is private; what stands outside is not. \n is a line's end; · stands in keys alone, so that
-- nobody's scanner takes them for real, and goes before they are read. A part counts as found when kind, start and end
-- are right. The figures are in the sentences: concierge test Tests/sql/access/redaction_figures.sql --format tap
begin;
select no_plan();

create temp table labelled as
select l.place, l.line from regexp_split_to_table(replace(replace($lines$
My card is «card|4641 5267 7664 5559», expires 04/29.
Charge «card|4482209255232908» please
Visa «card|4104 7650 6819 9525» CVV 123
«card|5111327567366697» was declined twice
MC: «card|5324-7701-5945-3543».
I typed «card|5540 5474 4482 4680» by mistake
new-range Mastercard «card|2221337045204646»
another one, «card|2650 2711 0864 6460», works
limit of the range: «card|2720889859517758»
Amex «card|3432 038297 82446»
amex without spaces «card|376294310913665»
(«card|3701-993521-05128»)
Diners «card|3603 323782 3413»
old Diners «card|30571561287149» ok
Discover «card|6011 7361 1482 2011»
Discover «card|6592506322853562» too
«card|6217-9316-8813-2846» UnionPay
JCB: «card|3530638377466206»
银行卡号是«card|6269464298855413»，谢谢
Karte „«card|4836 6771 6989 6054»“ bitte sperren
{"number":"«card|4043040529272145»"}
pan=«card|5268513681648901»&exp=0429
two cards: «card|4696 8833 9632 1358» and «card|5462 5031 2925 5827»
1) «card|4833591416644113»\n2) «card|4943417534674062»
nineteen digits: «card|4830368906728576554»
UnionPay 19 «card|6259 0533 0874 5103 894»
«card|4700 6609 4589 6021»
card:«card|4266380512430155»
Dots «card|4009.5285.1471.6979» are odd
The old Visa card «card|4130745094822» has thirteen digits
wide spaces «card|4673 2667 7264 2349» here
#«card|4557648927384961»
Card no. «card|4435041324458497»/04/29
CARTE BANCAIRE «card|4926 1317 3200 1850»
SSN «us_ssn|119-49-8600»
My social security number is «us_ssn|690-82-2418».
ssn: «us_ssn|451448585»
Social Security: «us_ssn|038 82 5917»
«us_ssn|048-40-7811» is the number on the form
(«us_ssn|563-12-7755»)
applicant;«us_ssn|032-21-0606»;CO
{"ssn":"«us_ssn|507308157»"}
Her SSN ends the line: «us_ssn|101-57-3276»
SSNs «us_ssn|409-50-4454» and «us_ssn|158-03-0499»
The W-9 says «us_ssn|765-41-6053»
spouse «us_ssn|463-21-5080», child «us_ssn|678-33-4625»
with other dashes «us_ssn|028‑96‑7930»
SSN=«us_ssn|241-68-6994»
Payroll needs «us_ssn|350-70-2601» by Friday
ssn # «us_ssn|443602898»
身份 «us_ssn|273-89-0500» 号
«us_ssn|530-46-5510»
tax id «us_ssn|796-67-5325», filed 2026-04-15
social «us_ssn|691 92 4239»
old «us_ssn|507-04-5164» new «us_ssn|718-24-2097»
Write to «email|anna@example.com».
«email|a.b+tag@example.co.uk»
Mail: <«email|o'neil@example.org»>
mailto:«email|x@sub.domain.example.net»?subject=Hi
"«email|first_last@example.io»" bounced
'«email|ANNA@EXAMPLE.COM»' bounced
cc «email|42@example.de», please
(«email|jörg@münchen.example»)
邮箱是«email|иван@пример.испытание»。
Reach me at «email|user%dept@example.com»!
[«email|a@b.co»](x)
user=«email|info@xn--mnchen-3ya.example»;
To:«email|very.long.name.with.many.dots@a-b-c.example.museum»
…«email|99bottles@163.com»…
«email|no-reply@mail.example.com», who rang
Both «email|p0@example.com» and «email|q.0@example.org» answered
«email|p1@example.com»;«email|q.1@example.org»
From «email|p2@example.com» to «email|q.2@example.org»\nSubject: x
«email|p3@example.com» -> «email|q.3@example.org»
Contact: «email|jo@example.com» | Tel: «phone|(303) 555-0147»
https://example.com/?u=«email|kim@example.com»
Ask «email|s.t-u@example.ai» (CEO)
Is it «email|who@example.us»?
Call me on «phone|+1 303 555 0142»
«phone|+1-415-555-0199»
Tel. «phone|+13035550112»
my number: «phone|(720) 555-0123», after six
Office «phone|720-555-0188» / home
(«phone|720.555.0177»)
Ring «phone|1-800-555-0100»!
Fax: «phone|1 (212) 555-0155»
WhatsApp «phone|+49 30 1234567» please
reach us at «phone|+49 (0)171 2345678».
Durchwahl «phone|+44 20 7946 0958»
Call me on «phone|+33 1 70 18 99 00»
«phone|+41 44 668 18 00»
Tel. «phone|+43 1 23456789»
my number: «phone|+34 910 123 456», after six
Office «phone|+39 06 698 12345» / home
(«phone|+81 3-1234-5678»)
Ring «phone|+86 10 6552 9988»!
Fax: «phone|+91 98765 43210»
WhatsApp «phone|+61 2 5550 1234» please
reach us at «phone|+7 495 123-45-67».
Durchwahl «phone|+420 224 123 456»
Call me on «phone|303/555-0166»
«phone|415 555 0134»
Tel. «phone|(303)555-0190»
Phone: «phone|3035550119»
please call «phone|7205550103» today
Telefon «phone|030 1234567»
tel «phone|0049 30 1234567»
mobile: «phone|07700 900123»
Tél. «phone|01 70 18 99 00»
Handy «phone|0171/2345678»
两个电话 «phone|+86 10 6552 9977» 和 «phone|+86 21 5555 1234»
«phone|303-555-0101» or «phone|303-555-0102»
Text «phone|(970) 555-0111» ext. 12
cell=«phone|9705550122»
IBAN «iban|DE89370400440532013000»
Transfer to «iban|GB29 NWBK 6016 1331 9268 19» today
Konto: «iban|FR1420041010050500013M02606», BIC COBADEFFXXX
«iban|ES91 2100 0418 4502 0005 1332»
(«iban|NL91ABNA0417164300»)
iban=«iban|BE68 5390 0754 7034»;
Pay «iban|CH9300762011623852957».
Bitte auf «iban|AT61 1904 3002 3457 3201» überweisen
Account «iban|IT60X0542811101000000123456» BIC ABCDEF22
账号«iban|PL10 1050 0099 7603 1234 5678 9123»。
IBAN «iban|NO9386011117947»
Transfer to «iban|SE45 5000 0000 0583 9825 7466» today
Konto: «iban|PT50000201231234567890154», BIC COBADEFFXXX
«iban|MT84 MALT 0110 0001 2345 MTLC AST0 01S»
(«iban|IE29AIBK93115212345678»)
iban=«iban|DK50 0040 0440 1162 43»;
Pay «iban|TR330006100519786457841326».
Bitte auf «iban|AE07 0331 2345 6789 0123 456» überweisen
Account «iban|BR1800360305000010009795493C1» BIC ABCDEF22
账号«iban|SA03 8000 0000 6080 1016 7519»。
«iban|BE68 5390 0754 7034» and «iban|BE68 5390 0754 7034»
lower case «iban|de89370400440532013000» too
«iban|ES91 2100 0418 4502 0005 1332» IBAN
from «iban|GB29NWBK60161331926819» to «iban|NL91 ABNA 0417 1643 00»
aws «key|AKI·A2Q3DMAZSLCRAEVZA»
export OPENAI=«key|sk-pro·j-C6cwvMZIDNMC3dLxVDxqo4PXhlYbd9C4VyOcvzH0»
«key|s·k-PkCH4a5RcJV5sWsJxvP9ixYQs3gnkzt8IVTmfDgwrTVRlH27» leaked
ant «key|sk-an·t-api03-YtPePy94KHrfJuBsvjApWGVwR94wZD-Da2h3agAwXYpdfqyKoTAqNUfOR3jBS_AA»
stripe «key|sk_liv·e_TWnN9ZPxAAXJlnUNTDDFLyxE»
use «key|gh·p_p1C0J1Eg3AgQT904rveP0LvniIqUIHqThdRy»
«key|github_pa·t_nMjNKr3UjdRt7xLm2GsIHC_BfefIHnHFqV5aEdk7srnH6oVom44BjaoRB9kd5bC» in CI
gitlab «key|glpa·t-kY5JJzxcd5gVGlJUbYkr»
slack «key|xox·b-51731393563-o6S·GkivJxCtdYpnXzZAJClGM»
maps «key|AIz·aoKPgPpGicyKXCTOQlbOlGbWsvdMoFjTHgFU»
«key|ey·JhbGciOiJIUzI1NiJ9.ey·JzdWIiOiJhbm5hIn0.lPTyGtLS9zN5jS8T11uvZa6ywma4y8zKeoPGAhHOrFI»
Authorization: Bearer «key|2QDqyHzdkOahQ2hd9sXE1DXCBkqcXJNLoeEYKNcH»
curl -H "Authorization: bearer «key|0fa95ac221b4b84d6467c71d89721e31fcd42a59»"
token in a cookie: «key|ey·JhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.ey·Jyb2xlIjoiYXBwIn0.1s5lxPYONQRPJ8GZFRa5H9Tysoj4kBpE5V6VwOqJNvT»;
password=«key|hunter2»
Password: «key|Winter2024!»
my password is «key|tr0ub4dor&3»
DB_PASSWORD=«key|swordfish»
{"password": "«key|correct-horse»"}
passwd='«key|s3cr3t!!»'
api_key: «key|25bc474802a4598d08b75d5b901e7177»
API key = «key|4fafad7e65a50fe3b6e6eab775f2755e»
client_secret=«key|cUgcofPWk1K89wrotSQyKk2g»&grant=x
aws_secret_access_key = «key|srPmM7wuTS3UYH2stram/Z8XriytBY+99ck4XIMs»
access_token=«key|wBXbG9OWua9S7O0nfWA0YbaxfFgdF5»
Das Passwort ist «key|Geheim-99»
pwd:«key|abc12345»
postgres://«key|app:s3cret»@db.example.com/x
https://«key|oauth2:dMXEwPjtgpUN6XhYglXM»@git.example.com/r.git
here: «key|-----BEGIN PRIVAT·E KEY-----\nMIIEvQIBADANBgkq4fuYGAwdC5Ry3rh4TC5s\nEKjjXADlr7buEpLANGiyicneZ1sI8xbe4VvBE02E==\n-----END PRIVAT·E KEY-----» thanks
cut off «key|-----BEGIN OPENSSH PRIVAT·E KEY-----\nb3BlbnNzaC1rZXktdjEAFADJDXn37640PBO1GxlHPmjJ4xa0xC\n»
npm «key|np·m_454Y2KZfgUOt4nSZiT4eOqlLfIy6P9RLw1aa»
sendgrid «key|S·G.EgKEF2eHMEfX1XGqiV3fzt.8AZnaRS8pXKL7nHCNbLMxHcem3NEKxiIaerjGRfj0kp»
secret: "«key|opensesame»"
temporary «key|ASI·ASXPDLIJJ5WB5E3I3», session
Issue #47 and PR #999 are closed
Order 10023 ships on 2027-05-03
Order no. 4711-0815
ratio 0.4111111111111111 of it
pi is 3.14159265358979323846
ids 4111111111111111947945 are longer
uuid 41111111-1111-4111-9111-111111111111
urn:uuid:5500a0f1-4444-4111-8111-123456789012
5500000000004444abcdef0123456789 is a hash
at 1700000000000 ms
at 1700000000000000 us and 1700000000000000000 ns
sha256 868f7e3e1fd5036e392883b4bff96db49c0e5be858084795403793e3f26977a3
card-like, wrong digit: 4910 4005 9655 5230
card-like, wrong digit: 5196928744417159
amex-like 379470588957361
tracking 9400 1000 0000 0000 0000 00
ISBN 978-3-16-148410-0
EAN 4006381333931
IMEI 356938035643809
invoice 2027-000123
SKU 123-456-789
part 12-345-6789
zip 80202-1234
EIN 12-3456789
not an SSN: 000-12-3456
nor 666-12-3456
nor 912-34-5678
nor 123-00-4567
nor 123-45-0000
serial 1123-45-67890
range 100-20-3000-40
number 123456789 alone
population 331449281
on 2027-05-03 at 10:30
from 03.05.2027 to 04.05.2027
call on 01.02.2027 at 10:00
phone meeting 05/03/2027, 9-10 am
10:00-11:30, room 4
2027-05-03T09:00:00+02:00
UTC+0530
version 1.2.3
version 10.20.30.40
v2.0.0-rc.1
ip 192.168.100.200
2001:db8::8a2e:370:7334
lat 39.7392, long -104.9903
$1,234,567.89
+1000 points
+12345678 steps
1 000 000 000
score 3-2, 21-19, 15-21
5551234
911
call 911 now
dial 0
ext. 4411
ring me at 10
phone model 3310
100 200 3000
211-555-0123 has no such area
port 5432
row 4155550134 of the export
0012345678 is padded
build 20270503101530
x = 7205550103 * 2
@anna mentioned
anna at example.com
a@b
user@localhost
git@github.com:example/repo.git
npm i left-pad@1.3.0
lodash@4.17.21-next.zip
icon@2x.png
@scope/package
mail me @ home
5 @ 3.50 each
anna@@example.com
foo@.com
DE00 3704 0044 0532 0130 00 is wrong
DE89 3704 0044 0532 0130 01 is wrong
GB29NWBK60161331926818
model BE12 3456 7890 1234
XX89370400440532013000
IT90 is a plan
password: required
The password is required
password must have 12 characters
token=null
token: expired
"password": "string"
secret: <hidden>
password=${DB_PASSWORD}
password = get_password()
token=response.token
API key: see the vault
a bearer of good news
bearer authentication-and-authorization
sk-learn and sk-image
the secret is out
eyJ is how they begin
ghp_ is a prefix
AKIA
forgot password?
tokens: 1234
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
https://example.com:8080/a@b
http://localhost:3000/@user
pwd=
passwords and tokens
The token is valid
max_tokens=4096
token_count: 128000
secret santa is on 2027-12-06
$lines$, '·', ''), '\n', E'\r'), '\n') with ordinality as l (line, place) where l.line <> '';

create temp table text_line as
select l.place, translate(regexp_replace(l.line, '«[a-z_]+\|([^»]*)»', '\1', 'g'), E'\r', E'\n') as content from labelled as l;

-- Where the parts stand in the text, which is without the markup.
create temp table wanted as
select l.place, p.part[2] as kind, sum(length(p.part[1] || p.part[3])) over w - length(p.part[3]) + 1 as starts_at,
    sum(length(p.part[1] || p.part[3])) over w as ends_at
from labelled as l
cross join lateral regexp_matches(l.line, '([^«]*)«([a-z_]+)\|([^»]*)»', 'g') with ordinality as p (part, n)
window w as (partition by l.place order by p.n);

create temp table told as
select t.place, p.kind, p.starts_at, p.ends_at from text_line as t
cross join lateral access.private_parts_of(null, t.content) as p;

create temp table figures as
select kind, count(*) filter (where is_wanted) as wanted, count(*) filter (where is_told) as found,
    count(*) filter (where is_wanted and is_told) as agreed
from (select true as is_wanted, * from wanted) as w
full join (select true as is_told, * from told) as t using (place, kind, starts_at, ends_at)
group by kind;

select set_eq('select kind from figures', array['card', 'us_ssn', 'email', 'phone', 'iban', 'key'], 'Every kind is in the set');
select cmp_ok(wanted, '>=', 20::bigint, format('There are %s of kind %s', wanted, kind)) from figures order by kind;
select cmp_ok(agreed::numeric / nullif(found, 0), '>=', 0.98, format('%s: precision %s, %s of %s found', kind, round(agreed::numeric / nullif(found, 0), 3), agreed, found)) from figures order by kind;
select cmp_ok(agreed::numeric / wanted, '>=', 0.98, format('%s: recall %s, %s of %s wanted', kind, round(agreed::numeric / wanted, 3), agreed, wanted)) from figures order by kind;

-- What went wrong, to read.
select diag(format('%s %s in: %s', case when is_told then 'not wanted:' else 'missed:' end, kind, x.content))
from (select true as is_wanted, * from wanted) as w
full join (select true as is_told, * from told) as t using (place, kind, starts_at, ends_at)
join text_line as x using (place)
where is_wanted is null or is_told is null;

-- What was redacted once stays as it is.
select is_empty($$
    select r.once, access.redact_for(null, r.once) from text_line as t
    cross join lateral (select access.redact_for(null, t.content) as once) as r
    where access.redact_for(null, r.once) <> r.once $$, 'A redacted line is not redacted further');

select * from finish();
rollback;
