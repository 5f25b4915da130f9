/*
 * chunks [SECONDS]
 *
 * Cuts random texts with the extension's own code, built without PostgreSQL and with sanitizers. Memory is given out in
 * the very size asked for, so that one byte too far is found. What was cut must be in order, not empty, and on characters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../extensions/concierge_native/chunk.h"

#define MOST_PIECES     400
#define MOST_MEMORY     64

static const char *const pieces[] = {
    "a", "word", "ERR_42 ", " ", "  ", "\n", "\r\n", "\r", "\n\n", "\t", "\f", ". ", "! ", "?\" ", "\xE2\x80\xA6",
    "\xE3\x80\x82", "\xEF\xBC\x81", "\xE3\x80\x81", "\xE3\x80\x8D", "\xE6\xBC\xA2", "\xE0\xA4\x95", "\xE0\xA5\x8D",
    "\xCC\x81", "\xE2\x80\x8D", "\xEF\xB8\x8F", "\xF0\x9F\x91\xA8", "\xF0\x9F\x8F\xBD", "\xF0\x9F\x87\xA9",
    "\xE1\x84\x80", "\xE1\x85\xA1", "\xEA\xB0\x80", "\xC2\xA0", "\xE3\x80\x80", "\xE2\x80\xA9", "\xF3\xA0\x81\xA7",
    "\n# A\n", "\n## B ##\r\n", "\n###### ", "\n#\n", "#", "\n```\n", "\n~~~~ x\r", "\n  ````",
    "`", "\n| a | b |\n", "| c |\n", "|"
};

static void *memory[MOST_MEMORY];
static int  memory_count;

static void *
resize(void *old, size_t size)
{
    void       *new = realloc(old, size);
    int         i = 0;

    while (i < memory_count && memory[i] != old)
        i++;
    if (i == memory_count)
        memory_count++;
    if (new == NULL || memory_count > MOST_MEMORY)
        abort();
    memory[i] = new;
    return new;
}

static void
go_on(void)
{
}

typedef struct Seen
{
    int32_t     starts_at;
    int32_t     ends_at;
    int32_t     length;
    long        count;
} Seen;

static void
look(void *receiver, int32_t starts_at, int32_t ends_at, const char *heading, size_t heading_length)
{
    Seen       *seen = receiver;
    size_t      sum = 0;

    for (size_t i = 0; i < heading_length; i++)
        sum += (unsigned char) heading[i];
    if (starts_at <= seen->starts_at || ends_at <= seen->ends_at || ends_at <= starts_at || ends_at > seen->length
        || (heading_length > 0 && sum == 0))
    {
        fprintf(stderr, "ERROR: a chunk from %d to %d after %d to %d of %d\n",
                starts_at, ends_at, seen->starts_at, seen->ends_at, seen->length);
        abort();
    }
    seen->starts_at = starts_at;
    seen->ends_at = ends_at;
    seen->count++;
}

static long
cut_one(void)
{
    size_t      count = (size_t) rand() % MOST_PIECES;
    size_t      length = 0;
    char       *text = malloc(MOST_PIECES * 16);
    char       *exact;
    ChunkRules  rules = {.markdown = rand() % 2, .in_bytes = rand() % 2, .capacity = 1 + rand() % (rand() % 2 ? 8 : 200)};
    Seen        seen = {.starts_at = -1};
    ChunkHost   host = {.resize = resize, .pause = go_on, .emit = look, .receiver = &seen};

    rules.overlap = rand() % ((rules.capacity + 1) / 2);
    for (size_t i = 0; i < count; i++)
    {
        const char *piece = pieces[(size_t) rand() % (sizeof(pieces) / sizeof(pieces[0]))];

        memcpy(text + length, piece, strlen(piece));
        length += strlen(piece);
    }
    exact = malloc(length > 0 ? length : 1);
    memcpy(exact, text, length);
    for (size_t i = 0; i < length; i++)
        seen.length += ((unsigned char) exact[i] & 0xC0) != 0x80;
    chunk_text(&host, &rules, exact, length);
    free(text);
    free(exact);
    while (memory_count > 0)
        free(memory[--memory_count]);
    return seen.count;
}

int
main(int argc, char **argv)
{
    int         seconds = argc > 1 ? atoi(argv[1]) : 20;
    time_t      end = time(NULL) + seconds;
    long        texts = 0;
    long        chunks = 0;

    srand(1);
    do
    {
        chunks += cut_one();
        texts++;
    } while (texts % 100 != 0 || time(NULL) < end);
    printf("%ld texts in %ld chunks\n", texts, chunks);
    return 0;
}
