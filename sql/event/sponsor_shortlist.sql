-- Whom to visit: what they offer first, then who they are, then how near they stand to where the attendee is going.
-- Likeness of texts counts relative to the closest sponsor: short texts are never very alike, the order is what matters.
-- A question that names something is answered by what it names; profile and tier then only break ties.
create or replace function event.rank_sponsors(
    event_id uuid, features contractor.feature_set, max_items int, near_zone text, question extensions.vector
)
    returns table (
        sponsor_id uuid, key text, name text, tier text, booth text, booth_zone text, topics text[], offers jsonb, url text,
        score double precision, why jsonb
    )
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
    set plan_cache_mode = force_generic_plan
as $$
declare
    -- topic, tier, zone, tech_stack
    v_weights double precision[] := case when question is null then array[0.55, 0.2, 0.2, 0.05] else array[0.85, 0.1, 0.05, 0] end::double precision[];
begin
    return query
        with likeness as (
            select s.sponsor_id,
                coalesce(greatest(1 - (coalesce(question, (features).embedding) operator(extensions.<=>) s.embedding), 0), 0) as value
            from event.event_sponsors as s
            where s.event_id = rank_sponsors.event_id
        ), signals as (
            select s as sponsor, array[
                coalesce(l.value / nullif(max(l.value) over (), 0), 0),
                case s.tier when 'platinum' then 1 when 'gold' then 0.7 when 'silver' then 0.4 else 0.2 end,
                case when s.booth_zone = near_zone then 1 else 0 end,
                case when s.topics && (features).tech_stack then 1 else 0 end]::double precision[] as value
            from event.event_sponsors as s
            join likeness as l using (sponsor_id)
        ), scored as (
            select g.sponsor, g.value,
                v_weights[1] * g.value[1] + v_weights[2] * g.value[2] + v_weights[3] * g.value[3] + v_weights[4] * g.value[4] as score
            from signals as g
        )
        select (c.sponsor).sponsor_id, (c.sponsor).key::text, (c.sponsor).name, (c.sponsor).tier, (c.sponsor).booth, (c.sponsor).booth_zone,
            (c.sponsor).topics, (c.sponsor).offers, (c.sponsor).url, c.score,
            w.why
        from scored as c
        cross join lateral event.explain_parts('{topic,tier,zone,tech_stack}', c.value::real[], v_weights::real[]) as w
        order by c.score desc, (c.sponsor).name, (c.sponsor).sponsor_id
        limit max_items;
end
$$;

comment on function event.rank_sponsors(uuid, contractor.feature_set, int, text, extensions.vector) is
    'Sponsors that fit these features, best first: the part of sponsor_shortlist after its look-ups.';

create or replace function event.sponsor_shortlist(
    event_id uuid, contractor_id uuid, max_items int default 12, near_zone text default null, question text default null
)
    returns table (
        sponsor_id uuid, key text, name text, tier text, booth text, booth_zone text, topics text[], offers jsonb, url text,
        score double precision, why jsonb
    )
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select r.* from event.rank_sponsors((event.require(event_id)).event_id, contractor.contractor_features(contractor_id), max_items,
        near_zone, model.embed_offline(question)) as r;
end;

comment on function event.sponsor_shortlist(uuid, uuid, int, text, text) is
    'Sponsors worth a visit, best first: topic 0.55, tier 0.2, booth zone 0.2, tech stack 0.05, and when a question names something topic
0.85, tier 0.1, zone 0.05; with score in [0,1] and why. near_zone: the booth zone the attendee is near. Errors: 22004 null, QC201 unknown event, QC202 unknown contractor, QC405 someone else''s.';

grant execute on function event.rank_sponsors(uuid, contractor.feature_set, int, text, extensions.vector) to concierge_app;
grant execute on function event.sponsor_shortlist(uuid, uuid, int, text, text) to concierge_app;
