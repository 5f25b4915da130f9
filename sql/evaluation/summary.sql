create or replace function evaluation.summary(
    run_id bigint, k int default 10, samples int default 1000, seed bigint default 42
)
    returns table (metric text, mean float8, low float8, high float8, judged bigint, unjudged bigint)
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    with run as (
        select (evaluation.run(summary.run_id)).*
    ), unjudged as (
        select count(*) as count
        from run as r
        join evaluation.queries as q using (collection_id)
        where not exists (select from evaluation.judgements as j where j.query_id = q.query_id)
    ), figures as (
        select count(*) as count, array_agg(m.ndcg order by m.query) as ndcg,
            array_agg(m.recall order by m.query) as recall, array_agg(m.precision order by m.query) as precision,
            array_agg(m.reciprocal_rank order by m.query) as reciprocal_rank
        from evaluation.metrics(summary.run_id, summary.k) as m
    )
    select v.metric, (select avg(e) from unnest(v.figures) as e), b.low, b.high, f.count, u.count
    from figures as f
    cross join unjudged as u
    cross join lateral (values ('ndcg', f.ndcg), ('recall', f.recall), ('precision', f.precision),
        ('reciprocal_rank', f.reciprocal_rank)) as v (metric, figures)
    cross join lateral evaluation.bootstrap(v.figures, summary.samples, summary.seed) as b;
end;

comment on function evaluation.summary(bigint, int, int, bigint) is
    'The means of evaluation.metrics over judged queries, each with its 95 % confidence interval, and how many queries were
left out because nothing is judged for them. Errors: QC242 unknown run.';

grant execute on function evaluation.summary(bigint, int, int, bigint) to concierge_app, concierge_admin;
