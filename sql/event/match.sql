-- How well a session fits a contractor: eight signals in [0,1], weighted; weights sum to 1, so the score lies
-- in [0,1]. One definition serves the score and its explanation, so that they cannot tell different stories.
--
-- The functions of this file are plain expressions without a pinned path, so that the planner inlines them
-- into the query that ranks: 60 sessions are scored in well under a millisecond. Bodies are "begin atomic",
-- bound when created, so no caller's search_path can change what they call.
create or replace function event.match_labels()
    returns text[]
    language sql immutable parallel safe
return '{goal,track,similarity,role,audience,revenue_band,region,tech_stack}'::pg_catalog.text[];

comment on function event.match_labels() is
    'Names of the signals, in the order of match_weights and match_signals.';

create or replace function event.match_weights()
    returns extensions.vector
    language sql immutable parallel safe
return '[0.20,0.20,0.25,0.10,0.08,0.07,0.05,0.05]'::extensions.vector;

comment on function event.match_weights() is 'What each signal counts; they sum to 1.';

-- A session that names no role, size, band or region is for everyone: half a point, less than being named,
-- more than not.
create or replace function event.match_listed(wanted text, listed text[])
    returns real
    language sql immutable parallel safe
return case
    when listed = '{}' then 0.5
    when wanted = any (listed) then 1
    else 0
end::pg_catalog.float4;

comment on function event.match_listed(text, text[]) is
    '1 when listed, 0.5 when the list is empty (meant for everyone), else 0.';

create or replace function event.match_signals(features contractor.feature_set, tags event.tag_set)
    returns real[]
    language sql immutable parallel safe
return array[
    case when (features).goal = any ((tags).goals) then 1 else 0 end::float4,
    case when (tags).track = any ((features).preferred_tracks) then 1 else 0 end::float4,
    -- Cosine of profile and session text; null, when one has no text, counts 0, and so does
    -- an opposite direction.
    coalesce(greatest(1 - ((features).embedding operator(extensions.<=>) (tags).embedding), 0), 0)::float4,
    event.match_listed((features).role, (tags).roles),
    event.match_listed((features).segment, (tags).audience),
    event.match_listed((features).revenue_band, (tags).revenue_bands),
    event.match_listed((features).region, (tags).regions),
    case when (features).tech_stack && (tags).topics then 1 else 0 end::float4
];

comment on function event.match_signals(contractor.feature_set, event.tag_set) is
    'The eight signals in [0,1]: goal, track, similarity, role, audience, revenue_band, region, tech_stack.';

create or replace function event.weigh_signals(signals real[])
    returns double precision
    language sql immutable parallel safe
return least(greatest(
    -- Negative inner product in pgvector's C; clamped because float4 weights may sum to a hair above 1.
    -(signals::extensions.vector operator(extensions.<#>) event.match_weights()), 0), 1);

comment on function event.weigh_signals(real[]) is
    'The score that these signals of match_signals make, in [0,1].';

create or replace function event.match_score(features contractor.feature_set, tags event.tag_set)
    returns double precision
    language sql immutable parallel safe
return event.weigh_signals(event.match_signals(features, tags));

comment on function event.match_score(contractor.feature_set, event.tag_set) is
    'How well a session fits a contractor, in [0,1]: the weighted sum of match_signals.';

-- What each part of a sum added, for sponsors and partners, too. Spelt out for up to eight parts, because a
-- plain expression is inlined: with unnest and an aggregate it cost more than the scoring of a hundred
-- sessions. Stable, as jsonb_build_object is.
create or replace function event.explain_part(added double precision)
    returns double precision
    language sql immutable parallel safe
return nullif(round(added * 1000) / 1000, 0);

comment on function event.explain_part(double precision) is
    'What a part added, to three decimals; null when that is nothing.';

create or replace function event.explain_sum(
    labels text[], signals real[], weights real[], share double precision default 1
)
    returns jsonb
    language sql stable parallel safe
return jsonb_strip_nulls(jsonb_build_object(
    coalesce(labels[1], '1'), event.explain_part(signals[1] * weights[1] * share),
    coalesce(labels[2], '2'), event.explain_part(signals[2] * weights[2] * share),
    coalesce(labels[3], '3'), event.explain_part(signals[3] * weights[3] * share),
    coalesce(labels[4], '4'), event.explain_part(signals[4] * weights[4] * share),
    coalesce(labels[5], '5'), event.explain_part(signals[5] * weights[5] * share),
    coalesce(labels[6], '6'), event.explain_part(signals[6] * weights[6] * share),
    coalesce(labels[7], '7'), event.explain_part(signals[7] * weights[7] * share),
    coalesce(labels[8], '8'), event.explain_part(signals[8] * weights[8] * share)));

comment on function event.explain_sum(text[], real[], real[], double precision) is
    'Why a score is what it is: {signal: how much it adds}, of at most eight signals; the parts sum to the
score, or to the share of it they have.';

create or replace function event.explain_score(signals real[], share double precision default 1)
    returns jsonb
    language sql stable parallel safe
return event.explain_sum(event.match_labels(), signals, event.match_weights()::float4[], share);

comment on function event.explain_score(real[], double precision) is
    'explain_sum for the signals of match_signals.';

grant execute on function event.match_labels()                                            to concierge_app;
grant execute on function event.match_weights()                                           to concierge_app;
grant execute on function event.match_listed(text, text[])                                to concierge_app;
grant execute on function event.match_signals(contractor.feature_set, event.tag_set)      to concierge_app;
grant execute on function event.weigh_signals(real[])                                     to concierge_app;
grant execute on function event.match_score(contractor.feature_set, event.tag_set)        to concierge_app;
grant execute on function event.explain_part(double precision)                          to concierge_app;
grant execute on function event.explain_sum(text[], real[], real[], double precision)     to concierge_app;
grant execute on function event.explain_score(real[], double precision)                   to concierge_app;
grant usage on type event.tag_set, contractor.feature_set                                 to concierge_app;
