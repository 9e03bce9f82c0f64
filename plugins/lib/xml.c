#include "xml.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PORTION_MAX = 1 << 16,
    HEAD_MAX = 256, /* where the declaration with the encoding stands */
};

struct xml {
    struct ost_step *step;
    const struct xml_events *events;
    void *ctx;
    XML_Parser parser;
    unsigned depth;
    uint64_t size;       /* bytes taken so far */
    char head[HEAD_MAX]; /* what came before the encoding could be looked at */
    size_t n_head;
    bool started;      /* it has been */
    bool is_utf8;      /* so broken bytes can be told */
    bool is_wide;      /* UTF-16, where a NUL is half a character */
    char character[4]; /* the one under way: it may be spread over two portions */
    unsigned n_character, missing;
    unsigned char lowest, highest; /* what its next byte may be */
    const char *wrong;
};

/* ---- bytes that cannot be ---- */

/* Whether the bytes S begin with a declaration of an encoding that is not UTF-8. */
static bool has_other_encoding(struct span s)
{
    struct span head = {s.at, s.size < HEAD_MAX ? s.size : HEAD_MAX};
    size_t end = span_find(head, "?>"), at;

    if (!span_starts(head, "<?xml") || end == SIZE_MAX)
        return false;
    head.size = end;
    at = span_find(head, "encoding");
    if (at == SIZE_MAX)
        return false;
    head = (struct span){head.at + at + 8, head.size - at - 8};
    while (head.size > 0 && strchr(" \t\r\n='\"", head.at[0]))
        head = (struct span){head.at + 1, head.size - 1};
    return head.size < 5 || strncasecmp(head.at, "utf-8", 5) != 0;
}

static void look_at_encoding(struct xml *x, struct span s)
{
    x->is_wide = s.size > 1 &&
                 (span_starts(s, "\xff\xfe") || span_starts(s, "\xfe\xff") || !s.at[0] || !s.at[1]);
    x->is_utf8 = !has_other_encoding(s);
    x->started = true;
}

/* What may follow the first byte C of a character (Unicode, table 3-7); 0: no character begins so. */
static unsigned begin_character(struct xml *x, unsigned char c)
{
    x->lowest = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    x->highest = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    return c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
}

/* Takes the byte C as a part of the character under way, and writes it to TO + N once it is whole. False: it
 * is none. */
static bool go_on_with_character(struct xml *x, unsigned char c, char *to, size_t *n)
{
    if (c < x->lowest || c > x->highest)
        return false;
    x->character[x->n_character++] = (char)c;
    x->lowest = 0x80;
    x->highest = 0xbf;
    if (--x->missing == 0) {
        memcpy(to + *n, x->character, x->n_character);
        *n += x->n_character;
    }
    return true;
}

/* Copies S to TO, which has room for 4 bytes more; what XML cannot hold becomes '?'. */
static size_t mend(struct xml *x, struct span s, bool last, char *to)
{
    size_t n = 0;

    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.at[i];

        if (x->missing > 0) {
            if (go_on_with_character(x, c, to, &n))
                continue;
            x->missing = 0;
            to[n++] = '?';
        }
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
            to[n++] = '?';
        } else if (c >= 0x80 && x->is_utf8) {
            x->missing = begin_character(x, c);
            x->character[0] = (char)c;
            x->n_character = 1;
            if (!x->missing)
                to[n++] = '?';
        } else {
            to[n++] = (char)c;
        }
    }
    if (last && x->missing > 0)
        to[n++] = '?';
    return n;
}

/* ---- expat's calls ---- */

static void stop(struct xml *x, const char *why)
{
    if (!x->wrong)
        x->wrong = ost_fmt(x->step, "line %lu: %s",
                           (unsigned long)XML_GetCurrentLineNumber(x->parser), why);
    XML_StopParser(x->parser, XML_FALSE);
}

