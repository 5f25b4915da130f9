-- Paired: queries differ far more than systems do, so what is drawn is a query with both its figures (Sakai 2006,
-- "Evaluating evaluation metrics based on the bootstrap"). An interval without 0 in it is a difference.
create or replace function evaluation.compare(
    run_a bigint, run_b bigint, k int default 10, samples int default 1000, seed bigint default 42
)
    returns table (metric text, a float8, b float8, difference float8, low float8, high float8, better bigint, worse bigint,
        judged bigint)
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if (evaluation.run(run_a)).collection_id <> (evaluation.run(run_b)).collection_id then
        perform access.refuse('QC244', format('runs %s and %s are of two collections', run_a, run_b),
            'Only runs of one collection can be compared.');
    end if;
    return query
    with pairs as (
        select v.metric, v.place, m.query, v.a, v.b
        from evaluation.metrics(run_a, k) as m
        join evaluation.metrics(run_b, k) as n using (query)
        cross join lateral (values ('ndcg', 1, m.ndcg, n.ndcg), ('recall', 2, m.recall, n.recall),
            ('precision', 3, m.precision, n.precision), ('reciprocal_rank', 4, m.reciprocal_rank, n.reciprocal_rank))
            as v (metric, place, a, b)
    ), figures as (
        select p.metric, p.place, avg(p.a) as a, avg(p.b) as b, array_agg(p.b - p.a order by p.query) as differences,
            count(*) filter (where p.b > p.a) as better, count(*) filter (where p.b < p.a) as worse, count(*) as judged
        from pairs as p
        group by p.metric, p.place
    )
    select f.metric, f.a, f.b, f.b - f.a, i.low, i.high, f.better, f.worse, f.judged
    from figures as f
    cross join lateral evaluation.bootstrap(f.differences, samples, seed) as i
    order by f.place;
end
$$;

comment on function evaluation.compare(bigint, bigint, int, int, bigint) is
    'How run b differs from run a, with the 95 % confidence interval of the difference, and for how many queries it is better
or worse. Errors: QC242 unknown run, QC244 runs of two collections.';

grant execute on function evaluation.compare(bigint, bigint, int, int, bigint) to concierge_app, concierge_admin;
