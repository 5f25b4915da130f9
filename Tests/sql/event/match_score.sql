-- Recommendations: in [0,1], explained, and deterministic.
begin;
select no_plan();

create function pg_temp.features(goal text default null, role text default null, band text default null, size int default null,
    region text default null, stack text[] default '{}', tracks text[] default '{}', profile text default null)
    returns contractor.feature_set language sql as $$
    select row(goal, role, band, size, contractor.segment(size), region, stack, tracks, model.embed_offline(profile))::contractor.feature_set $$;
create function pg_temp.tags(track text default null, topics text[] default '{}', goals text[] default '{}', roles text[] default '{}',
    audience text[] default '{}', regions text[] default '{}', bands text[] default '{}', content text default null)
    returns event.tag_set language sql as $$
    select row(track, topics, goals, roles, audience, regions, bands, model.embed_offline(content))::event.tag_set $$;

select is(round(event.match_score(pg_temp.features(), pg_temp.tags())::numeric, 3), 0.150, 'Nothing known on either side: only what is open to everyone counts, by half');
select is(event.match_score(
    pg_temp.features('g', 'owner', '1m-5m', 8, 'south', '{jobber}', '{tools}', 'heat pumps'),
    pg_temp.tags('tools', '{jobber}', '{g}', '{owner}', '{small}', '{south}', '{1m-5m}', 'heat pumps')), 1::double precision, 'Everything fits: 1');
select is(event.match_score(
    pg_temp.features('g', 'owner', '1m-5m', 8, 'south', '{jobber}', '{tools}', 'heat pumps'),
    pg_temp.tags('people', '{crm}', '{h}', '{sales}', '{large}', '{west}', '{over-20m}', 'keynote')), 0::double precision, 'Nothing fits: 0');

-- Each signal alone adds its weight.
select is(round((event.match_score(pg_temp.features(goal => 'g'), pg_temp.tags(goals => '{g}')) - event.match_score(pg_temp.features(goal => 'g'), pg_temp.tags()))::numeric, 3), 0.200, 'A goal adds 0.20');
select is(round((event.match_score(pg_temp.features(tracks => '{tools}'), pg_temp.tags(track => 'tools')) - event.match_score(pg_temp.features(), pg_temp.tags(track => 'tools')))::numeric, 3), 0.200, 'A track adds 0.20');
select is(round((event.match_score(pg_temp.features(profile => 'roof'), pg_temp.tags(content => 'roof')) - event.match_score(pg_temp.features(), pg_temp.tags()))::numeric, 3), 0.250, 'The same text adds 0.25');
select is(round((event.match_score(pg_temp.features(role => 'owner'), pg_temp.tags(roles => '{owner}')) - event.match_score(pg_temp.features(role => 'owner'), pg_temp.tags(roles => '{sales}')))::numeric, 3), 0.100, 'A role adds 0.10');
select is(round((event.match_score(pg_temp.features(stack => '{crm}'), pg_temp.tags(topics => '{crm}')) - event.match_score(pg_temp.features(), pg_temp.tags(topics => '{crm}')))::numeric, 3), 0.050, 'A tool in use adds 0.05');
select is(contractor.segment(1) || contractor.segment(2) || contractor.segment(10) || contractor.segment(11) || contractor.segment(50) || contractor.segment(51), 'solosmallsmallmediummediumlarge', 'Team sizes become words');
select is(contractor.segment(null), null, 'No team size, no word');

select is(round((select sum(w)::numeric from unnest(event.match_weights()::float4[]) as w), 5), 1.00000, 'The weights sum to 1');
select is(cardinality(event.match_labels()), extensions.vector_dims(event.match_weights()), 'Every weight has a label');

-- 2,000 random pairs: bounds, and the explanation sums to the score.
create temp table pair as
select event.match_signals(f, t) as signals, event.match_score(f, t) as score
from generate_series(1, 2000) as i
cross join lateral (select pg_temp.features((array['a', 'b', null])[1 + (i * 7) % 3], (array['owner', 'sales', null])[1 + (i * 5) % 3],
    (array['1m-5m', null])[1 + i % 2], nullif(i % 90, 0), (array['south', null])[1 + (i / 3) % 2], case when i % 4 = 0 then '{crm}' else '{}' end::text[],
    case when i % 5 = 0 then '{tools}' else '{}' end::text[], 'word' || i % 37 || ' word' || i % 11) as f) as ff
cross join lateral (select pg_temp.tags((array['tools', 'people', null])[1 + i % 3], case when i % 3 = 0 then '{crm}' else '{}' end::text[],
    case when i % 2 = 0 then '{a}' else '{}' end::text[], case when i % 3 = 0 then '{owner}' else '{}' end::text[], case when i % 7 = 0 then '{small}' else '{}' end::text[],
    '{}', '{}', 'word' || i % 11 || ' word' || i % 5) as t) as tt;
