-- Understanding without a model: patterns in a table, the highest sum wins, and the order of the values below
-- breaks ties, so that the same message is always understood the same way.
create or replace function chat.normalize(message text)
    returns text
    language sql immutable parallel safe
return extensions.unaccent('extensions.unaccent', lower(btrim(normalize(message, nfkc))));

comment on function chat.normalize(text) is
    'A message as patterns read it: lower case, no accents, compatibility forms folded.';

create or replace function chat.best_pattern(message text, facet text)
    returns text
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with said as materialized (
        select chat.normalize(message) as text
    )
    select p.value
    from chat.message_patterns as p
    cross join said as s
    where p.facet = best_pattern.facet and s.text ~ p.pattern
    group by p.value
    order by sum(p.weight) desc,
        array_position('{action_items,plan,partner,learning,sponsors,status,now,next,small_talk,question,request}'::text[], p.value)
    limit 1;
end;

comment on function chat.best_pattern(text, text) is
    'The class or intent whose patterns weigh most in a message; null when none matches.';

create or replace function chat.classify(message text)
    returns text
    language sql stable
return case
    when nullif(btrim(message), '') is null then null
    else coalesce(chat.best_pattern(message, 'class'), 'information')
end;

comment on function chat.classify(text) is
    'What a message is: question, request, small_talk or else information; null when empty.';

create or replace function chat.intent(message text)
    returns text
    language sql stable
return coalesce(chat.best_pattern(message, 'intent'), 'unknown');

comment on function chat.intent(text) is
    'What a question is about: now, next, sponsors, action_items, partner, learning, plan, status, or unknown.';

-- What is left of a question when the words that only say what kind of question it is are gone.
create or replace function chat.topic(message text)
    returns text
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    with recursive stripped as (
        select 0::bigint as n, chat.normalize(message) as text
        union all
        select s.n + 1, regexp_replace(s.text, p.pattern, ' ', 'g')
        from stripped as s
        join (select row_number() over (order by q.pattern_id) as n, q.pattern
              from chat.message_patterns as q where q.facet = 'intent') as p on p.n = s.n + 1
    )
    select nullif(btrim(regexp_replace(regexp_replace(
        (select s.text from stripped as s order by s.n desc limit 1),
        '\m(what|when|where|who|whom|which|why|how|should|would|could|can|i|me|my|is|are|there|any|anything|about|at|in|on|the|a|an|to|for|visit|go|find|do|have|with|of|good|best|hour|today|tomorrow|morning|afternoon|expo|show|right|one|some|please|tell|something|help|want|need|get|worth|time|was|soll|ich|mir|fur|que|quoi|dois|je|puedo|debo|hay|para|mi)\M',
        ' ', 'g'), '[^[:alnum:]]+', ' ', 'g')), '');
end;

comment on function chat.topic(text) is
    'The subject a question names, without its question and intent words; null when it names none.';

grant execute on function chat.normalize(text)          to concierge_app;
grant execute on function chat.best_pattern(text, text) to concierge_app;
grant execute on function chat.classify(text)           to concierge_app;
grant execute on function chat.intent(text)             to concierge_app;
grant execute on function chat.topic(text)              to concierge_app;
