-- As trec_eval computes them (nDCG: Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques"):
--   nDCG@k       DCG / ideal DCG, DCG = sum over ranks r <= k of grade / log2(r + 1), the ideal from all judgements
--   recall@k     relevant documents up to rank k / all relevant ones
--   precision@k  relevant documents up to rank k / k
--   reciprocal rank   1 / rank of the first relevant document, however far down, 0 when there is none
-- Relevant is a grade above 0; any other grade gains nothing. A judged query for which nothing was found counts 0 (as with
-- trec_eval -c); one without judgements is left out. Without a relevant document among its judgements all four are 0.
create or replace function evaluation.metrics(run_id bigint, k int default 10)
    returns table (query text, ndcg float8, recall float8, "precision" float8, reciprocal_rank float8)
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    with run as materialized (
        select (evaluation.run(metrics.run_id)).*
    ), judged as (
        select q.query_id, q.key, j.grade, j.document_key,
            row_number() over (partition by q.query_id order by j.grade desc) as best_rank
        from run as r
        join evaluation.queries as q using (collection_id)
        join evaluation.judgements as j using (query_id)
    ), possible as (
        select j.query_id, j.key, count(*) filter (where j.grade > 0) as relevant,
            sum(j.grade / (ln(j.best_rank::float8 + 1) / ln(2::float8)))
                filter (where j.grade > 0 and j.best_rank <= metrics.k) as ideal
        from judged as j
        group by j.query_id, j.key
    ), found as (
        select j.query_id, count(*) filter (where s.rank <= metrics.k) as hits, min(s.rank) as first_rank,
            sum(j.grade / (ln(s.rank::float8 + 1) / ln(2::float8))) filter (where s.rank <= metrics.k) as gain
        from run as r
        join evaluation.results as s using (run_id)
        join judged as j using (query_id, document_key)
        where j.grade > 0
        group by j.query_id
    )
    select p.key, coalesce(f.gain / p.ideal, 0), coalesce(f.hits::float8 / nullif(p.relevant, 0), 0),
        coalesce(f.hits::float8 / metrics.k, 0), coalesce(1 / f.first_rank::float8, 0)
    from possible as p
    left join found as f using (query_id)
    order by p.key;
end;

comment on function evaluation.metrics(bigint, int) is
    'nDCG, recall and precision at rank k, and the reciprocal rank, of each judged query in a run. Errors: QC242 unknown run.';

grant execute on function evaluation.metrics(bigint, int) to concierge_app, concierge_admin;
