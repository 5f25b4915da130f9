-- Who reads which rows: everything of an event is its tenant's. Nobody below the owner writes to a table.
do $$
declare
    v_table text;
begin
    foreach v_table in array
        array['events', 'event_days', 'rooms', 'tracks', 'event_speakers', 'speakers', 'session_speakers',
            'event_sponsors', 'event_attendees']
    loop
        execute format('drop policy if exists "people see their own tenant" on event.%I', v_table);
        execute format('create policy "people see their own tenant" on event.%I for select to concierge_app
            using (tenant_id = (select access.tenant_id()))', v_table);
        execute format('drop policy if exists "operators see all" on event.%I', v_table);
        execute format('create policy "operators see all" on event.%I
            for select to concierge_admin using (true)', v_table);
    end loop;
end
$$;

drop policy if exists "operators see all" on event.dirty_marks;
create policy "operators see all" on event.dirty_marks for select to concierge_admin using (true);
drop policy if exists "operators see all" on event.refresh_state;
create policy "operators see all" on event.refresh_state for select to concierge_admin using (true);

grant select on event.events, event.event_days, event.rooms, event.tracks, event.event_speakers,
    event.speakers, event.session_speakers, event.event_sponsors, event.event_attendees
    to concierge_app, concierge_admin;
grant select on event.dirty_marks, event.refresh_state to concierge_admin;
-- The materialized views and dirty_marks: not to apps, who read through exact functions.

call access.audit_table('event.events', 'event_id');
-- Sessions come in bursts, where a trigger would cost every insert a third: the import notes what it added.
call access.audit_table('event.event_speakers', 'session_id', inserts => false);
call access.audit_table('event.event_sponsors', 'sponsor_id');
call access.audit_table('event.event_attendees', 'contractor_id');
