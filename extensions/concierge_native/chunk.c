/*
 * Cutting texts into chunks.
 */
#include "chunk.h"

#include <string.h>

#include "marks.h"

#define HEADING_LEVELS  6
#define MANY            4096    /* this many words between two pauses */

/* What a code point is, as far as breaks go. */
typedef enum Kind
{
    OTHER,
    TAB,
    CARRIAGE_RETURN,
    LINE_FEED,
    LINE_END,                   /* any other */
    BLANK,
    STOP,                       /* ends a sentence without a space */
    COMMA,                      /* of scripts without spaces */
    SENTENCE_END,
    CLOSER,
    MARK,
    JOINER,                     /* a mark that nothing is cut behind, either */
    REGIONAL,
    LEADING_JAMO,
    SYLLABLE,
    JAMO                        /* vowels and finals */
} Kind;

/* A code point of the segment at hand: four bits of kind, then its bytes. */
typedef uint8_t Letter;

#define KIND(letter)    ((Kind) ((letter) & 15))
#define BYTES(letter)   ((letter) >> 4)

typedef struct Segment
{
    size_t      start;          /* byte */
    int32_t     section;
    bool        is_block;
} Segment;

typedef struct Section
{
    size_t      heading;        /* where it begins in headings */
    size_t      length;
} Section;

typedef struct Unit
{
    int32_t     start;          /* code points */
    int32_t     end;
    int32_t     from;           /* weights */
    int32_t     to;
    int32_t     section;
    int32_t     level;
} Unit;

typedef struct Chunker
{
    const ChunkHost *host;
    const ChunkRules *rules;
    const unsigned char *text;
    size_t      length;

    Segment    *segments;
    size_t      segment_count;
    size_t      segment_room;

    Section    *sections;
    size_t      section_count;
    size_t      section_room;
    char       *headings;
    size_t      headings_length;
    size_t      headings_room;

    Letter     *letters;        /* of one segment */
    size_t      letter_count;
    size_t      letter_room;
    int32_t     place;          /* code points before it */
    int32_t     byte;           /* bytes before it */

    Unit       *units;
    size_t      unit_count;
    size_t      unit_room;
} Chunker;

/* Makes room for one more thing, and for as many again as there are. */
static void *
grow(Chunker *c, void *array, size_t *room, size_t needed, size_t size)
{
    if (needed <= *room)
        return array;
    *room = needed < 16 ? 16 : needed + needed / 2;
    return c->host->resize(array, *room * size);
}


/* --- Code points ------------------------------------------------------------------------------------- */

static bool
is_mark_code(uint32_t code)
{
    size_t      low = 0;
    size_t      high = sizeof(mark_ranges) / sizeof(mark_ranges[0]);

    while (low < high)
    {
        size_t      middle = (low + high) / 2;

        if (code > mark_ranges[middle][1])
            low = middle + 1;
        else if (code < mark_ranges[middle][0])
            high = middle;
        else
            return true;
    }
    return false;
}

static Kind
kind_of_ascii(uint32_t code)
{
    switch (code)
    {
        case '\t':
            return TAB;
        case '\r':
            return CARRIAGE_RETURN;
        case '\n':
            return LINE_FEED;
        case '\v':
        case '\f':
            return LINE_END;
        case ' ':
            return BLANK;
        case '.':
        case '!':
        case '?':
            return SENTENCE_END;
        case '"':
        case '\'':
        case ')':
        case ']':
        case '}':
        case '*':
        case '_':
        case '`':
            return CLOSER;
        default:
            return OTHER;
    }
}

