#include "queue/github/report/spool.h"

#include "base/clock.h"
#include "base/vec.h"
#include "queue/shelf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MARK_SIZE = 3, STAMPED_SIZE = 256 << 10, TAIL_SIZE = 64 << 10 };

static const char mark[] = "\xef\xbb\xbf"; /* byte order mark of UTF-8 */

struct extent { /* of the file */
    int64_t at, size;
};

/* Positions in a log count its byte order mark, and what was given back already. */
struct spool_log {
    struct spool *spool;
    VEC(struct extent) extents; /* what is there still, in order; of a step's log */
    size_t first;               /* those before it are used up */
    int64_t gone;               /* position at which `first` begins */
    int64_t size, lines;
    int64_t taken[SPOOL_READERS];
    int64_t left_out; /* lines */
    bool open;        /* the last line goes on */
    bool ended;
};

struct spool {
    struct shelf shelf;
    unsigned readers;
    int64_t max;
    int64_t end;     /* of the file */
    int64_t waiting; /* bytes of it that are there */
    bool broken;     /* it could not be written to: what comes is left out */
    struct spool_log job;
    VEC(struct spool_log *) logs;
    struct buf stamped;
};

int spool_new(int dir, unsigned readers, int64_t max, struct spool **ret, struct err *err)
{
    struct shelf shelf;

    if (shelf_open(&shelf, dir, dir >= 0 ? "." : NULL, err) < 0)
        return err->code;
    struct spool *s = mem_new(sizeof *s);
    s->shelf = shelf;
    s->readers = readers;
    s->max = max ? max : shelf.in_memory ? SPOOL_MEMORY_MAX : SPOOL_DISK_MAX;
    s->stamped = (struct buf)BUF_INIT(STAMPED_SIZE + TAIL_SIZE);
    s->job.spool = s;
    s->job.gone = MARK_SIZE;
    *ret = s;
    return ERR_OK;
}

struct spool *spool_free(struct spool *s)
{
    if (!s)
        return NULL;
    VEC_EACH (l, &s->logs) {
        vec_deinit(&(*l)->extents);
        free(*l);
    }
    vec_deinit(&s->logs);
    buf_deinit(&s->stamped);
    shelf_close(&s->shelf);
    free(s);
    return NULL;
}

struct spool_log *spool_log_new(struct spool *s)
{
    struct spool_log *l = mem_new(sizeof *l);

    l->spool = s;
    l->gone = MARK_SIZE;
    vec_push(&s->logs, l);
    return l;
}

struct spool_log *spool_job(struct spool *s)
{
    return &s->job;
}

int64_t spool_lines(const struct spool_log *l)
{
    return l->lines;
}

int64_t spool_waiting(const struct spool *s)
{
    return s->waiting;
}

int64_t spool_left_out(const struct spool *s)
{
    return s->job.left_out;
}

/* ---- what comes ---- */

static void grow(struct spool_log *l, int64_t at, int64_t size)
{
    struct extent *last = l->extents.len > l->first ? &l->extents.ptr[l->extents.len - 1] : NULL;

    l->size += l->size ? size : MARK_SIZE + size;
    if (l == &l->spool->job) /* it is the file itself */
        return;
    if (last && last->at + last->size == at)
        last->size += size;
    else
        vec_push(&l->extents, (struct extent){at, size});
}

/* What was put together goes to the file; what of it was written by half is as if it never was. */
static void put(struct spool_log *l)
{
    struct spool *s = l->spool;
    struct slice text = buf_slice(&s->stamped);

    if (!text.len)
        return;
    s->broken = s->broken || !shelf_put(&s->shelf, text, s->end);
    if (s->shelf.in_memory && s->max > SPOOL_MEMORY_MAX)
        s->max = SPOOL_MEMORY_MAX;
    if (!s->broken) {
        grow(l, s->end, (int64_t)text.len);
        grow(&s->job, s->end, (int64_t)text.len);
        s->end += (int64_t)text.len;
        s->waiting += (int64_t)text.len;
    }
    buf_clear(&s->stamped);
}

static void count(struct spool_log *l, int64_t lines, int64_t left_out)
{
    l->lines += lines;
    l->spool->job.lines += lines;
    l->left_out += left_out;
    l->spool->job.left_out += left_out;
}

/* As the run folder has it: the log of a local run and this one are the same bytes. */
static void add_lines(struct spool_log *l, struct slice text, struct slice time, bool part)
{
    struct spool *s = l->spool;
    struct slice line;

    while (slice_line(&text, &line)) {
        bool whole = text.len || !part;

        if (!l->open) {
            buf_add(&s->stamped, time);
            buf_add_char(&s->stamped, ' ');
        }
        l->open = !whole;
        while (line.len > TAIL_SIZE - 64) {
            buf_add(&s->stamped, slice_head(line, TAIL_SIZE - 64));
            line = slice_from(line, TAIL_SIZE - 64);
            put(l);
        }
        buf_add(&s->stamped, line);
        if (whole)
            buf_add_char(&s->stamped, '\n');
        count(l, whole, 0);
        if (s->stamped.len >= STAMPED_SIZE - TAIL_SIZE)
            put(l);
    }
    put(l);
}

static int64_t lines_in(struct slice text)
{
    int64_t n = 0;

    for (const char *c = text.ptr;
         text.len && (c = memchr(c, '\n', text.len - (size_t)(c - text.ptr))); c++)
        n++;
    return n;
}

void spool_add(struct spool_log *l, struct slice text, struct slice time, bool part)
{
    const struct spool *s = l->spool;

    if (l->ended || !text.len)
        return;
    if (!s->readers) /* there is nobody to miss it */
        count(l, lines_in(text), 0);
    else if (!s->broken && s->waiting + (int64_t)text.len <= s->max)
        add_lines(l, text, time, part);
    else
        count(l, 0, lines_in(text));
}

