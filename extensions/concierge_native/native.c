/*
 * What SQL calls: chunks, weights and hashed embeddings. Each has its definition in SQL, and gives the same.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/md5.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tsearch/ts_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "chunk.h"

PG_MODULE_MAGIC;

#define BUCKETS             256         /* of a hashed embedding */
#define LARGEST_DIMENSION   1000000000  /* of a vector of weights */
#define MOST_WEIGHTS        16000       /* pgvector has no more */
#define STRONG              0.6f        /* a weight above it; knowledge.strong_weight() */

PG_FUNCTION_INFO_V1(concierge_chunk_text);
PG_FUNCTION_INFO_V1(concierge_dimension);
PG_FUNCTION_INFO_V1(concierge_word_length);
PG_FUNCTION_INFO_V1(concierge_word_weights);
PG_FUNCTION_INFO_V1(concierge_marks);
PG_FUNCTION_INFO_V1(concierge_embed_words);


/* --- Chunks ------------------------------------------------------------------------------------------ */

static void *
resize(void *memory, size_t size)
{
    if (memory == NULL)
        return MemoryContextAllocHuge(CurrentMemoryContext, size);
    return repalloc_huge(memory, size);
}

static void
check_for_interrupts(void)
{
    CHECK_FOR_INTERRUPTS();
}

typedef struct ChunkReceiver
{
    ReturnSetInfo *result;
    int32       ordinal;
} ChunkReceiver;

static void
put_chunk(void *state, int32_t starts_at, int32_t ends_at, const char *heading, size_t heading_length)
{
    ChunkReceiver *receiver = state;
    text       *heading_text = cstring_to_text_with_len(heading, (int) heading_length);
    Datum       values[4] = {
        Int32GetDatum(receiver->ordinal++),
        Int32GetDatum(starts_at),
        Int32GetDatum(ends_at),
        PointerGetDatum(heading_text)
    };
    bool        nulls[4] = {false, false, false, false};

    tuplestore_putvalues(receiver->result->setResult, receiver->result->setDesc, values, nulls);
    pfree(heading_text);
}

static bool
equals(const text *word, const char *other)
{
    return VARSIZE_ANY_EXHDR(word) == strlen(other)
        && memcmp(VARDATA_ANY(word), other, strlen(other)) == 0;
}

Datum
concierge_chunk_text(PG_FUNCTION_ARGS)
{
    text       *content = PG_GETARG_TEXT_PP(0);
    text       *strategy = PG_GETARG_TEXT_PP(1);
    text       *unit = PG_GETARG_TEXT_PP(2);
    int64       size = PG_GETARG_INT32(3);
    int64       overlap = PG_GETARG_INT32(4);
    ChunkReceiver receiver = {.result = (ReturnSetInfo *) fcinfo->resultinfo};
    ChunkHost   host = {.resize = resize, .pause = check_for_interrupts, .emit = put_chunk};
    ChunkRules  rules;
    bool        whole = equals(strategy, "whole");
    MemoryContext working;
    MemoryContext caller;

    if (GetDatabaseEncoding() != PG_UTF8)
        ereport(ERROR,
                errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("texts are cut in databases of encoding UTF8 only"));
    rules.markdown = equals(strategy, "markdown");
    rules.in_bytes = equals(unit, "tokens");
    if (!whole && !rules.markdown && !equals(strategy, "recursive"))
        ereport(ERROR,
                errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("\"%s\" is no way to cut a text", text_to_cstring(strategy)),
                errhint("There are whole, recursive and markdown."));
    if (!rules.in_bytes && !equals(unit, "characters"))
        ereport(ERROR,
                errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("\"%s\" is no unit of a chunk's size", text_to_cstring(unit)),
                errhint("There are tokens and characters."));
    if (size < 1 || overlap < 0 || overlap * 2 >= size)
        ereport(ERROR,
                errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("chunks of %d that overlap by %d cannot be", (int) size, (int) overlap),
                errhint("A size is 1 or more, an overlap less than half of it."));
    rules.capacity = whole ? PG_INT32_MAX : (int32) Min(size * (rules.in_bytes ? 4 : 1), PG_INT32_MAX);
    rules.overlap = overlap * (rules.in_bytes ? 4 : 1);

    InitMaterializedSRF(fcinfo, 0);
    host.receiver = &receiver;
    working = AllocSetContextCreate(CurrentMemoryContext, "concierge chunks", ALLOCSET_DEFAULT_SIZES);
    caller = MemoryContextSwitchTo(working);
    chunk_text(&host, &rules, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content));
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(working);
    return (Datum) 0;
}


/* --- Types of pgvector ------------------------------------------------------------------------------- */

/* As pgvector 0.7 and newer stores a sparsevec: so many dimensions from 0, ascending, then their values. */
typedef struct StoredSparse
{
    int32       varlena;
    int32       dimensions;
    int32       count;
    int32       unused;
    int32       places[FLEXIBLE_ARRAY_MEMBER];
} StoredSparse;