static Kind
kind_of(uint32_t code)
{
    if (code < 0x80)
        return kind_of_ascii(code);
    if ((code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3041 && code <= 0x3098))
        return OTHER;           /* most of what is Chinese or Japanese */
    if (code >= 0xAC00 && code <= 0xD7A3)
        return SYLLABLE;
    if ((code >= 0x1100 && code <= 0x115F) || (code >= 0xA960 && code <= 0xA97C))
        return LEADING_JAMO;
    if ((code >= 0x1160 && code <= 0x11FF) || (code >= 0xD7B0 && code <= 0xD7FB))
        return JAMO;
    if (code >= 0x1F1E6 && code <= 0x1F1FF)
        return REGIONAL;
    if (code >= 0x2000 && code <= 0x200A)
        return BLANK;
    switch (code)
    {
        case 0x0085:
        case 0x2028:
        case 0x2029:
            return LINE_END;
        case 0x00A0:
        case 0x1680:
        case 0x202F:
        case 0x205F:
        case 0x3000:
            return BLANK;
        case 0x3002:            /* 。 */
        case 0xFF01:            /* ！ */
        case 0xFF1F:            /* ？ */
        case 0xFF61:            /* ｡ */
            return STOP;
        case 0x3001:            /* 、 */
        case 0xFF0C:            /* ， */
        case 0xFF64:            /* ､ */
        case 0xFF1B:            /* ； */
        case 0xFF1A:            /* ： */
            return COMMA;
        case 0x2026:            /* … */
        case 0x061F:            /* ؟ */
        case 0x06D4:            /* ۔ */
        case 0x0589:            /* ։ */
        case 0x0964:            /* । */
        case 0x0965:            /* ॥ */
        case 0x1362:            /* ። */
        case 0x104B:            /* ။ */
        case 0x17D4:            /* ។ */
            return SENTENCE_END;
        case 0x2019:            /* ’ */
        case 0x201D:            /* ” */
        case 0x00BB:            /* » */
        case 0x203A:            /* › */
        case 0x300D:            /* 」 */
        case 0x300F:            /* 』 */
        case 0x3011:            /* 】 */
        case 0xFF09:            /* ） */
        case 0x300B:            /* 》 */
        case 0x3009:            /* 〉 */
        case 0x3015:            /* 〕 */
        case 0x3017:            /* 〗 */
        case 0xFF3D:            /* ］ */
        case 0xFF5D:            /* ｝ */
            return CLOSER;
        case 0x200D:
        case 0x094D:
        case 0x09CD:
        case 0x0ACD:
        case 0x0B4D:
        case 0x0C4D:
        case 0x0D4D:
            return JOINER;
        default:
            return is_mark_code(code) ? MARK : OTHER;
    }
}

