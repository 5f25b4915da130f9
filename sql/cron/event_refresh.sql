-- Runs in the cluster's pg_cron database, so that ours dumps and restores without pg_cron; concierge.database
-- names ours. Sub-minute schedules came with pg_cron 1.5; Debian 12 has 1.4.2, where a dead daemon is covered
-- once a minute.
select cron.schedule_in_database(
    'concierge: refresh session caches of ' || current_setting('concierge.database'),
    case when string_to_array(substring(e.extversion from '^\d+\.\d+'), '.')::int[] >= '{1,5}'
         then '15 seconds' else '* * * * *' end,
    'call event.refresh(only_when_due => true)',
    current_setting('concierge.database'))
from pg_extension as e
where e.extname = 'pg_cron';
