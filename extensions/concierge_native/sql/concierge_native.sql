-- The functions by themselves; that they equal their definition in SQL is tested where that is.
create extension vector;
create extension concierge_native;

-- Chunks.
select ordinal, starts_at, ends_at, heading, substr(content, starts_at + 1, ends_at - starts_at) as chunk
from (values ('One two. Three four five. Six seven eight.')) as t (content),
    concierge_chunk_text(content, 'recursive', 'characters', 20, 6);
select ordinal, starts_at, ends_at, heading from concierge_chunk_text(E'Before.\n# A\n```\n# b\n```\n## C\n| d |\n| e |\n', 'markdown', 'tokens', 16, 0);
select count(*), min(ends_at - starts_at), max(ends_at - starts_at) from concierge_chunk_text(repeat('word ', 300000), 'recursive', 'tokens', 256, 32);
select count(*) from concierge_chunk_text('', 'whole', 'tokens', 1, 0);
select count(*) from concierge_chunk_text(null, 'whole', 'tokens', 1, 0);
-- From a table, compressed and out of line, and stopped on the way.
create table document (content text);
insert into document select repeat('Lorem ipsum dolor sit amet. ', 100000);
select count(*) from document, concierge_chunk_text(content, 'recursive', 'tokens', 64, 0);
select ordinal from document, concierge_chunk_text(content, 'recursive', 'tokens', 64, 0) limit 2;
select concierge_chunk_text('a', 'by ear', 'tokens', 16, 0);
select concierge_chunk_text('a', 'whole', 'pages', 16, 0);
select concierge_chunk_text('a', 'recursive', 'tokens', 16, 8);

-- Words.
select concierge_dimension('word'), concierge_dimension('');
select concierge_word_length('a:1,2,3 b:4 c'), concierge_word_length('');
select concierge_word_weights('a:1,2,3 b:4 c', 1.2, 0.75, 4), concierge_word_weights('', 1.2, 0.75, 4);
select concierge_word_weights('a', 1.2, 0.75, 0);
select concierge_word_weights('a', 'nan', 0.75, 1);
select count(*) from (select concierge_word_weights(to_tsvector('simple', n::text || ' word'), 1.2, 0.75, 2) as w from generate_series(1, 1000) as n) as t
where w is not null;
select concierge_marks(concierge_word_weights('a:1,2,3 b:4 c', 1.2, 0.75, 4)), concierge_marks('{}/5'), concierge_marks('{1:0.6,2:0.60001,5:1}/5');
select vector_dims(v), round(vector_norm(v)::numeric, 5), (v::real[])[12:14] from (select concierge_embed_words('a:1,2,3 b:4') as v) as t;
select concierge_embed_words('') is null;

-- In a database of another encoding there is no cutting.
select current_database() as here \gset
create database concierge_native_latin1 encoding latin1 template template0 lc_collate 'C' lc_ctype 'C';
\connect concierge_native_latin1
create extension vector;
create extension concierge_native;
select concierge_chunk_text('a', 'whole', 'tokens', 16, 0);
select concierge_word_length('a b');
\connect :here
drop database concierge_native_latin1;
