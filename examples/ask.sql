-- Ask the concierge from psql:
--
--     psql -v token=... -v event=hearth-beam-2027 -v me=maria-alvarez -f examples/ask.sql
--
-- The token belongs to the transaction: after commit nobody is signed in.
begin;
select access.sign_in(:'token') ->> 'subject' as signed_in;

select session_title, session_start, room, round(score::numeric, 2) as score
from event.recommend_sessions(event.event_id(:'event'), contractor.contractor_id(:'me'), max_items => 3);

select chat.turn(chat.ask(
    chat.open(event_id => event.event_id(:'event'), contractor_id => contractor.contractor_id(:'me')),
    'Which sponsors should I visit?', 'example ' || now())) ->> 'answer' as answer;
commit;
