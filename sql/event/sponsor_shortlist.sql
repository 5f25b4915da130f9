-- Whom to visit: what they offer first, then who they are, then how near they stand to where the attendee is going.
create or replace function event.sponsor_shortlist(
    event_id uuid, contractor_id uuid, "limit" int default 12, near_zone text default null, question text default null
)
    returns table (
        sponsor_id uuid, key text, name text, tier text, booth text, booth_zone text, topics text[], offers jsonb,
        score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_event      event.events           := event.require(event_id);
    v_contractor contractor.contractors := contractor.require(contractor_id);
    v_question   extensions.vector      := model.embed_offline(question);
begin
    return query
        select s.sponsor_id, s.key::text, s.name, s.tier, s.booth, s.booth_zone, s.topics, s.offers, w.score,
            (select jsonb_agg(jsonb_build_object('signal', e.signal, 'value', round(e.value::numeric, 3), 'weight', e.weight,
                'adds', round((e.value * e.weight)::numeric, 3)) order by e.value * e.weight desc, e.signal)
             from (values ('topic', v.topic, 0.5), ('tier', v.tier, 0.3), ('zone', v.zone, 0.2)) as e (signal, value, weight)
             where e.value > 0)
        from event.event_sponsors as s
        cross join lateral (
            select
                -- A shared word of the tech stack settles it; otherwise the likeness of texts, the question's before the profile's.
                case when s.topics && v_contractor.tech_stack and v_question is null then 1
                     else coalesce(greatest(1 - (coalesce(v_question, v_contractor.embedding) operator(extensions.<=>) s.embedding), 0), 0)
                end::double precision as topic,
                case s.tier when 'platinum' then 1 when 'gold' then 0.7 when 'silver' then 0.4 else 0.2 end::double precision as tier,
                case when s.booth_zone = near_zone then 1 else 0 end::double precision as zone
        ) as v
        cross join lateral (select 0.5 * v.topic + 0.3 * v.tier + 0.2 * v.zone as score) as w
        where s.event_id = v_event.event_id
        order by w.score desc, s.name, s.sponsor_id
        limit sponsor_shortlist."limit";
end
$$;

comment on function event.sponsor_shortlist(uuid, uuid, int, text, text) is
    'Sponsors worth a visit, best first: topic 0.5, tier 0.3, booth zone 0.2, with score in [0,1] and why. near_zone: the booth
zone the attendee is near. Errors: 22004 null, QC201 unknown event, QC202 unknown contractor.';

grant execute on function event.sponsor_shortlist(uuid, uuid, int, text, text) to concierge_app;
