-- The percentile bootstrap (Efron 1979, "Bootstrap methods: another look at the jackknife"): as many values as there are
-- are drawn from them, with replacement, again and again; the interval holds the middle 95 % of the means. What is drawn is
-- a hash of seed and place: the same question has the same answer, and no other use of random() is disturbed.
create or replace function evaluation.bootstrap(
    figures float8[], samples int default 1000, seed bigint default 42, out low float8, out high float8
)
    language sql immutable
    set search_path = pg_catalog, pg_temp
begin atomic
    with drawn as (
        select avg(figures[1 + (hashint8extended(s * cardinality(figures) + i, seed) & 9223372036854775807)
            % cardinality(figures)]) as mean
        from generate_series(1, samples::bigint) as s, generate_series(1, cardinality(figures)) as i
        group by s
    )
    select percentile_cont(0.025) within group (order by d.mean), percentile_cont(0.975) within group (order by d.mean)
    from drawn as d;
end;

comment on function evaluation.bootstrap(float8[], int, bigint) is
    'Between which two values a mean lies with a confidence of 95 %: percentile bootstrap; null without figures.';

grant execute on function evaluation.bootstrap(float8[], int, bigint) to concierge_app, concierge_admin;
