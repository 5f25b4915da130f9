-- statement_timeout: 0
-- Search scores thousands of chunks and looks at the words of hardly any: words and weights part, so that what is scored is
-- read from few pages. The index is made from the weights: of their places, and which of them are strong.
do $$
begin
    if exists (select from pg_extension where extname = 'concierge_native') then
        alter extension concierge_native update;
    end if;
end
$$;

set local role concierge_owner;

create table knowledge.chunk_words (
    workspace_id bigint   not null,
    chunk_id     bigint   not null,
    length       int      not null,
    words        tsvector not null,
    primary key (workspace_id, chunk_id)
) partition by list (workspace_id);
comment on table  knowledge.chunk_words        is 'The words of chunks, with their positions; a partition a workspace.';
comment on column knowledge.chunk_words.length is 'How many words.';
comment on column knowledge.chunk_words.words  is 'What weights are made of, and phrases are matched in.';
alter table knowledge.chunk_words alter column words set storage external;
alter table knowledge.chunk_words enable row level security;

alter table knowledge.terms add column strong_count int not null default 0;
comment on column knowledge.terms.strong_count is
    'In about how many it weighs more than knowledge.strong_weight(); what goes is not counted off.';

alter type knowledge.weighed_term add attribute strong_count bigint, add attribute weak_bound real;
comment on type knowledge.weighed_term is
    'A word of a query: in how many chunks, and strong in how many; what its weights are multiplied by; what it adds at most, and
to a chunk it is not strong in.';

-- As of now; sql/knowledge/weights.sql has what is true.
create function knowledge.marks(weights extensions.sparsevec)
    returns int[]
    language sql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
    set extra_float_digits = 1
begin atomic
    select coalesce(array_agg(s.sign * p.part[1]::int order by s.sign * p.part[1]::int), '{}')
    from regexp_matches(weights::text, '([0-9]+):([^,}]+)', 'g') as p (part)
    cross join (values (1), (-1)) as s (sign)
    where s.sign = 1 or p.part[2]::real > 0.6::real;
end;

comment on function knowledge.marks(extensions.sparsevec) is
    'What a chunk is found by: the places of its words, and the negative places of those that are strong in it.';

do $$
declare
    v_id bigint;
begin
    for v_id in
        select substring(c.relname from '[0-9]+$')::bigint
        from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = 'knowledge.lexical'::regclass
    loop
        execute format('create table knowledge.chunk_words_%s (like knowledge.chunk_words including all)', v_id);
        execute format('alter table knowledge.chunk_words_%s enable row level security', v_id);
        execute format('comment on table knowledge.chunk_words_%s is %L', v_id, 'Part of knowledge.chunk_words.');
        execute format('alter table knowledge.chunk_words attach partition knowledge.chunk_words_%1$s for values in (%1$s)', v_id);
        execute format('insert into knowledge.chunk_words_%1$s (workspace_id, chunk_id, length, words)
            select l.workspace_id, l.chunk_id, l.length, l.words from knowledge.lexical_%1$s as l', v_id);
        execute format($sql$
            update knowledge.terms_%1$s as t
            set strong_count = c.count
            from (
                select u.lexeme collate "C" as lexeme, count(*) as count
                from knowledge.lexical_%1$s as l
                join knowledge.workspaces as w on w.workspace_id = l.workspace_id
                join knowledge.statistics as s on s.workspace_id = l.workspace_id
                cross join lateral unnest(l.words) as u
                cross join lateral (
                    select greatest(coalesce(cardinality(u.positions), 1), 1) as count) as f
                where f.count / (f.count + w.bm25_k1 * (1 - w.bm25_b + w.bm25_b * l.length / s.average_length)) > 0.6
                group by 1
            ) as c
            where t.workspace_id = %1$s and t.lexeme = c.lexeme$sql$, v_id);
    end loop;
end
$$;

-- allow M102: search is another one in the same transaction
drop index knowledge.lexical_by_words;
-- allow D304: they are in knowledge.chunk_words
alter table knowledge.lexical drop column words, drop column length;
comment on table knowledge.lexical is 'The weights of chunks'' words, for BM25; a partition a workspace.';
-- allow M101: it is the migration's point, and what writes documents waits for it
create index lexical_by_marks on knowledge.lexical using gin (knowledge.marks(weights));

-- What a dropped column held goes when rows are written anew.
do $$
declare
    v_index regclass;
begin
    for v_index in
        select x.indexrelid::regclass
        from pg_inherits as i join pg_index as x on x.indrelid = i.inhrelid and x.indisprimary
        where i.inhparent = 'knowledge.lexical'::regclass
    loop
        execute format('cluster %s using %I', (select x.indrelid::regclass from pg_index as x where x.indexrelid = v_index),
            (select c.relname from pg_class as c where c.oid = v_index));
    end loop;
end
$$;
