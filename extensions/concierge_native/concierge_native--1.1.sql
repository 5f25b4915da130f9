\echo Use "create extension concierge_native" to load this file. \quit

create function concierge_chunk_text(content text, strategy text, unit text, size int, overlap int)
    returns table (ordinal int, starts_at int, ends_at int, heading text)
    language c immutable strict parallel safe cost 1000 rows 100
    as 'MODULE_PATHNAME';
comment on function concierge_chunk_text(text, text, text, int, int) is
    'Cuts a text (whole, recursive, markdown) in chunks of at most so many tokens or characters; offsets count code points.';

create function concierge_dimension(lexeme text)
    returns int
    language c immutable strict parallel safe
    as 'MODULE_PATHNAME';
comment on function concierge_dimension(text) is 'The place of a word in concierge_word_weights: 1 to 999,999,937.';

create function concierge_word_length(words tsvector)
    returns int
    language c immutable strict parallel safe
    as 'MODULE_PATHNAME';
comment on function concierge_word_length(tsvector) is 'How many words a text has, repeated ones counted.';

create function concierge_word_weights(words tsvector, k1 real, b real, average_length real)
    returns sparsevec
    language c immutable strict parallel safe cost 100
    as 'MODULE_PATHNAME';
comment on function concierge_word_weights(tsvector, real, real, real) is 'BM25 weights of a text without IDF.';

create function concierge_marks(weights sparsevec)
    returns int[]
    language c immutable strict parallel safe
    as 'MODULE_PATHNAME';
comment on function concierge_marks(sparsevec) is
    'The places of weights, and the negative places of those above 0.6, in ascending order.';

create function concierge_embed_words(words tsvector)
    returns vector
    language c immutable strict parallel safe cost 100
    as 'MODULE_PATHNAME';
comment on function concierge_embed_words(tsvector) is
    'Unit vector of 256 dimensions from the words of a text; null when it has none.';
