\echo Use "alter extension concierge_native update" to load this file. \quit

create function concierge_marks(weights sparsevec)
    returns int[]
    language c immutable strict parallel safe
    as 'MODULE_PATHNAME';
comment on function concierge_marks(sparsevec) is
    'The places of weights, and the negative places of those above 0.6, in ascending order.';
