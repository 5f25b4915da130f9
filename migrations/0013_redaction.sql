-- What is private in a text, as data: rules that find it, and what a tenant wants of them.
set local role concierge_owner;

create table access.redaction_rules (
    rule_id    bigint      generated always as identity primary key,
    tenant_id  uuid        references access.tenants on delete cascade,
    name       text        not null constraint "a rule's name is 1-63 lower-case letters, digits or _" check (
                   name ~ '^[a-z][a-z0-9_]{0,62}$'),
    kind       text        not null constraint "a kind is 1-63 lower-case letters, digits or _" check (
                   kind ~ '^[a-z][a-z0-9_]{0,62}$'),
    pattern    text        not null constraint "a pattern has 1 to 2000 characters" check (
                   length(pattern) between 1 and 2000),
    validator  text        constraint "a validator is number, luhn, iban, phone, email or secret" check (
                   validator in ('number', 'luhn', 'iban', 'phone', 'email', 'secret')),
    confidence real        not null constraint "confidence is above 0 and at most 1" check (
                   confidence > 0 and confidence <= 1),
    context    text[]      not null default '{}' constraint "context is at most 50 words" check (
                   cardinality(context) <= 50 and array_position(context, null) is null),
    label      text        not null constraint "a label has 1 to 40 characters, no brackets and no digits" check (
                   label ~ '^[^][[:cntrl:][:digit:]]{1,40}$'),
    enabled    boolean     not null default true,
    created_at timestamptz not null default now(),
    constraint "a tenant has one rule of a name" unique nulls not distinct (tenant_id, name)
);
comment on table  access.redaction_rules            is 'How private values are found in texts. A tenant''s rule stands in for the default of its name.';
comment on column access.redaction_rules.tenant_id  is 'Whose it is; null: a default, for all, kept as sql/access/redaction_defaults.sql says.';
comment on column access.redaction_rules.kind       is 'What it finds; a kind may have several rules.';
comment on column access.redaction_rules.pattern    is 'A regular expression of PostgreSQL that finds candidates. Generous: the validator decides.';
comment on column access.redaction_rules.validator  is 'Which part of a candidate is private, if any; null: all of it. See access.private_core.';
comment on column access.redaction_rules.confidence is 'How sure a match is by itself. Of two that overlap the surer one counts, then the longer.';
comment on column access.redaction_rules.context    is 'Words, in lower case, that make a match surer by 0.4 when one stands in the 60 characters before it.';
comment on column access.redaction_rules.label      is 'What stands in the text instead, with a number: [label 1].';

create table access.redaction_settings (
    tenant_id        uuid    primary key references access.tenants on delete cascade,
    kinds_off        text[]  not null default '{}' constraint "a kind that is off is named" check (
                         array_position(kinds_off, null) is null),
    least_confidence real    not null default 0.5 constraint "the least confidence is above 0 and at most 1" check (
                         least_confidence > 0 and least_confidence <= 1),
    keeps_originals  boolean not null default false
);
comment on table  access.redaction_settings                  is 'What a tenant wants of redaction; one without a row has the defaults.';
comment on column access.redaction_settings.kinds_off        is 'Kinds that are left in texts. Those are listed that are off, so that a new kind is on.';
comment on column access.redaction_settings.least_confidence is 'What is less sure than this is left in texts.';
comment on column access.redaction_settings.keeps_originals  is 'Whether a text may also be stored as it was written.';

create type access.private_part as (
    kind        text,
    label       text,
    value       text,
    identity    text,
    starts_at   int,
    ends_at     int,
    first_octet int,
    octets      int,
    confidence  real
);
comment on type access.private_part is 'A private value in a text. Positions count from 1 and include both ends; identity is the value however it is
written, first_octet and octets its place in the encoded text.';

alter table access.redaction_rules    enable row level security;
alter table access.redaction_settings enable row level security;
