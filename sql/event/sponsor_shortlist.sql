-- Whom to visit: what they offer first, then who they are, then how near they stand to where the attendee is going.
-- Likeness of texts counts relative to the closest sponsor: short texts are never very alike, the order is what matters.
-- A question that names something is answered by what it names; profile and tier then only break ties.
create or replace function event.sponsor_shortlist(
    event_id uuid, contractor_id uuid, max_items int default 12, near_zone text default null, question text default null
)
    returns table (
        sponsor_id uuid, key text, name text, tier text, booth text, booth_zone text, topics text[], offers jsonb, url text,
        score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event      event.events           := event.require(event_id);
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_question   extensions.vector      := model.embed_offline(question);
    -- topic, tier, zone, tech_stack
    v_weights    double precision[]     := case when v_question is null then array[0.55, 0.2, 0.2, 0.05] else array[0.85, 0.1, 0.05, 0] end::double precision[];
begin
    return query
        with likeness as (
            select s.sponsor_id,
                coalesce(greatest(1 - (coalesce(v_question, v_contractor.embedding) operator(extensions.<=>) s.embedding), 0), 0) as value
            from event.event_sponsors as s
            where s.event_id = v_event.event_id
        ), signals as (
            select s as sponsor, array[
                coalesce(l.value / nullif(max(l.value) over (), 0), 0),
                case s.tier when 'platinum' then 1 when 'gold' then 0.7 when 'silver' then 0.4 else 0.2 end,
                case when s.booth_zone = near_zone then 1 else 0 end,
                case when s.topics && v_contractor.tech_stack then 1 else 0 end]::double precision[] as value
            from event.event_sponsors as s
            join likeness as l using (sponsor_id)
        ), scored as (
            select g.sponsor, g.value,
                v_weights[1] * g.value[1] + v_weights[2] * g.value[2] + v_weights[3] * g.value[3] + v_weights[4] * g.value[4] as score
            from signals as g
        )
        select (c.sponsor).sponsor_id, (c.sponsor).key::text, (c.sponsor).name, (c.sponsor).tier, (c.sponsor).booth, (c.sponsor).booth_zone,
            (c.sponsor).topics, (c.sponsor).offers, (c.sponsor).url, c.score,
            event.explain_parts('{topic,tier,zone,tech_stack}', c.value::real[], v_weights::real[])
        from scored as c
        order by c.score desc, (c.sponsor).name, (c.sponsor).sponsor_id
        limit max_items;
end
$$;

comment on function event.sponsor_shortlist(uuid, uuid, int, text, text) is
    'Sponsors worth a visit, best first: topic 0.55, tier 0.2, booth zone 0.2, tech stack 0.05, and when a question names something topic
0.85, tier 0.1, zone 0.05; with score in [0,1] and why. near_zone: the booth zone the attendee is near. Errors: 22004 null, QC201 unknown event, QC202 unknown contractor.';

grant execute on function event.sponsor_shortlist(uuid, uuid, int, text, text) to concierge_app;
