-- What is found is what an exhaustive look would find: whatever is counted, new, changed or gone.
begin;
select no_plan();
select test.act_as('acme', 'olga');
select knowledge.create_workspace('random', 'Random', '{"languages": ["simple"], "chunk_size": 40, "chunk_overlap": 0}');
select test.act_as_superuser();

-- Words by Zipf's law, so that some are in most chunks and many in one.
create function test.text(seed int, words int) returns text language sql as $$
    select string_agg('w' || (2000 ^ (abs(hashint8extended(seed * 100003::bigint + g, 7) % 1000000) / 1000000.0))::int, ' ' order by g)
    from generate_series(1, words) as g
$$;
create function test.add(first int, last int) returns void language plpgsql as $$
begin
    perform test.act_as('acme', 'olga');
    perform knowledge.add_text('random', '', test.text(n, 5 + n % 60), 'd' || n) from generate_series(first, last) as n;
    perform test.act_as_superuser();
end
$$;
create function test.workspace() returns bigint language sql as $$ select workspace_id from knowledge.workspaces where slug = 'random' $$;
create function test.count_all() returns void language plpgsql as $$
begin
    while knowledge.count_some_words(test.workspace(), 100) > 0 loop end loop;
end
$$;
-- Every chunk that has a word of the query, by the same statistics, all of them scored.
create function test.exhaustive(query text, max_results int, condition text) returns table (chunk_id bigint, score real) language plpgsql as $$
declare
    v_read record;