select is((select count(*) from pair where score is null or score < 0 or score > 1)::int, 0, 'Every score lies in [0,1]');
select is((select count(*) from pair, unnest(signals) as s where s is null or s < 0 or s > 1)::int, 0, 'So does every signal');
select is((select count(*) from pair where abs(score - (select coalesce(sum(w.value::float8), 0) from jsonb_each_text(event.explain_score(signals)) as w)) > 0.005)::int, 0, 'What the signals add up to is the score');

-- The embedding.
select is(model.embed_offline('Heat pumps')::text, model.embed_offline('heat PUMP')::text, 'Case and endings do not matter');
select is(model.embed_offline('café')::text, model.embed_offline('cafe')::text, 'Nor do accents');
select is(model.embed_offline('')::text, null, 'No words, no vector');
select is(model.embed_offline('the of and')::text, null, 'Nor for words that say nothing');
select is(model.embed_offline(null)::text, null, 'Nor for null');
select ok(abs((select sum(x * x) from unnest(model.embed_offline('roofing solar heat pump')::float4[]) as x) - 1) < 1e-5, 'It has length 1');
select ok((1 - (model.embed_offline('heat pump retrofits') operator(extensions.<=>) model.embed_offline('retrofitting a heat pump'))) > (1 - (model.embed_offline('heat pump retrofits') operator(extensions.<=>) model.embed_offline('hiring a crew'))), 'Texts that share words are closer');
select is(extensions.vector_dims(model.embed_offline(repeat('долгий текст ', 20000))), 256, 'A huge text in another script has one, too');

-- In place.
select test.add_session('acme', 'Estimating software for a small crew', '2027-05-03 10:30+02', '2027-05-03 11:00+02', 'Tools');
select test.add_session('acme', 'The law of scaffolding',               '2027-05-03 10:30+02', '2027-05-03 11:00+02', 'People');
select test.act_as('acme', 'anna');
select test.freeze('2027-05-03 10:00+02');
select results_eq(
    $$ select session_title from event.recommend_sessions(event.event_id('fair'), contractor.contractor_id('anna')) $$,
    array['Estimating software for a small crew', 'The law of scaffolding'], 'The session that fits comes first');
select is((select array_agg(w.key order by w.value::numeric desc, w.key) from event.recommend_sessions(event.event_id('fair'), contractor.contractor_id('anna'), 1) as r, jsonb_each_text(r.why) as w),
    '{similarity,track,role,audience,revenue_band,region}', 'and says why');
select results_eq(
    $$ select session_id, round(score::numeric, 6), why from event.v_recos_next_sessions where event_id = event.event_id('fair') and contractor_id = contractor.contractor_id('anna') order by score desc $$,
    $$ select session_id, round(score::numeric, 6), why from event.recommend_sessions(event.event_id('fair'), contractor.contractor_id('anna')) $$, 'The view says the same');
select is(round(event.match_score(contractor.contractor_features(contractor.contractor_id('anna')), event.session_tags((select session_id from event.event_speakers where track = 'Tools')))::numeric, 6),
    (select round(score::numeric, 6) from event.recommend_sessions(event.event_id('fair'), contractor.contractor_id('anna'), 1)), 'and so do the parts called by hand');
select results_eq(
    $$ select session_title from event.recommend_sessions(event.event_id('fair'), contractor.contractor_id('anna'), 1, question => 'scaffolding law') $$,
    array['The law of scaffolding'], 'What the question names comes forward');
select ok(abs(r.score - (select sum(w.value::float8) from jsonb_each_text(r.why) as w)) < 0.005 and r.why ? 'question', 'and the question is one of the reasons, which still sum to the score')
from event.recommend_sessions(event.event_id('fair'), contractor.contractor_id('anna'), 1, question => 'scaffolding law') as r;
select is((select count(*)::int from event.recommend_sessions(event.event_id('fair'), contractor.contractor_id('anna'), timeframe => 'now')), 0, 'Nothing is on yet');
select throws_ok($$ select * from event.recommend_sessions(event.event_id('fair'), null) $$, '22004', null, 'No contractor is refused');
select throws_ok($$ select * from event.recommend_sessions(event.event_id('fair'), gen_random_uuid()) $$, 'QC202', null, 'An unknown contractor is refused');
select throws_ok($$ select event.session_tags(gen_random_uuid()) $$, 'QC206', null, 'An unknown session is refused');

select * from finish();
rollback;