/* Reads a segment into letters. */
static void
read_letters(Chunker *c, size_t start, size_t end)
{
    const unsigned char *p = c->text + start;
    const unsigned char *stop = c->text + end;

    c->letters = grow(c, c->letters, &c->letter_room, end - start, sizeof(Letter));
    c->letter_count = 0;
    while (p < stop)
    {
        uint32_t    code;
        int         bytes;

        if (*p < 0x80)
        {
            code = *p;
            bytes = 1;
        }
        else if (*p < 0xE0)
        {
            code = (*p & 0x1Fu) << 6 | (p[1] & 0x3Fu);
            bytes = 2;
        }
        else if (*p < 0xF0)
        {
            code = (*p & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
            bytes = 3;
        }
        else
        {
            code = (*p & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
            bytes = 4;
        }
        c->letters[c->letter_count++] = (Letter) (bytes << 4 | kind_of(code));
        p += bytes;
    }
}

static Kind
kind_at(const Chunker *c, size_t i)
{
    return i < c->letter_count ? KIND(c->letters[i]) : OTHER;
}

static bool
is_mark(const Chunker *c, size_t i)
{
    Kind        kind = kind_at(c, i);

    return kind == MARK || kind == JOINER;
}

/* White space, but for a space that carries a mark. */
static bool
is_white(const Chunker *c, size_t i)
{
    Kind        kind = kind_at(c, i);

    return (kind >= TAB && kind <= LINE_END) || (kind == BLANK && !is_mark(c, i + 1));
}

static bool
is_stop(const Chunker *c, size_t i)
{
    Kind        kind = kind_at(c, i);

    return (kind == STOP || kind == COMMA) && !is_mark(c, i + 1);
}

static int32_t
bytes_between(const Chunker *c, size_t start, size_t end)
{
    int32_t     bytes = 0;

    for (size_t i = start; i < end; i++)
        bytes += BYTES(c->letters[i]);
    return bytes;
}


/* --- Breaks ------------------------------------------------------------------------------------------ */

/* Whether a grapheme ends between two letters of a word; regionals is how many of a run end with the first. */
static bool
ends_grapheme(Kind before, Kind after, size_t regionals)
{
    if (after == MARK || after == JOINER || before == JOINER)
        return false;
    if (after == REGIONAL)
        return regionals % 2 == 0;
    if (after == JAMO)
        return before != LEADING_JAMO && before != SYLLABLE && before != JAMO;
    if (after == LEADING_JAMO || after == SYLLABLE)
        return before != LEADING_JAMO;
    return true;
}

static size_t
line_ends_between(const Chunker *c, size_t start, size_t end)
{
    size_t      count = 0;

    for (size_t i = start; i < end; i++)
    {
        Kind        kind = KIND(c->letters[i]);

        if (kind == LINE_FEED || kind == LINE_END
            || (kind == CARRIAGE_RETURN && !(i + 1 < end && KIND(c->letters[i + 1]) == LINE_FEED)))
            count++;
    }
    return count;
}

/* The level of the break behind a word and the white space after it. */
static int
level_behind(const Chunker *c, bool in_block, size_t word, size_t word_end, size_t gap_end)
{
    size_t      line_ends = line_ends_between(c, word_end, gap_end);
    size_t      i = word_end;

    if (gap_end == c->letter_count)
        return 3;
    if (in_block)
        return line_ends > 0 ? 2 : 1;
    if (line_ends > 1)
        return 3;
    while (i > word && KIND(c->letters[i - 1]) == CLOSER)
        i--;
    if (i > word && (KIND(c->letters[i - 1]) == STOP
                     || (KIND(c->letters[i - 1]) == SENTENCE_END && gap_end > word_end)))
        return 2;
    return 1;
}

/* Takes letters as a unit that ends where counting has come to. */
static void
add_unit(Chunker *c, int32_t section, int32_t letters, int32_t bytes, int level)
{
    Unit       *unit;

    c->units = grow(c, c->units, &c->unit_room, c->unit_count + 1, sizeof(Unit));
    unit = &c->units[c->unit_count++];
    unit->start = c->place - letters;
    unit->end = c->place;
    unit->from = c->rules->in_bytes ? c->byte - bytes : unit->start;
    unit->to = c->rules->in_bytes ? c->byte : unit->end;
    unit->section = section;
    unit->level = level;
    if (c->unit_count % MANY == 0)
        c->host->pause();
}

/* Counts letters without taking them. */
static int32_t
pass(Chunker *c, size_t start, size_t end)
{
    int32_t     bytes = bytes_between(c, start, end);

    c->place += (int32_t) (end - start);
    c->byte += bytes;
    return bytes;
}

static void
add_graphemes(Chunker *c, int32_t section, size_t start, size_t end, int level)
{
    size_t      begin = start;
    size_t      regionals = 0;

    for (size_t i = start; i < end; i++)
    {
        bool        is_last = i + 1 == end;

        regionals = KIND(c->letters[i]) == REGIONAL ? regionals + 1 : 0;
        if (is_last || ends_grapheme(KIND(c->letters[i]), KIND(c->letters[i + 1]), regionals))
        {
            int32_t     bytes = pass(c, begin, i + 1);

            add_unit(c, section, (int32_t) (i + 1 - begin), bytes, is_last ? level : 0);
            begin = i + 1;
        }
    }
}

static void
add_word(Chunker *c, int32_t section, size_t start, size_t end, int level)
{
    int32_t     bytes = bytes_between(c, start, end);
    int32_t     letters = (int32_t) (end - start);

    if ((c->rules->in_bytes ? bytes : letters) > c->rules->capacity)
        add_graphemes(c, section, start, end, level);
    else
    {
        c->place += letters;
        c->byte += bytes;
        add_unit(c, section, letters, bytes, level);
    }
}

/* A block that fits is one unit. */
static bool
add_whole_block(Chunker *c, int32_t section)
{
    size_t      start = 0;
    size_t      end = c->letter_count;
    int32_t     bytes;

    while (start < end && is_white(c, start))
        start++;
    while (end > start && is_white(c, end - 1))
        end--;
    bytes = bytes_between(c, start, end);
    if ((c->rules->in_bytes ? bytes : (int32_t) (end - start)) > c->rules->capacity)
        return false;
    pass(c, 0, start);
    pass(c, start, end);
    add_unit(c, section, (int32_t) (end - start), bytes, 3);
    pass(c, end, c->letter_count);
    return true;
}

static void
add_segment(Chunker *c, const Segment *segment, size_t end)
{
    size_t      i = 0;

    read_letters(c, segment->start, end);
    if (c->letter_count == 0 || (segment->is_block && add_whole_block(c, segment->section)))
        return;
    while (i < c->letter_count)
    {
        size_t      word = i;
        size_t      word_end;

        while (i < c->letter_count && !is_white(c, i) && !is_stop(c, i))
            i++;
        while (is_stop(c, i))
            i++;
        if (i > word && is_stop(c, i - 1))
            while (kind_at(c, i) == CLOSER && !is_mark(c, i + 1))
                i++;
        word_end = i;
        while (is_white(c, i))
            i++;
        if (word_end > word)
            add_word(c, segment->section, word, word_end,
                     level_behind(c, segment->is_block, word, word_end, i));
        pass(c, word_end, i);
    }
}


/* --- Markdown ---------------------------------------------------------------------------------------- */

static void
begin_segment(Chunker *c, size_t start, bool is_block)
{
    Segment    *segment;

    c->segments = grow(c, c->segments, &c->segment_room, c->segment_count + 1, sizeof(Segment));
    segment = &c->segments[c->segment_count++];
    segment->start = start;
    segment->is_block = is_block;
    segment->section = (int32_t) c->section_count - 1;
}

static void
add_heading_text(Chunker *c, const char *text, size_t length)
{
    c->headings = grow(c, c->headings, &c->headings_room, c->headings_length + length, 1);
    memcpy(c->headings + c->headings_length, text, length);
    c->headings_length += length;
}

typedef struct Span
{
    const unsigned char *start;
    size_t      length;         /* 0: there is none */
} Span;

static void
begin_section(Chunker *c, const Span *path)
{
    Section    *section;
    size_t      start = c->headings_length;

    for (int i = 0; path != NULL && i < HEADING_LEVELS; i++)
        if (path[i].length > 0)
        {
            if (c->headings_length > start)
                add_heading_text(c, " > ", 3);
            add_heading_text(c, (const char *) path[i].start, path[i].length);
        }
    c->sections = grow(c, c->sections, &c->section_room, c->section_count + 1, sizeof(Section));
    section = &c->sections[c->section_count++];
    section->heading = start;
    section->length = c->headings_length - start;
}

/* How many of a character a line begins with. */
static size_t
run_of(Span line, unsigned char character)
{
    size_t      count = 0;

    while (count < line.length && line.start[count] == character)
        count++;
    return count;
}

/* What stands behind the # of a heading, without those that close it. */
static Span
heading_text(Span line)
{
    Span        text = line;
    size_t      end;

    text.start += run_of(line, '#');
    text.length -= run_of(line, '#');
    while (text.length > 0 && (*text.start == ' ' || *text.start == '\t'))
    {
        text.start++;
        text.length--;
    }
    end = text.length;
    while (end > 0 && text.start[end - 1] == '#')
        end--;
    if (end < text.length && (end == 0 || text.start[end - 1] == ' ' || text.start[end - 1] == '\t'))
    {
        while (end > 0 && (text.start[end - 1] == ' ' || text.start[end - 1] == '\t'))
            end--;
        text.length = end;
    }
    return text;
}

/* ``` a`b is no fence: it is code within a line. */
static bool
opens_fence(Span line)
{
    size_t      ticks = run_of(line, '`');

    if (ticks == 0)
        return run_of(line, '~') >= 3;
    return ticks >= 3 && memchr(line.start + ticks, '`', line.length - ticks) == NULL;
}

/* Where a line ends, its line end included. */
static size_t
line_end_after(const Chunker *c, size_t i)
{
    while (i < c->length && c->text[i] != '\n' && c->text[i] != '\r')
        i++;
    if (i < c->length && c->text[i] == '\r' && i + 1 < c->length && c->text[i + 1] == '\n')
        i++;
    return i < c->length ? i + 1 : i;
}

/* The line without up to three spaces before it, and without white space and line end behind it. */
static Span
trimmed_line(const Chunker *c, size_t start, size_t end)
{
    Span        line = {c->text + start, end - start};

    while (line.length > 0 && memchr(" \t\r\n", line.start[line.length - 1], 4) != NULL)
        line.length--;
    for (int i = 0; i < 3 && line.length > 0 && *line.start == ' '; i++)
    {
        line.start++;
        line.length--;
    }
    return line;
}

static void
find_segments(Chunker *c)
{
    Span        path[HEADING_LEVELS] = {{NULL, 0}};
    unsigned char fence = 0;    /* what closes the code we are in, so many of it; 0 outside */
    size_t      fence_length = 0;
    size_t      rows = 0;       /* lines with | up to here */
    size_t      last_start = 0;
    size_t      lines = 0;

    begin_section(c, NULL);
    begin_segment(c, 0, false);
    for (size_t start = 0, end; start < c->length; last_start = start, start = end)
    {
        Span        line;
        size_t      level;
        bool        is_row;

        end = line_end_after(c, start);
        line = trimmed_line(c, start, end);
        level = run_of(line, '#');
        is_row = fence == 0 && line.length > 0 && *line.start == '|';
        rows = is_row ? rows + 1 : 0;
        if (fence != 0)
        {
            if (line.length >= fence_length && run_of(line, fence) == line.length)
            {
                fence = 0;
                begin_segment(c, end, false);
            }
        }
        else if (rows == 2)
        {
            begin_segment(c, last_start, true);
            begin_segment(c, end, false);
        }
        else if (rows > 2)
            c->segments[c->segment_count - 1].start = end;
        else if (level >= 1 && level <= HEADING_LEVELS
                 && (level == line.length || line.start[level] == ' ' || line.start[level] == '\t'))
        {
            memset(&path[level - 1], 0, sizeof(Span) * (HEADING_LEVELS - level + 1));
            path[level - 1] = heading_text(line);
            begin_section(c, path);
            begin_segment(c, start, false);
        }
        else if (opens_fence(line))
        {
            fence = *line.start;
            fence_length = run_of(line, fence);
            begin_segment(c, start, true);
        }
        if (++lines % MANY == 0)
            c->host->pause();
    }
}


/* --- Chunks ------------------------------------------------------------------------------------------ */

/* The last unit of the chunk that begins with the first one. */
static size_t
last_of_chunk(const Chunker *c, size_t first)
{
    const Unit *units = c->units;
    int64_t     limit = (int64_t) units[first].from + c->rules->capacity;
    int64_t     half = (int64_t) units[first].from * 2 + c->rules->capacity;
    size_t      last = first;
    size_t      at_level[4] = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    size_t      i;

    for (i = first; i < c->unit_count && units[i].section == units[first].section && units[i].to <= limit; i++)
    {
        last = i;
        if (units[i].level > 0)
            at_level[1] = i;
        for (int level = 2; level <= units[i].level; level++)
            if ((int64_t) units[i].to * 2 > half)
                at_level[level] = i;
    }
    if (i == c->unit_count || units[i].section != units[first].section)
        return last;
    for (int level = 3; level >= 1; level--)
        if (at_level[level] != SIZE_MAX)
            return at_level[level];
    return last;
}

/* The unit that the next chunk begins with. A next one of level 0 begins a word that is larger than a chunk. */
static size_t
next_first(const Chunker *c, size_t first, size_t last)
{
    const Unit *units = c->units;
    size_t      next = last + 1;
    size_t      best = next;

    if (c->rules->overlap == 0 || next >= c->unit_count || units[last].level == 0 || units[next].level == 0
        || units[next].section != units[last].section)
        return next;
    for (size_t i = last; i > first && (int64_t) units[last].to - units[i].from <= c->rules->overlap
         && (int64_t) units[next].to - units[i].from <= c->rules->capacity; i--)
        if (units[i - 1].level > 0)
            best = i;
    return best;
}

void
chunk_text(const ChunkHost *host, const ChunkRules *rules, const char *text, size_t length)
{
    Chunker     c = {.host = host, .rules = rules, .text = (const unsigned char *) text, .length = length};

    if (rules->markdown)
        find_segments(&c);
    else
    {
        begin_section(&c, NULL);
        begin_segment(&c, 0, false);
    }
    for (size_t i = 0; i < c.segment_count; i++)
        add_segment(&c, &c.segments[i], i + 1 < c.segment_count ? c.segments[i + 1].start : length);

    for (size_t first = 0, last; first < c.unit_count; first = next_first(&c, first, last))
    {
        const Section *section = &c.sections[c.units[first].section];

        last = last_of_chunk(&c, first);
        host->pause();
        host->emit(host->receiver, c.units[first].start, c.units[last].end,
                   section->length == 0 ? "" : c.headings + section->heading, section->length);
    }
}