begin
    select * into v_read from knowledge.read_query(query, '{simple}');
    return query execute format($sql$
        select l.chunk_id, (- (l.weights operator(extensions.<#>) v.vector))::real as score
        from knowledge.lexical_%1$s as l,
            (select knowledge.query_vector(array_agg(w.lexeme), array_agg(w.factor)) as vector
             from knowledge.weigh_terms(%1$s, $1, $2, array(select u.chunk_id from knowledge.uncounted as u where u.lexemes is null)) as w) as v
        where knowledge.marks(l.weights) && knowledge.dimensions($1) %2$s order by score desc, l.chunk_id limit $3$sql$, test.workspace(), condition)
    using v_read.lexemes, v_read.counts, max_results;
end
$$;
create table test.paths (chosen boolean);
create function test.differences(queries int, max_results int, condition text default '') returns table (query text, got text, wanted text) language plpgsql as $$
declare
    v_query  text;
    v_read   record;
    v_chosen boolean;
begin
    for v_query in select test.text(1000000 + q, 1 + q % 12) from generate_series(1, queries) as q loop
        select * into v_read from knowledge.read_query(v_query, '{simple}');
        query := v_query;
        select array_agg(x.chunk_id || ':' || x.score)::text into wanted from test.exhaustive(v_query, max_results, condition) as x;
        select array_agg(i || ':' || s)::text, bool_or(m.path !~ '^(\d+) of \1 ') into got, v_chosen
        from knowledge.match_words(test.workspace(), v_read.lexemes, v_read.counts, null, '{}', condition, '{}', null, max_results) as m,
            unnest(m.chunk_ids, m.scores) as r (i, s);
        insert into test.paths values (coalesce(v_chosen, false));
        if got is distinct from wanted then
            return next;
        end if;
    end loop;
end
$$;

select test.add(1, 200);
select is_empty('select * from test.differences(60, 10)', 'Before anything is counted');
select test.count_all();
select is_empty('select * from test.differences(60, 10)', 'All counted');
truncate test.paths;
select is_empty('select * from test.differences(200, 1)', 'Of many the best');
select is_empty('select * from test.differences(200, 3)', 'and the best three');
select cmp_ok((select count(*) filter (where chosen) from test.paths), '>', 50::bigint, 'though not all words were looked for');
select is_empty(format('select * from test.differences(100, 2, %L)', c), 'and where few may be found:' || c)
from unnest(array[' and l.chunk_id % 2 = 0', ' and l.chunk_id % 17 = 0', ' and l.chunk_id % 1000 = 0', ' and false']) as c;
select is_empty('select * from test.differences(25, 1)', 'Only the best one');
select is_empty('select * from test.differences(25, 400)', 'More than there are');
select test.add(201, 260);
select is_empty('select * from test.differences(60, 10)', 'Some counted, some new');
select is_empty('select * from test.differences(60, 1)', 'the best alone, too');
select knowledge.count_some_words(test.workspace(), 37);
select is_empty('select * from test.differences(60, 10)', 'Counted in part');
select is_empty('select * from test.differences(60, 1)', 'the best alone, too');
select test.act_as('acme', 'olga');
select knowledge.remove_document('random', document_id) from knowledge.documents where key ~ '[05]$';
select knowledge.add_text('random', '', test.text(7000 + n, 30), 'd' || n) from generate_series(1, 60) as n;
select test.act_as_superuser();
select is_empty('select * from test.differences(60, 10)', 'After some are gone, and some others changed');
select is_empty('select * from test.differences(60, 1)', 'the best alone, too');
select test.count_all();
select is_empty('select * from test.differences(60, 10)', 'and these are counted, too');
select is((select count(*) from knowledge.uncounted), 0::bigint, 'Nothing is left to count');

-- What the folds came to is what a count of everything says.
select results_eq(
    format('select t.lexeme, t.chunk_count from knowledge.terms_%s as t where t.chunk_count <> 0 order by 1', test.workspace()),
    format('select u.lexeme collate "C", count(*)::int from knowledge.chunk_words_%s as l, unnest(tsvector_to_array(l.words)) as u (lexeme) group by 1 order by 1', test.workspace()),
    'Document frequencies are those of what is there');
select is((select (s.chunk_count, s.word_count)::text from knowledge.statistics as s where s.workspace_id = test.workspace()),
    (select (count(*), sum(l.length))::text from knowledge.chunk_words as l where l.workspace_id = test.workspace()), 'and so are the totals');
select is_empty($$
    select l.chunk_id from knowledge.lexical as l join knowledge.chunk_words as w using (workspace_id, chunk_id) join knowledge.statistics as s using (workspace_id)
    where l.weights operator(extensions.<>) knowledge.weights(w.words, 1.2, 0.75, s.average_length) $$, 'Every weight is made for the average length that is kept');
select is_empty(format($$
    select t.lexeme from knowledge.terms_%1$s as t
    join knowledge.chunk_words_%1$s as l on true
    join knowledge.statistics as s on s.workspace_id = %1$s
    cross join lateral unnest(l.words) as u
    where u.lexeme = t.lexeme and cardinality(u.positions) / (cardinality(u.positions)
        + 1.2::real * (1 - 0.75::real + 0.75::real * l.length / s.average_length)) > t.max_weight * 1.00001 $$, test.workspace()),
    'No word weighs more than its bound');

-- What need not be looked for cannot have what is aimed at, and no word could be spared.
select setseed(0.5);
create temp table choice as
select n, c.terms, c.aim, knowledge.choose_words(c.terms, c.aim, array_fill(1::float8, array[cardinality(c.terms)])) as levels
from (
    select n, terms, random() * (select sum(bound) from unnest(terms) as t) as aim
    from generate_series(1, 1000) as n
    cross join lateral (
        select array_agg((format('w%s', i), chunks, 1, bound, floor(chunks * random() ^ 3), bound * least(1, 0.5 + random()))::knowledge.weighed_term) as terms
        from generate_series(1, 1 + n % 9) as i
        cross join lateral (select 1 + floor(100000 * random() ^ 5) as chunks, (0.1 + random() * 10)::real as bound where n > 0 and i > 0) as r
    ) as t
) as c;
create function test.missed(terms knowledge.weighed_term[], levels int[]) returns float8 language sql as $$
    select sum(case l.level when 0 then t.bound when 1 then t.weak_bound else 0 end::float8)
    from unnest(terms) with ordinality as t (lexeme, chunk_count, factor, bound, strong_count, weak_bound, place) join unnest(levels) with ordinality as l (level, place) using (place) $$;
select is_empty('select * from choice where test.missed(terms, levels) >= aim', 'What is missed has less than is aimed at');
select is_empty($$
    select c.n from choice as c cross join lateral unnest(c.levels) with ordinality as l (level, place)
    cross join lateral generate_series(0, l.level - 1) as less
    where test.missed(c.terms, c.levels[:l.place - 1] || array[less::int] || c.levels[l.place + 1:]) * 1.001 < c.aim
        and (c.terms[l.place]).weak_bound < (c.terms[l.place]).bound $$, 'and nothing is looked for in vain');
select is((select count(distinct l) from choice, unnest(levels) as l), 3::bigint, 'in each of three ways');
select is_empty(format($$
    select l.chunk_id, t.lexeme from knowledge.lexical_%1$s as l
    join knowledge.weigh_terms(%1$s, array(select lexeme from knowledge.terms_%1$s), array(select 1::real from knowledge.terms_%1$s), '{}') as t
        on not knowledge.marks(l.weights) && array[- knowledge.dimension(t.lexeme)]
    where - (l.weights operator(extensions.<#>) knowledge.query_vector(array[t.lexeme], array[t.factor])) > t.weak_bound * 1.00001 and l.chunk_id %% 10 = 0 $$, test.workspace()),
    'What is not marked as strong is weak');
select is_empty(format($$
    select t.lexeme from knowledge.weigh_terms(%1$s, array(select lexeme from knowledge.terms_%1$s), array(select 1::real from knowledge.terms_%1$s), '{}') as t
    where t.strong_count not between 0 and t.chunk_count or t.weak_bound < t.bound and t.strong_count = 0 $$, test.workspace()), 'and counts of it are near');

-- All gone, and come again before anybody counts.
select test.act_as('acme', 'olga');
select knowledge.create_workspace('again', 'Again', '{"languages": ["simple"]}', null);
select test.act_as_superuser();
create function test.come_and_go() returns void language plpgsql as $$
begin
    perform test.act_as('acme', 'olga');
    perform knowledge.add_text('again', '', 'pump ' || n, 'd' || n) from generate_series(1, 150) as n;
    perform test.act_as_superuser();
    perform knowledge.count_some_words(workspace_id, 1000) from knowledge.workspaces where slug = 'again';
    perform test.act_as('acme', 'olga');
    perform knowledge.remove_document('again', d.document_id) from knowledge.documents as d join knowledge.workspaces as w using (workspace_id) where w.slug = 'again';
    perform test.act_as_superuser();
    perform knowledge.count_some_words(workspace_id, 1000) from knowledge.workspaces where slug = 'again';
    perform test.act_as('acme', 'olga');
    perform knowledge.add_text('again', '', 'pump ' || n, 'e' || n) from generate_series(1, 150) as n;
end
$$;
select test.come_and_go();
select is((select count(*) from knowledge.search('again', 'pump', max_results => 1)), 1::bigint, 'What comes after all was gone is found');
select test.act_as_superuser();

-- By hand: three texts, and the formula as it stands in books.
select test.act_as('acme', 'olga');
select knowledge.create_workspace('byhand', 'By hand', '{"languages": ["simple"]}', null);
select knowledge.add_text('byhand', '', t, t) from unnest(array['red red fox', 'red dog', 'dog dog dog cat']) as t;
select test.act_as_superuser();
select knowledge.count_some_words(workspace_id, 100), knowledge.weigh_again(workspace_id) from knowledge.workspaces where slug = 'byhand';
select test.act_as('acme', 'olga');
-- N 3, average length 3, IDF(red) = ln(1 + 1.5 / 2.5): red red fox: 2 / (2 + 1.2), red dog: 1 / (1 + 1.2 (0.25 + 0.75 · 2 / 3)).
select results_eq($$ select document_key, round(lexical_score::numeric, 5) from knowledge.search('byhand', 'red') $$,
    $$ values ('red red fox', round((ln(1.6) * 2 / 3.2)::numeric, 5)), ('red dog', round((ln(1.6) / 1.9)::numeric, 5)) $$, 'The scores are those of the books');
select is(round(a.lexical_score::numeric, 5), round(2 * b.lexical_score::numeric, 5), 'A word asked for twice counts twice')
from knowledge.search('byhand', 'red red') as a join knowledge.search('byhand', 'red') as b using (document_key) where document_key = 'red dog';

select * from finish();
rollback;
