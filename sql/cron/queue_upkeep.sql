-- Runs in the cluster's pg_cron database, as the refresh does. Without a daemon nothing is performed, but what
-- is scheduled is enqueued at its time.
select cron.schedule_in_database(
    'concierge: upkeep of the queue of ' || current_setting('concierge.database'),
    '* * * * *', 'select queue.upkeep()', current_setting('concierge.database'))
from pg_extension as e
where e.extname = 'pg_cron';