void spool_end(struct spool_log *l)
{
    char now[CLOCK_STAMP_SIZE], text[160];
    int64_t max = l->spool->max;

    if (l->ended)
        return;
    if (l->left_out && l != &l->spool->job) {
        clock_stamp(now);
        int n = snprintf(text, sizeof text,
                         "%s##[warning]%" PRId64
                         " lines were left out: the service did not take the log fast enough\n",
                         l->open ? "\n" : "", l->left_out);
        l->spool->max = INT64_MAX; /* for this one */
        spool_add(l, slice_make(text, (size_t)n), slice_of(now), false);
        l->spool->max = max;
    } else if (l->open) {
        spool_add(l, SLICE("\n"), SLICE(""), false);
    }
    l->ended = true;
}

/* ---- what goes ---- */

/* Where position AT of L lies in the file, and how much from there on in one piece. Not in the byte order mark. */
static struct extent find(const struct spool_log *l, int64_t at)
{
    int64_t begins = l->gone;

    if (l == &l->spool->job)
        return (struct extent){at - MARK_SIZE, l->size - at};
    for (size_t i = l->first; i < l->extents.len; i++) {
        struct extent e = l->extents.ptr[i];

        if (at < begins + e.size)
            return (struct extent){e.at + (at - begins), e.size - (at - begins)};
        begins += e.size;
    }
    BUG("position %lld of a log of %lld bytes", (long long)at, (long long)l->size);
}

static int read_at(const struct spool_log *l, int64_t at, int64_t size, struct buf *to,
                   struct err *err)
{
    for (; size && at < MARK_SIZE; at++, size--)
        buf_add_char(to, mark[at]);
    while (size) {
        struct extent e = find(l, at);
        size_t wanted = (size_t)(e.size < size ? e.size : size);
        char *room = buf_reserve(to, wanted);

        if (!room)
            return err_set(err, ERR_LIMIT, "a block of the job's log is too large");
        if (shelf_get(&l->spool->shelf, room, wanted, e.at, err) < 0)
            return err->code;
        to->len += wanted;
        to->ptr[to->len] = '\0';
        at += (int64_t)wanted;
        size -= (int64_t)wanted;
    }
    return ERR_OK;
}

/* How much of the MAX bytes from AT on are whole lines; all of them, where the last line is too long to look for its
 * beginning. */
static int64_t whole_lines(const struct spool_log *l, int64_t at, int64_t max)
{
    CLEANUP(buf_deinit) struct buf tail = BUF_INIT(TAIL_SIZE);
    struct err ignored = ERR_INIT;

    if (read_at(l, at + max - TAIL_SIZE, TAIL_SIZE, &tail, &ignored) < 0)
        return max;
    const char *end = memrchr(tail.ptr, '\n', tail.len);
    return end ? max - TAIL_SIZE + (end - tail.ptr) + 1 : max;
}

int64_t spool_block(struct spool_log *l, enum spool_reader reader, bool *ret_last)
{
    int64_t max = reader == SPOOL_RESULTS ? SPOOL_RESULTS_BLOCK : SPOOL_TIMELINE_BLOCK;
    int64_t left = l->size - l->taken[reader];

    *ret_last = false;
    if (!(l->spool->readers & 1u << reader))
        return 0;
    if (left > max) /* more than that: something is left that can be the last block */
        return whole_lines(l, l->taken[reader], max);
    *ret_last = l->ended && left > 0;
    return l->ended ? left : 0;
}

int spool_read(const struct spool_log *l, enum spool_reader reader, int64_t size, struct buf *to,
               struct err *err)
{
    return read_at(l, l->taken[reader], size, to, err);
}

int64_t spool_taken(const struct spool_log *l, enum spool_reader reader)
{
    return l->taken[reader];
}

/* The position up to which all readers have L. */
static int64_t taken_by_all(const struct spool_log *l)
{
    int64_t least = l->size;

    for (unsigned i = 0; i < SPOOL_READERS; i++)
        if (l->spool->readers & 1u << i && l->taken[i] < least)
            least = l->taken[i];
    return least;
}

/* Gives back what everybody has, of L and of the job's log. A file system that knows no holes keeps it until the end. */
static void give_back(struct spool_log *l, int64_t job_taken)
{
    int64_t upto = taken_by_all(l);

    while (l->first < l->extents.len && l->gone < upto) {
        struct extent *e = &l->extents.ptr[l->first];
        int64_t size = e->size;

        if (size > upto - l->gone)
            size = upto - l->gone;
        if (size > job_taken - e->at)
            size = job_taken - e->at;
        if (size <= 0)
            break;
        (void)shelf_give_back(&l->spool->shelf, e->at, size);
        l->spool->waiting -= size;
        l->gone += size;
        e->at += size;
        e->size -= size;
        if (!e->size)
            l->first++;
    }
    if (l->first * 2 > l->extents.len + 16) { /* they would add up */
        memmove(l->extents.ptr, l->extents.ptr + l->first,
                (l->extents.len - l->first) * sizeof *l->extents.ptr);
        l->extents.len -= l->first;
        l->first = 0;
    }
}

static void give_back_all(struct spool *s)
{
    int64_t job_taken = taken_by_all(&s->job) - MARK_SIZE; /* in the file */

    VEC_EACH (l, &s->logs)
        give_back(*l, job_taken);
}

void spool_take(struct spool_log *l, enum spool_reader reader, int64_t size)
{
    l->taken[reader] += size;
    give_back_all(l->spool);
}

void spool_leave(struct spool *s, enum spool_reader reader)
{
    s->readers &= ~(1u << reader);
    give_back_all(s);
}
