-- How a message is understood without a model: patterns as rows, so that a tenant's words can be added by a DBA.
set local role concierge_owner;

-- allow T401: patterns are written by people, a few thousand at most
create table chat.message_patterns (
    pattern_id  int     generated always as identity primary key,
    built_in    boolean not null default false,
    facet       text not null check (facet in ('class', 'intent')),
    value       text not null,
    language    text not null,
    pattern     text not null unique,
    weight      int  not null default 1 check (weight > 0),
    constraint "a value is one its facet knows" check (
        case facet when 'class'  then value in ('question', 'request', 'small_talk')
                   when 'intent' then value in ('now', 'next', 'sponsors', 'action_items') end)
);
comment on table  chat.message_patterns         is 'Regular expressions that decide what a message is (class) and what it is about (intent).';
comment on column chat.message_patterns.built_in is 'Comes with Concierge and is kept as sql/chat/message_patterns.sql says; others are yours.';
comment on column chat.message_patterns.pattern is 'POSIX regular expression, matched against the message in lower case and without accents.';
comment on column chat.message_patterns.weight  is 'How much a match counts; the highest sum wins.';
alter table chat.message_patterns enable row level security;