/* And a vector. */
typedef struct StoredVector
{
    int32       varlena;
    int16       dimensions;
    int16       unused;
    float4      values[FLEXIBLE_ARRAY_MEMBER];
} StoredVector;

StaticAssertDecl(offsetof(StoredSparse, places) == 16, "a sparsevec has a header of 16 bytes");
StaticAssertDecl(offsetof(StoredVector, values) == 8, "a vector has a header of 8 bytes");

static StoredSparse *
make_sparse(int dimensions, int count)
{
    Size        size = offsetof(StoredSparse, places) + count * (sizeof(int32) + sizeof(float4));
    StoredSparse *sparse = palloc0(size);

    SET_VARSIZE(sparse, size);
    sparse->dimensions = dimensions;
    sparse->count = count;
    return sparse;
}

static float4 *
sparse_values(StoredSparse *sparse)
{
    return (float4 *) (sparse->places + sparse->count);
}

static StoredVector *
make_vector(int dimensions)
{
    Size        size = offsetof(StoredVector, values) + dimensions * sizeof(float4);
    StoredVector *vector = palloc0(size);

    SET_VARSIZE(vector, size);
    vector->dimensions = (int16) dimensions;
    return vector;
}

/*
 * Refuses to build, or read, what the type would not understand: it must read its own words as the bytes we
 * would write. Looked at once for each place a function is called from.
 */
static void
check_stored_form(FmgrInfo *function, Oid type, const char *words, const void *expected)
{
    Oid         input;
    Oid         parameter;
    struct varlena *stored;

    if (function->fn_extra != NULL)
        return;
    getTypeInputInfo(type, &input, &parameter);
    stored = PG_DETOAST_DATUM(OidInputFunctionCall(input, unconstify(char *, words), parameter, -1));
    if (VARSIZE(stored) != VARSIZE(expected) || memcmp(stored, expected, VARSIZE(expected)) != 0)
        ereport(ERROR,
                errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("this pgvector stores type %s in another way than concierge_native knows",
                       format_type_be(type)),
                errhint("Update concierge_native, or drop it: what it does, SQL does, too."));
    function->fn_extra = MemoryContextAllocZero(function->fn_mcxt, 1);
}

/* The type of the only argument. */
static Oid
argument_type(FmgrInfo *function)
{
    Oid        *types;
    int         count;

    get_func_signature(function->fn_oid, &types, &count);
    Assert(count == 1);
    return types[0];
}

static void
check_sparse_form(FmgrInfo *function, Oid type)
{
    StoredSparse *sparse = make_sparse(5, 2);

    sparse->places[0] = 0;
    sparse->places[1] = 2;
    sparse_values(sparse)[0] = 1.5f;
    sparse_values(sparse)[1] = -2.0f;
    check_stored_form(function, type, "{1:1.5,3:-2}/5", sparse);
    pfree(sparse);
}

static void
check_vector_form(FmgrInfo *function)
{
    StoredVector *vector = make_vector(2);

    vector->values[0] = 1.5f;
    vector->values[1] = -2.0f;
    check_stored_form(function, get_func_rettype(function->fn_oid), "[1.5,-2]", vector);
    pfree(vector);
}


/* --- Words ------------------------------------------------------------------------------------------- */

/* A word's place in a vector of weights: knowledge.dimension. */
static int32
dimension(const char *word, int length)
{
    int64       hash = (int64) DatumGetUInt64(hash_any_extended((const unsigned char *) word, length, 0));
    int64       rest = hash % 999999937;

    return 1 + (int32) (rest < 0 ? -rest : rest);
}

static const char *
word_of(TSVector words, int i)
{
    return STRPTR(words) + ARRPTR(words)[i].pos;
}

/* How often the text has a word; one without positions is there once. */
static int
count_of(TSVector words, int i)
{
    WordEntry  *entry = &ARRPTR(words)[i];

    return entry->haspos ? Max(POSDATALEN(words, entry), 1) : 1;
}

static int64
length_of(TSVector words)
{
    int64       length = 0;

    for (int i = 0; i < words->size; i++)
        length += count_of(words, i);
    return length;
}

Datum
concierge_dimension(PG_FUNCTION_ARGS)
{
    text       *word = PG_GETARG_TEXT_PP(0);

    PG_RETURN_INT32(dimension(VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word)));
}

Datum
concierge_word_length(PG_FUNCTION_ARGS)
{
    PG_RETURN_INT32((int32) length_of(PG_GETARG_TSVECTOR(0)));
}

typedef struct Weight
{
    int32       dimension;
    int32       word;           /* its number: words that share a dimension are added in their order */
    float4      weight;
} Weight;

static int
compare_weights(const void *a, const void *b)
{
    const Weight *one = a;
    const Weight *other = b;

    if (one->dimension != other->dimension)
        return one->dimension < other->dimension ? -1 : 1;
    return one->word < other->word ? -1 : one->word > other->word;
}

