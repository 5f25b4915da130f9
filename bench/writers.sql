-- One session a transaction, somewhere in the weeks to come, into the conference that is asked about.
\set minute random(4320, 100000)
insert into event.event_speakers (
    tenant_id, event_id, session_title, session_start, session_end, track, abstract, topics)
values (:tenant, :event, 'A session',
    now() + :minute * interval '1 minute', now() + (:minute + 45) * interval '1 minute',
    'Safety', 'What one learns in an hour about one thing that matters.', '{training,insurance}');
