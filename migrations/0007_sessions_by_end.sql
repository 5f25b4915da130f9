-- What is on or about to be, in all events at once, without passing over every session that ever was: a refresh reads the
-- sessions that have not ended from this index alone, and from the table only those that have begun or soon will.
set local role concierge_owner;

-- allow M101: no database was in use yet
create index event_speakers_by_end on event.event_speakers (session_end, session_start) where cancelled_at is null;
