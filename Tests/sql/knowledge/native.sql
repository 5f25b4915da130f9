-- The native extension and its definition in SQL give the same, whatever they get; without it, SQL does the work.
begin;
select no_plan();
select setseed(0.25);

create temp table sample as
select n, content, to_tsvector((array['english', 'simple'])[1 + n % 2]::regconfig, content) as words,
    (array['recursive', 'markdown', 'whole'])[1 + n % 3] as strategy, (array['tokens', 'characters'])[1 + n / 3 % 2] as unit,
    size, floor((size + 1) / 2 * random())::int as overlap,
    (array[0, 0.9, 1.2, 100])[1 + n / 2 % 4]::real as k1, (array[0, 0.4, 0.75, 1])[1 + n / 3 % 4]::real as b, (0.1 + 300 * random())::real as average
from (
    select n, (array[1, 3, 16, 40, 200])[1 + n / 6 % 5] as size, test.random_text((random() * 100)::int) as content
    from generate_series(1, 2000) as n
    union all
    -- Every code point by itself, save those that cannot be.
    select 2000 + block, (array[1, 3, 2])[1 + block % 3], (
        select string_agg('a' || chr(block * 4096 + i) || chr(block * 4096 + 4095 - i), '' order by i)
        from generate_series(0, 4095) as i where block * 4096 + i > 0 and i < 4095)
    from unnest(array[0, 1, 2, 3, 4, 10, 11, 12, 15, 16, 17, 18, 22, 26, 27, 29, 30, 31, 224]) as block) as t;

create function test.native() returns setof text language plpgsql as $test$
begin
    if to_regprocedure('extensions.concierge_chunk_text(text, text, text, int, int)') is null then
        return next skip('concierge_native is not installed here: extensions/install.sh brings it');
        return;
    end if;

    create temp table by_sql as select s.n, c.* from sample as s, knowledge.chunk_text_sql(s.content, s.strategy, s.unit, s.size, s.overlap) as c;
    create temp table by_c as select s.n, c.* from sample as s, extensions.concierge_chunk_text(s.content, s.strategy, s.unit, s.size, s.overlap) as c;
    return next cmp_ok((select count(*) from by_sql), '>', 50000::bigint, 'Many chunks are compared');
    return next is_empty('(table by_sql except all table by_c) union all (table by_c except all table by_sql)', 'Chunks are the same');
    return next is_empty($$ select n from sample
        where extensions.concierge_word_weights(words, k1, b, average)::text <> knowledge.weights_sql(words, k1, b, average)::text $$, 'Weights are the same');
    return next is_empty($$ select n from sample
        where extensions.concierge_marks(extensions.concierge_word_weights(words, k1, b, average)) <> knowledge.marks_sql(knowledge.weights_sql(words, k1, b, average)) $$, 'and what they mark');
    return next cmp_ok((select sum(cardinality(array(select m from unnest(knowledge.marks_sql(knowledge.weights_sql(words, k1, b, average))) as m where m < 0))) from sample), '>', 1000::bigint, 'some of it strongly');
    return next is_empty($$ select n from sample
        where extensions.concierge_word_weights(strip(words), k1, b, average)::text <> knowledge.weights_sql(strip(words), k1, b, average)::text $$, 'without positions, too');
    return next is_empty($$ select n from sample where extensions.concierge_word_length(words) <> knowledge.length(words) $$, 'Lengths are the same');
    return next is_empty($$ select w.lexeme from sample as s, unnest(s.words) as w
        where extensions.concierge_dimension(w.lexeme) <> knowledge.dimension(w.lexeme) $$, 'Dimensions are the same');
    return next is_empty($$ select n from sample
        where extensions.concierge_embed_words(words)::text is distinct from model.embed_words_sql(words)::text $$, 'Embeddings are the same, bit for bit');
    return query select is(extensions.concierge_embed_words(v)::text, model.embed_words_sql(v)::text, 'of nothing, and of words without positions')
        from unnest(array['', 'a b'::tsvector, 'a:1 b']) as v;

    return query select throws_ok(format('select extensions.concierge_chunk_text(%L, %L, %L, %s, %s)', 'a', strategy, unit, size, overlap), '22023', message, 'Refused alike: ' || message)
    from (values
        ('by ear', 'tokens', 16, 0, '"by ear" is no way to cut a text'),
        ('whole', 'pages', 16, 0, '"pages" is no unit of a chunk''s size'),
        ('markdown', 'tokens', 16, 8, 'chunks of 16 that overlap by 8 cannot be'),
        ('recursive', 'tokens', 0, 0, 'chunks of 0 that overlap by 0 cannot be')) as t (strategy, unit, size, overlap, message);
    return next throws_ok('select extensions.concierge_word_weights(w, 1, 1, 0) from (values (''a:1''::tsvector)) as t (w)', '22012', null, 'An average length of 0 is');
    return next throws_ok('select knowledge.weights_sql(w, 1, 1, 0) from (values (''a:1''::tsvector)) as t (w)', '22012', null, 'by both');
    return query select throws_ok(format('select %s(array_to_tsvector(array_agg(n::text)), 1, 1, 1) from generate_series(1, 16001) as n', f), '54000', null, 'More words than pgvector keeps are: ' || f)
    from unnest(array['extensions.concierge_word_weights', 'knowledge.weights_sql']) as f;

    -- What is called takes the extension, and does without.
    create temp table called as select s.n, knowledge.weights(s.words, s.k1, s.b, s.average)::text as weights, knowledge.marks(knowledge.weights(s.words, s.k1, s.b, s.average)) as marks, model.embed_words(s.words)::text as embedding from sample as s where s.n <= 100;
    create temp table called_chunks as select s.n, c.* from sample as s, knowledge.chunk_text(s.content, s.strategy, s.unit, s.size, s.overlap) as c where s.n <= 100;
    drop extension concierge_native;
    return next is_empty($$ select * from called except select s.n, knowledge.weights(s.words, s.k1, s.b, s.average)::text, knowledge.marks(knowledge.weights(s.words, s.k1, s.b, s.average)), model.embed_words(s.words)::text from sample as s $$, 'Without the extension, words are the same');
    return next is_empty($$ select * from called_chunks except select s.n, c.* from sample as s, knowledge.chunk_text(s.content, s.strategy, s.unit, s.size, s.overlap) as c where s.n <= 100 $$, 'and chunks');
end
$test$;
select * from test.native();

select * from finish();
rollback;
