#include "base/mask.h"

#include "base/mask_encode.h"
#include "base/mask_find.h"
#include "base/utf8.h"
#include "base/vec.h"

_Static_assert((int)MASK_PIECE_MAX == (int)FIND_PATTERN_MAX, "pieces are what can be found");

/* What a pattern costs beside its own bytes, so that many tiny ones reach the limit too. */
enum { PATTERN_COST = 64 };

static const struct slice stars = SLICE_INIT("***");

struct mask {
    struct find *lines; /* values and forms without a LF: all that streams have to know */
    struct find *texts; /* those with one; NULL: there are none */
    size_t total;
    bool closed;            /* MASK_TOTAL_MAX was reached: nothing passes any more */
    mask_search_fn *search; /* NULL: none */
    void *search_ctx;
};

struct mask *mask_new(void)
{
    struct mask *m = mem_new(sizeof *m);

    m->lines = find_new();
    return m;
}

struct mask *mask_free(struct mask *m)
{
    if (!m)
        return NULL;
    find_free(m->lines);
    find_free(m->texts);
    free(m);
    return NULL;
}

/* ---- registration ---- */

static void add_piece(struct mask *m, struct find *f, struct slice piece)
{
    if (m->total + piece.len + PATTERN_COST > MASK_TOTAL_MAX)
        m->closed = true;
    else if (find_add(f, piece))
        m->total += piece.len + PATTERN_COST;
}

/* Where the next piece of a long form ends. Pieces are about equal, as a short rest of its own would
 * mask innocent text; and none ends inside a character, or half of one would be left to see. */
static size_t piece_end(struct slice s)
{
    enum { ABOUT = MASK_PIECE_MAX - 3 };

    if (s.len <= MASK_PIECE_MAX)
        return s.len;
    size_t pieces = (s.len + ABOUT - 1) / ABOUT;
    size_t end = (s.len + pieces - 1) / pieces;

    for (size_t back = 0; back < 3 && (s.ptr[end] & 0xc0) == 0x80; back++)
        end--;
    return end;
}

static void add_pieces(struct mask *m, struct slice form)
{
    struct find *f = m->lines;

    if (slice_find_char(form, '\n') >= 0) {
        if (!m->texts)
            m->texts = find_new();
        f = m->texts;
    }
    while (form.len && !m->closed) {
        size_t end = piece_end(form);

        add_piece(m, f, slice_head(form, end));
        form = slice_from(form, end);
    }
}

/* A mask_form_fn. Texts are valid UTF-8 when they are masked: what is not, shows as U+FFFD there. */
static void add_form(void *ctx, struct slice form)
{
    if (utf8_valid(form) == form.len) {
        add_pieces(ctx, form);
        return;
    }
    size_t room = form.len * 3;
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(room);

    (void)buf_reserve(&clean, room);
    utf8_clean(form, &clean);
    add_pieces(ctx, buf_slice(&clean));
    explicit_bzero(clean.ptr, room);
}

static void add_value(struct mask *m, struct slice value)
{
    if (value.len == 0 || m->closed)
        return;
    add_form(m, value);
    if (value.len <= MASK_VALUE_MAX)
        mask_encodings(value, add_form, m);
}

bool mask_add(struct mask *m, struct slice value)
{
    struct slice rest = slice_trim(value), line, part;

    add_value(m, rest);
    if (slice_find_char(rest, '\n') < 0 && slice_find_char(rest, '\r') < 0)
        return !m->closed;
    while (slice_line(&rest, &line))
        while (slice_split(&line, '\r', &part))
            add_value(m, slice_trim(part));
    return !m->closed;
}

/* ---- what a search finds ---- */

struct run {
    size_t at, end;
};

struct mask_found {
    struct slice line;
    size_t offset; /* of the line, in the text */
    VEC(struct run) runs;
};

void mask_search(struct mask *m, mask_search_fn *search, void *ctx)
{
    m->search = search;
    m->search_ctx = ctx;
}

/* Whole characters: a search may count in bytes. */
void mask_found_add(struct mask_found *f, size_t at, size_t len)
{
    size_t end = at + len;

    while (at > 0 && (f->line.ptr[at] & 0xc0) == 0x80)
        at--;
    while (end < f->line.len && (f->line.ptr[end] & 0xc0) == 0x80)
        end++;
    if (len)
        vec_push(&f->runs, (struct run){f->offset + at, f->offset + end});
}

