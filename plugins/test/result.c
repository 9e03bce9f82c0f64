#include "result.h"

#include <string.h>

enum {
    CLIP_HEAD = 4 << 10, /* bytes kept from the beginning; the rest of DETAIL_MAX is from the end */
    LINE_SHOWN_MAX = 500,
};

/* ---- UTF-8 ---- */

/* The length of the character at the start of S; 0: that is none. */
static size_t character_size(struct span s)
{
    const unsigned char *c = (const unsigned char *)s.at;
    size_t n = c[0] < 0x80                   ? 1
               : c[0] >= 0xc2 && c[0] < 0xe0 ? 2
               : c[0] >= 0xe0 && c[0] < 0xf0 ? 3
               : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                             : 0;

    if (n == 0 || n > s.size || c[0] == '\0')
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
        (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    return n;
}

/* TEXT, or a copy in which '?' stands for what is no UTF-8. */
static const char *as_utf8(struct ost_step *step, const char *text)
{
    struct span s = text ? span_of(text) : SPAN("");
    bool fine = true;
    char *copy;

    for (size_t i = 0, n; i < s.size && fine; i += n) {
        n = character_size((struct span){s.at + i, s.size - i});
        fine = n > 0;
    }
    if (fine)
        return s.at;
    copy = step->host->alloc(step, s.size + 1);
    for (size_t i = 0, n; i < s.size; i += n) {
        n = character_size((struct span){s.at + i, s.size - i});
        if (n > 0)
            memcpy(copy + i, s.at + i, n);
        else
            copy[i] = '?';
        n = n ? n : 1;
    }
    copy[s.size] = '\0';
    return copy;
}

/* ---- results ---- */

void results_add(struct ost_step *step, struct results *to, struct result r)
{
    if (to->n >= RESULTS_MAX) {
        to->n_dropped[r.outcome]++;
        return;
    }
    if (to->n == to->room) {
        size_t room = to->room ? to->room * 2 : 64;
        struct result *list = step->host->alloc(step, room * sizeof *list);

        if (to->n > 0)
            memcpy(list, to->list, to->n * sizeof *list);
        to->list = list;
        to->room = room;
    }
    r.suite = as_utf8(step, r.suite);
    r.name = as_utf8(step, r.name);
    r.file = as_utf8(step, r.file);
    r.message = as_utf8(step, r.message);
    r.detail = to->details_size < DETAILS_SIZE_MAX ? as_utf8(step, r.detail) : "";
    to->details_size += strlen(r.detail);
    r.attempts = r.attempts ? r.attempts : 1;
    to->list[to->n++] = r;
}

bool result_is_bad(const struct result *r)
{
    return r->outcome == OUTCOME_FAILED || r->outcome == OUTCOME_ERROR;
}

struct totals results_totals(const struct results *r)
{
    size_t n[OUTCOMES];
    struct totals t = {0};

    memcpy(n, r->n_dropped, sizeof n);
    for (size_t i = 0; i < r->n; i++) {
        n[r->list[i].outcome]++;
        t.flaky += r->list[i].flaky;
        if (r->list[i].took_ns > 0)
            t.took_ns += r->list[i].took_ns;
    }
    t.passed = n[OUTCOME_PASSED];
    t.failed = n[OUTCOME_FAILED] + n[OUTCOME_ERROR];
    t.errors = n[OUTCOME_ERROR];
    t.skipped = n[OUTCOME_SKIPPED];
    t.all = t.passed + t.failed + t.skipped;
    return t;
}

const char *result_title(struct ost_step *step, const struct result *r)
{
    return *r->suite ? ost_fmt(step, "%s > %s", r->suite, r->name) : r->name;
}

/* ---- clips ---- */

static void clip_reserve(struct clip *c)
{
    if (c->room == 0 || c->size == c->room) {
        size_t room = c->room ? c->room * 4 : 512;
        char *data = c->step->host->alloc(c->step, room);

        if (c->size > 0)
            memcpy(data, c->data, c->size);
        c->data = data;
        c->room = room;
    }
}

/* At twice DETAIL_MAX, what lies between the head and the last bytes goes. */
static void clip_shorten(struct clip *c)
{
    const size_t tail = DETAIL_MAX - CLIP_HEAD;

    memmove(c->data + CLIP_HEAD, c->data + c->size - tail, tail);
    c->size = CLIP_HEAD + tail;
    c->cut = true;
}

void clip_add(struct clip *c, struct span s)
{
    while (s.size > 0) {
        size_t n;

        if (c->size >= 2 * DETAIL_MAX)
            clip_shorten(c);
        clip_reserve(c);
        n = c->room - c->size < s.size ? c->room - c->size : s.size;
        memcpy(c->data + c->size, s.at, n);
        c->size += n;
        s = (struct span){s.at + n, s.size - n};
    }
}

void clip_line(struct clip *c, struct span s)
{
    clip_add(c, s);
    clip_add(c, SPAN("\n"));
}

void clip_clear(struct clip *c)
{
    c->size = 0;
    c->cut = false;
}

/* Without its NUL bytes, behind which nobody would read on. */
static struct span without_nul(struct ost_step *step, struct span s)
{
    char *copy;

    if (!memchr(s.at, '\0', s.size))
        return s;
    copy = step->host->alloc(step, s.size);
    for (size_t i = 0; i < s.size; i++)
        copy[i] = s.at[i] ? s.at[i] : '?';
    return (struct span){copy, s.size};
}

const char *clip_dup(const struct clip *c)
{
    struct span all = {c->data, c->size}, head = all;
    struct sink k = {.step = c->step};

    if (c->size == 0)
        return "";
    if (c->cut || c->size > DETAIL_MAX) {
        head.size = CLIP_HEAD;
        sink_add(&k, head);
        sink_add(&k, SPAN("\n[...]\n"));
        sink_add(&k, (struct span){all.at + all.size - (DETAIL_MAX - CLIP_HEAD),
                                   DETAIL_MAX - CLIP_HEAD});
        all = sink_span(&k);
    }
    return span_dup(c->step, span_trim(span_plain(c->step, without_nul(c->step, all))));
}

static const char *shown(struct ost_step *step, struct span line)
{
    line = span_trim(span_plain(step, line));
    if (line.size > LINE_SHOWN_MAX) {
        line.size = LINE_SHOWN_MAX;
        while (line.size > 0 && ((unsigned char)line.at[line.size] & 0xc0) == 0x80)
            line.size--; /* not inside of a character */
        return ost_fmt(step, "%s…", span_dup(step, line));
    }
    return span_dup(step, line);
}

const char *first_line(struct ost_step *step, struct span s)
{
    struct span line = {"", 0};

    while (span_line(&s, &line) && span_trim(line).size == 0)
        ;
    return shown(step, line);
}

const char *last_line(struct ost_step *step, struct span s)
{
    const char *newline;

    s = span_trim(s);
    newline = s.size > 0 ? memrchr(s.at, '\n', s.size) : NULL;
    if (newline)
        s = (struct span){newline + 1, s.size - (size_t)(newline + 1 - s.at)};
    return shown(step, s);
}
