-- Three steps that are too small to put off, each with the date it should be done by, and the words to remind of it.
create or replace function contractor.action_plan(contractor_id uuid, event_id uuid)
    returns table (step int, title text, details text, due_at timestamptz, follow_up text, about uuid, why jsonb)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_event      event.events           := event.require(event_id);
    -- Nine in the morning where the event is.
    v_day        timestamp := date_trunc('day', access.clock() at time zone v_event.time_zone) + interval '9 hours';
begin
    return query
        with talk as (
            select 1 as step, s.name as name, s.sponsor_id as about, s.why,
                format('Talk to %s', s.name) as title,
                concat_ws(': ', 'Booth ' || s.booth, s.offers #>> '{0,title}') as details
            from event.sponsor_shortlist(v_event.event_id, v_contractor.contractor_id, max_items => 1) as s
        ), learn as (
            select 2 as step, l.title as name, l.learning_item_id as about, l.why,
                format(case l.kind when 'podcast' then 'Listen to "%s"' when 'video' then 'Watch "%s"' else 'Read "%s"' end, l.title)
                    as title,
                concat_ws(', ', l.creator, 'begin with ' || (l.chapter ->> 'title')) as details
            from contractor.learning(v_contractor.contractor_id, max_items => 1) as l
        ), work as (
            select 3 as step, p.name as name, p.partner_id as about, p.why,
                format('Agree on a first project with %s', p.name) as title, p.description as details
            from contractor.partner_match(v_contractor.contractor_id, 1) as p
        )
        select d.step, coalesce(t.title, d.otherwise), t.details, d.due_at,
            format('How did it go? %s was to be done by today.', coalesce(t.title, d.otherwise)), t.about, coalesce(t.why, '[]')
        from (values
            (1, 'Write down the three people you want to hear from again', (v_day + interval '3 days') at time zone v_event.time_zone),
            (2, 'Try one thing you heard on a job of yours', (v_day + interval '7 days') at time zone v_event.time_zone),
            (3, 'Look at what has changed since the event', (v_day + interval '30 days') at time zone v_event.time_zone)
        ) as d (step, otherwise, due_at)
        left join (
            select a.step, a.title, a.details, a.about, a.why from talk as a
            union all
            select b.step, b.title, b.details, b.about, b.why from learn as b
            union all
            select c.step, c.title, c.details, c.about, c.why from work as c
        ) as t on t.step = d.step
        order by d.step;
end
$$;

comment on function contractor.action_plan(uuid, uuid) is
    'Three steps for a contractor, in 3, 7 and 30 days at nine in the event''s time zone: whom to talk to, what to learn, whom to work
with, with why, and what a follow-up may say (contractor.schedule_followup). Errors: 22004 null, QC201 event, QC202 contractor, QC405
someone else''s.';

grant execute on function contractor.action_plan(uuid, uuid) to concierge_app;
