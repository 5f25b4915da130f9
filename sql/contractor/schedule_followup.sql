-- The row and the job that delivers it are written together: neither exists without the other.
create or replace function contractor.schedule_followup(
    contractor_id uuid, event_id uuid, message text, execute_at timestamptz, idempotency_key text
)
    returns jsonb
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_event      event.events           := event.require(event_id);
    v_answer     jsonb;
    v_follow_up  contractor.follow_ups;
begin
    v_answer := access.recall('schedule_followup', idempotency_key, jsonb_build_object(
        'contractor_id', contractor_id, 'event_id', event_id, 'message', message,
        -- In one zone: the caller's may be another when the call is repeated.
        'execute_at', execute_at at time zone 'UTC'));
    if v_answer is not null then
        return v_answer;
    end if;

    if nullif(btrim(message), '') is null or execute_at is null then
        perform access.refuse('22004', 'a follow-up needs a message and a time',
            'Pass message and execute_at.');
    elsif execute_at <= access.clock() or execute_at = 'infinity' then
        perform access.refuse('QC210', format('a follow-up cannot be delivered at %s', execute_at),
            'Pass a time to come.');
    end if;

    insert into contractor.follow_ups as f (
        tenant_id, contractor_id, event_id, message, execute_at, created_by, created_at)
    values (v_contractor.tenant_id, v_contractor.contractor_id, v_event.event_id,
        btrim(schedule_followup.message), schedule_followup.execute_at, access.person_id(), access.clock())
    returning f.* into v_follow_up;

    update contractor.follow_ups as f
    set job_id = queue.enqueue('call',
        jsonb_build_object('follow_up_id', v_follow_up.follow_up_id),
        continuation => 'contractor.followup_delivered',
        on_failure => 'contractor.followup_given_up', run_at => v_follow_up.execute_at,
        key => 'follow_up:' || v_follow_up.follow_up_id, tenant_id => v_contractor.tenant_id)
    where f.follow_up_id = v_follow_up.follow_up_id
    returning f.* into v_follow_up;
    return access.remember('schedule_followup', idempotency_key, to_jsonb(v_follow_up));
end
$$;

comment on function contractor.schedule_followup(uuid, uuid, text, timestamptz, text) is
    'Has a message delivered to a contractor''s inbox at a time to come; returns the row as JSON.
Errors: 22004 null contractor, event, message, time or key, QC201 event, QC202 contractor, QC210 a time past,
QC405 someone else''s, QC409 key reused, 23514 message too long.';

grant execute on function contractor.schedule_followup(uuid, uuid, text, timestamptz, text) to concierge_app;

-- The continuation: runs in the transaction that finishes the job, so a follow-up is delivered
-- once, whatever crashes.
create or replace function contractor.followup_delivered(job_id bigint, result jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    update contractor.follow_ups as f
    set status = 'delivered', delivered_at = now()
    where f.job_id = followup_delivered.job_id and f.status = 'scheduled';
end;

comment on function contractor.followup_delivered(bigint, jsonb) is
    'Continuation of the job of a follow-up: it is now in the contractor''s inbox.';
-- Granted to nobody: queue.finish calls it.

create or replace function contractor.followup_given_up(job_id bigint, failure jsonb)
    returns void
    language sql volatile security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    -- A dead letter may still be brought back; what was taken back is not.
    update contractor.follow_ups as f
    set status = 'cancelled'
    where f.job_id = followup_given_up.job_id and f.status = 'scheduled' and failure ->> 'state' = 'cancelled';
end;

comment on function contractor.followup_given_up(bigint, jsonb) is
    'Called when the job of a follow-up is given up: cancelled with its job, it will not come.';
-- Granted to nobody: queue.cancel calls it.