static int by_start(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

static void search(const struct mask *m, struct slice text, struct mask_found *f)
{
    for (struct slice rest = text; rest.len;) {
        ssize_t end = slice_find_char(rest, '\n');
        struct slice line = slice_head(rest, end < 0 ? rest.len : (size_t)end);

        f->line = line;
        f->offset = (size_t)(line.ptr - text.ptr);
        if (line.len)
            m->search(m->search_ctx, line, f);
        rest = slice_from(rest, line.len + 1);
    }
    if (f->runs.len)
        qsort(f->runs.ptr, f->runs.len, sizeof *f->runs.ptr, by_start);
}

/* ---- masking ---- */

enum { FROM_LINES, FROM_TEXTS, FROM_SEARCH, SOURCES };

/* The hits of all sources in the order of their starts. */
struct hits {
    struct find_walk walk[FROM_SEARCH];
    struct mask_found found;
    size_t n_found;                   /* those that were handed out */
    size_t at[SOURCES], len[SOURCES]; /* the next hit of each; len 0: it has no more */
    bool searched;
};

static void hits_fill(struct hits *h, size_t i)
{
    if (i == FROM_SEARCH) {
        const struct run *r =
            h->n_found < h->found.runs.len ? &h->found.runs.ptr[h->n_found] : NULL;

        h->at[i] = r ? r->at : 0;
        h->len[i] = r ? r->end - r->at : 0;
        h->n_found++;
    } else if (!find_next(&h->walk[i], &h->at[i], &h->len[i])) {
        h->len[i] = 0;
    }
}

static void hits_start(struct hits *h, const struct mask *m, struct slice text, bool whole)
{
    bool texts = whole && m->texts;

    find_start(&h->walk[FROM_LINES], m->lines, text);
    hits_fill(h, FROM_LINES);
    h->len[FROM_TEXTS] = h->len[FROM_SEARCH] = 0;
    if (texts) {
        find_start(&h->walk[FROM_TEXTS], m->texts, text);
        hits_fill(h, FROM_TEXTS);
    }
    h->searched = m->search != NULL;
    if (h->searched) {
        h->found = (struct mask_found){0};
        h->n_found = 0;
        search(m, text, &h->found);
        hits_fill(h, FROM_SEARCH);
    }
}

static void hits_end(struct hits *h)
{
    if (h->searched)
        vec_deinit(&h->found.runs);
}

static bool hits_next(struct hits *h, size_t *ret_at, size_t *ret_end)
{
    size_t first = FROM_LINES;

    for (size_t i = FROM_TEXTS; i < SOURCES; i++)
        if (h->len[i] && (!h->len[first] || h->at[i] < h->at[first]))
            first = i;
    if (!h->len[first])
        return false;
    *ret_at = h->at[first];
    *ret_end = h->at[first] + h->len[first];
    hits_fill(h, first);
    return true;
}

/* One pass over a text: bytes before DONE are out; with OPEN the last of them went out as "***". */
struct pass {
    size_t done;
    bool open;
};

/* Masks TEXT up to LIMIT. Hits that begin before LIMIT may reach beyond it: DONE says how far. */
static void pass_run(struct pass *p, const struct mask *m, struct slice text, size_t limit,
                     bool whole, struct buf *out)
{
    struct hits h;
    size_t at, end;

    hits_start(&h, m, text, whole);
    while (hits_next(&h, &at, &end) && at < limit) {
        if (!p->open || at > p->done) {
            buf_add(out, slice_make(text.ptr + p->done, at - p->done));
            buf_add(out, stars);
            p->open = true;
        }
        if (end > p->done)
            p->done = end;
    }
    hits_end(&h);
    if (p->done < limit) {
        buf_add(out, slice_make(text.ptr + p->done, limit - p->done));
        p->done = limit;
        p->open = false;
    }
}

/* When secrets cannot be told from other text: lines, but nothing of what they say. */
static void closed_apply(struct slice text, struct buf *out)
{
    while (text.len) {
        ssize_t at = slice_find_char(text, '\n');
        size_t len = at < 0 ? text.len : (size_t)at;

        if (len)
            buf_add(out, stars);
        if (at >= 0)
            buf_add_char(out, '\n');
        text = slice_from(text, len + (at >= 0));
    }
}

static void apply(const struct mask *m, struct slice text, bool whole, struct buf *out)
{
    struct pass p = {0};

    if (m->closed)
        closed_apply(text, out);
    else if (text.len)
        pass_run(&p, m, text, text.len, whole, out);
}

void mask_apply(const struct mask *m, struct slice text, struct buf *out)
{
    apply(m, text, true, out);
}

void mask_apply_lines(const struct mask *m, struct slice lines, struct buf *out)
{
    apply(m, lines, false, out);
}

bool mask_would_change(const struct mask *m, struct slice text)
{
    struct hits h;
    size_t at, end;

    if (text.len == 0)
        return false;
    if (m->closed)
        return true;
    hits_start(&h, m, text, true);
    bool any = hits_next(&h, &at, &end);
    hits_end(&h);
    return any;
}

/* ---- streams ---- */

void mask_stream_init(struct mask_stream *s, const struct mask *m)
{
    *s = (struct mask_stream){.mask = m, .held = BUF_INIT(SIZE_MAX / 2)};
}

static void wipe_held(struct mask_stream *s)
{
    explicit_bzero(s->held.ptr, s->held.cap); /* what was consumed earlier lies behind the end */
    buf_clear(&s->held);
}

void mask_stream_deinit(struct mask_stream *s)
{
    wipe_held(s);
    buf_deinit(&s->held);
}

/* Lets TEXT (what was held, and more) out up to LIMIT; what comes after it is for the caller to hold. */
static void stream_run(struct mask_stream *s, struct slice text, size_t limit, struct buf *out)
{
    struct pass p = {.done = s->covered, .open = s->open};

    if (s->mask->closed) {
        closed_apply(slice_head(text, limit), out);
        p = (struct pass){.done = limit};
    } else {
        pass_run(&p, s->mask, text, limit, false, out);
    }
    s->open = p.open;
    s->covered = p.done - limit;
}

/* Where the last thing begins that a search finds at the very end of TEXT: more may belong to it. */
static size_t unfinished(const struct mask *m, struct slice text)
{
    struct mask_found f = {0};
    size_t at = text.len;

    search(m, text, &f);
    VEC_EACH (r, &f.runs)
        if (r->end == text.len && r->at < at)
            at = r->at;
    vec_deinit(&f.runs);
    return text.len - at <= MASK_SEARCH_MAX ? at : text.len;
}

/* How much of TEXT is decided: hits that begin before it are all there. Ends between characters. */
static size_t decided(const struct mask *m, struct slice text)
{
    size_t longest = find_longest(m->lines);
    size_t hold = longest ? longest - 1 : 0;

    if (m->search && hold < MASK_SEARCH_HOLD)
        hold = MASK_SEARCH_HOLD;
    if (m->search && text.len - unfinished(m, text) > hold)
        hold = text.len - unfinished(m, text);
    const char *end = memrchr(text.ptr, '\n', text.len);
    size_t lines = end ? (size_t)(end - text.ptr) + 1 : 0;
    size_t limit = text.len > hold ? text.len - hold : 0;

    for (int back = 0; back < 3 && limit > lines && limit < text.len; back++, limit--)
        if ((text.ptr[limit] & 0xc0) != 0x80)
            break;
    return limit > lines ? limit : lines;
}

void mask_stream_feed(struct mask_stream *s, struct slice chunk, struct buf *out)
{
    if (chunk.len == 0)
        return;
    if (s->held.len == 0) { /* the usual case: nothing has to be put together */
        size_t limit = decided(s->mask, chunk);

        stream_run(s, chunk, limit, out);
        buf_add(&s->held, slice_from(chunk, limit));
        return;
    }
    buf_add(&s->held, chunk);
    size_t limit = decided(s->mask, buf_slice(&s->held));
    stream_run(s, buf_slice(&s->held), limit, out);
    buf_consume(&s->held, limit);
}

void mask_stream_flush(struct mask_stream *s, struct buf *out)
{
    if (s->held.len)
        stream_run(s, buf_slice(&s->held), s->held.len, out);
    wipe_held(s);
    s->open = false;
    s->covered = 0;
}