static void XMLCALL on_open(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct xml *x = ctx;

    if (++x->depth > XML_DEPTH_MAX)
        stop(x, "it is nested too deeply");
    else if (x->events->open)
        x->events->open(x->ctx, name, (const char *const *)attributes);
}

static void XMLCALL on_close(void *ctx, const XML_Char *name)
{
    struct xml *x = ctx;

    x->depth--;
    if (x->events->close && !x->wrong)
        x->events->close(x->ctx, name);
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int size)
{
    struct xml *x = ctx;

    if (x->events->text && !x->wrong)
        x->events->text(x->ctx, (struct span){text, (size_t)size});
}

static void XMLCALL on_entity(void *ctx, const XML_Char *name, int is_parameter, const XML_Char *v,
                              int size, const XML_Char *base, const XML_Char *system,
                              const XML_Char *public, const XML_Char *notation)
{
    (void)name, (void)is_parameter, (void)v, (void)size, (void)base, (void)system, (void)public,
        (void)notation;
    stop(ctx, "it declares entities, which no report needs");
}

/* ---- the module ---- */

struct xml *xml_new(struct ost_step *step, const struct xml_events *events, void *ctx)
{
    struct xml *x = step->host->alloc(step, sizeof *x);

    *x = (struct xml){.step = step, .events = events, .ctx = ctx, .parser = XML_ParserCreate(NULL)};
    if (!x->parser)
        abort(); /* out of memory */
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_open, on_close);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetEntityDeclHandler(x->parser, on_entity);
    return x;
}

static bool feed_portion(struct xml *x, struct span s, bool last)
{
    char *room = XML_GetBuffer(x->parser, PORTION_MAX + 4);
    size_t n;

    if (!room)
        abort(); /* out of memory */
    if (x->is_wide) {
        if (s.size > 0)
            memcpy(room, s.at, s.size);
        n = s.size;
    } else {
        n = mend(x, s, last, room);
    }
    if (XML_ParseBuffer(x->parser, (int)n, last) == XML_STATUS_ERROR) {
        if (!x->wrong)
            stop(x, XML_ErrorString(XML_GetErrorCode(x->parser)));
        return false;
    }
    x->size += n;
    /* What expat has not told yet it keeps: the beginning of one tag. */
    if (x->size - (uint64_t)XML_GetCurrentByteIndex(x->parser) > XML_TAG_MAX + PORTION_MAX)
        stop(x, "a tag is too large");
    else if (x->size > XML_SIZE_MAX)
        stop(x, "the document is too large");
    return !x->wrong;
}

static bool feed(struct xml *x, struct span bytes, bool last)
{
    do {
        struct span s = {bytes.at, bytes.size < PORTION_MAX ? bytes.size : PORTION_MAX};

        bytes = (struct span){bytes.at + s.size, bytes.size - s.size};
        if (!feed_portion(x, s, last && bytes.size == 0))
            return false;
    } while (bytes.size > 0);
    return true;
}

bool xml_feed(struct xml *x, struct span bytes, bool last)
{
    if (x->wrong)
        return false;
    if (!x->started) {
        size_t room = HEAD_MAX - x->n_head, n = bytes.size < room ? bytes.size : room;

        if (n > 0)
            memcpy(x->head + x->n_head, bytes.at, n);
        x->n_head += n;
        bytes = (struct span){bytes.at + n, bytes.size - n};
        if (x->n_head < HEAD_MAX && !last)
            return true;
        look_at_encoding(x, (struct span){x->head, x->n_head});
        if (!feed(x, (struct span){x->head, x->n_head}, last && bytes.size == 0) || bytes.size == 0)
            return !x->wrong;
    }
    return feed(x, bytes, last);
}

const char *xml_wrong(const struct xml *x)
{
    return x->wrong;
}

struct xml *xml_free(struct xml *x)
{
    if (x)
        XML_ParserFree(x->parser);
    return NULL;
}

const char *xml_get(const char *const *attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return "";
}