/* Adds those of one dimension; returns how many are left. */
static int
merge_weights(Weight *weights, int count)
{
    int         last = -1;

    for (int i = 0; i < count; i++)
    {
        if (last >= 0 && weights[last].dimension == weights[i].dimension)
            weights[last].weight = float4_pl(weights[last].weight, weights[i].weight);
        else
            weights[++last] = weights[i];
    }
    return last + 1;
}

Datum
concierge_word_weights(PG_FUNCTION_ARGS)
{
    TSVector    words = PG_GETARG_TSVECTOR(0);
    float4      k1 = PG_GETARG_FLOAT4(1);
    float4      b = PG_GETARG_FLOAT4(2);
    float4      average_length = PG_GETARG_FLOAT4(3);
    Weight     *weights = palloc(sizeof(Weight) * Max(words->size, 1));
    float4      share;
    float4      norm = 0;
    int         count;
    StoredSparse *sparse;

    check_sparse_form(fcinfo->flinfo, get_func_rettype(fcinfo->flinfo->fn_oid));
    if (words->size > 0)
    {
        /* The types, and thereby the rounding, of the definition. */
        share = float4_div(float4_mul(b, (float4) length_of(words)), average_length);
        norm = (float4) float8_mul((float8) k1, float8_pl(float8_mi(1.0, (float8) b), (float8) share));
    }
    for (int i = 0; i < words->size; i++)
    {
        float4      times = (float4) count_of(words, i);

        weights[i].dimension = dimension(word_of(words, i), ARRPTR(words)[i].len);
        weights[i].word = i;
        weights[i].weight = float4_div(times, float4_pl(times, norm));
        if (i % 4096 == 4095)
            CHECK_FOR_INTERRUPTS();
    }
    qsort(weights, words->size, sizeof(Weight), compare_weights);
    count = merge_weights(weights, words->size);
    if (count > MOST_WEIGHTS)
        ereport(ERROR,
                errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("sparsevec cannot have more than %d non-zero elements", MOST_WEIGHTS));

    sparse = make_sparse(LARGEST_DIMENSION, count);
    for (int i = 0; i < count; i++)
    {
        if (!isfinite(weights[i].weight) || weights[i].weight == 0)
            ereport(ERROR,
                    errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("a word cannot weigh %g", (double) weights[i].weight));
        sparse->places[i] = weights[i].dimension - 1;
        sparse_values(sparse)[i] = weights[i].weight;
    }
    PG_RETURN_POINTER(sparse);
}

/*
 * The places of all weights, and the negative ones of those above STRONG: ascending, so strong ones come first,
 * from the last to the first.
 */
Datum
concierge_marks(PG_FUNCTION_ARGS)
{
    StoredSparse *weights = (StoredSparse *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
    Datum      *marks = palloc(sizeof(Datum) * Max(2 * weights->count, 1));
    int         count = 0;

    check_sparse_form(fcinfo->flinfo, argument_type(fcinfo->flinfo));
    for (int i = weights->count - 1; i >= 0; i--)
        if (sparse_values(weights)[i] > STRONG)
            marks[count++] = Int32GetDatum(-weights->places[i] - 1);
    for (int i = 0; i < weights->count; i++)
        marks[count++] = Int32GetDatum(weights->places[i] + 1);
    PG_RETURN_ARRAYTYPE_P(construct_array(marks, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}


/* --- Hashed embedding -------------------------------------------------------------------------------- */

Datum
concierge_embed_words(PG_FUNCTION_ARGS)
{
    TSVector    words = PG_GETARG_TSVECTOR(0);
    float8      weights[BUCKETS] = {0};
    float8      squares = 0;
    float8      length;
    StoredVector *vector;

    check_vector_form(fcinfo->flinfo);
    for (int i = 0; i < words->size; i++)
    {
        WordEntry  *entry = &ARRPTR(words)[i];
        uint8       digest[MD5_DIGEST_LENGTH];
        const char *problem = NULL;
        float8      weight;

        if (!pg_md5_binary(word_of(words, i), entry->len, digest, &problem))
            ereport(ERROR,
                    errcode(ERRCODE_INTERNAL_ERROR),
                    errmsg("could not compute MD5 of a word: %s", problem));
        if (!entry->haspos || POSDATALEN(words, entry) == 0)
            continue;
        weight = 1 + log((float8) POSDATALEN(words, entry));
        weights[digest[0]] += digest[1] < 128 ? weight : -weight;
        if (i % 4096 == 4095)
            CHECK_FOR_INTERRUPTS();
    }
    for (int i = 0; i < BUCKETS; i++)
        squares += weights[i] * weights[i];
    length = sqrt(squares);
    if (!(length > 0))
        PG_RETURN_NULL();

    vector = make_vector(BUCKETS);
    for (int i = 0; i < BUCKETS; i++)
        vector->values[i] = (float4) (weights[i] / length);
    PG_RETURN_POINTER(vector);
}
