/*
 * Cutting texts, without PostgreSQL: the definition is sql/knowledge/text_units.sql and chunk_text.sql, and the
 * results are the same to the last code point.
 */
#ifndef CONCIERGE_CHUNK_H
#define CONCIERGE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ChunkHost
{
    void       *(*resize) (void *memory, size_t size);      /* null: new memory; never returns null */
    void        (*pause) (void);                            /* called every now and then */
    void        (*emit) (void *receiver, int32_t starts_at, int32_t ends_at, const char *heading,
                         size_t heading_length);
    void       *receiver;
} ChunkHost;

typedef struct ChunkRules
{
    bool        markdown;
    bool        in_bytes;       /* weights are bytes, not code points */
    int32_t     capacity;
    int64_t     overlap;        /* less than half the capacity */
} ChunkRules;

/* The text is valid UTF-8 of less than 2^30 bytes. Memory is the host's to free, whatever happens. */
extern void chunk_text(const ChunkHost *host, const ChunkRules *rules, const char *text, size_t length);

#endif
