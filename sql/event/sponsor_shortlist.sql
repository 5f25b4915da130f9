-- Whom to visit: what they offer first, then who they are, then how near they stand to where the attendee is
-- going. Likeness of texts counts relative to the closest sponsor: short texts are never very alike, the
-- order is what matters. A question that names something is answered by what it names; profile and tier then
-- only break ties.
create or replace function event.rank_sponsors(
    event_id uuid, features contractor.feature_set, max_items int, near_zone text, question extensions.vector
)
    returns table (
        sponsor_id uuid, key text, name text, tier text, booth text, booth_zone text, topics text[],
        offers jsonb, url text, score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    v_about   extensions.vector  := coalesce(question, (features).embedding);
    -- topic, tier, zone, tech_stack
    v_weights double precision[] := case when question is null then array[0.55, 0.2, 0.2, 0.05]
                                         else array[0.85, 0.1, 0.05, 0] end::double precision[];
    v_shares  real[]             := v_weights::real[];
begin
    return query
        with sponsor as (
            select s.sponsor_id, s.key, s.name, s.tier, s.booth, s.booth_zone, s.topics, s.offers, s.url,
                coalesce(greatest(1 - (v_about operator(extensions.<=>) s.embedding), 0), 0) as likeness
            from event.event_sponsors as s
            where s.event_id = rank_sponsors.event_id
            offset 0  -- so that the likeness is computed once
        ), signal as (
            select s.*, array[
                coalesce(s.likeness / nullif(max(s.likeness) over (), 0), 0),
                case s.tier when 'platinum' then 1::float8 when 'gold' then 0.7::float8
                            when 'silver' then 0.4::float8 else 0.2::float8 end,
                case when s.booth_zone = near_zone then 1::float8 else 0::float8 end,
                case when s.topics && (features).tech_stack then 1::float8 else 0::float8 end] as value
            from sponsor as s
        ), ranked as (
            select g.*, g.value::real[] as part,
                v_weights[1] * g.value[1] + v_weights[2] * g.value[2]
                    + v_weights[3] * g.value[3] + v_weights[4] * g.value[4] as score
            from signal as g
            order by score desc, g.name, g.sponsor_id
            limit max_items
        )
        select r.sponsor_id, r.key::text, r.name, r.tier, r.booth, r.booth_zone, r.topics, r.offers, r.url,
            r.score, event.explain_sum('{topic,tier,zone,tech_stack}', r.part, v_shares)
        from ranked as r
        order by r.score desc, r.name, r.sponsor_id;
end
$$;

comment on function event.rank_sponsors(uuid, contractor.feature_set, int, text, extensions.vector) is
    'Sponsors that fit these features, best first: the part of sponsor_shortlist after its look-ups.';

create or replace function event.sponsor_shortlist(
    event_id uuid, contractor_id uuid, max_items int default 12,
    near_zone text default null, question text default null
)
    returns table (
        sponsor_id uuid, key text, name text, tier text, booth text, booth_zone text, topics text[],
        offers jsonb, url text, score double precision, why jsonb
    )
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select r.*
    from event.rank_sponsors((event.require(event_id)).event_id,
        contractor.contractor_features(contractor_id), max_items,
        near_zone, model.embed_offline(question)) as r;
end;

comment on function event.sponsor_shortlist(uuid, uuid, int, text, text) is
    'Sponsors worth a visit, best first: topic 0.55, tier 0.2, booth zone 0.2, tech stack 0.05, and when a
question names something topic 0.85, tier 0.1, zone 0.05; with score in [0,1] and why. near_zone: the booth
zone the attendee is near.
Errors: 22004 null, QC201 unknown event, QC202 unknown contractor, QC405 someone else''s.';

grant execute on function event.rank_sponsors(uuid, contractor.feature_set, int, text, extensions.vector)
    to concierge_app;
grant execute on function event.sponsor_shortlist(uuid, uuid, int, text, text) to concierge_app;
