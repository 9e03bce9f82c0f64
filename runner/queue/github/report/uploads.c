#include "queue/github/report/uploads.h"

#include "base/clock.h"
#include "base/vec.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAUSE_MAX_MS = 30000 };

struct uploads {
    struct uploads_spec spec;
    VEC(struct upload *) all;
    size_t turn;
    size_t waiting; /* bytes of texts */
    struct block block;
    struct buf bytes; /* of the block */
    struct timer *pause;
    unsigned rounds;   /* that failed for this block */
    unsigned in_a_row; /* blocks given up one after the other */
    unsigned lost;
    bool finishing, stopped;
};

static void next(struct uploads *u);

/* ---- one block ---- */

static void over(struct uploads *u, struct upload *one)
{
    one->over = true;
    u->waiting -= one->size;
    one->size = 0;
    free(one->text);
    one->text = NULL;
}

static void block_over(struct uploads *u)
{
    struct upload *one = u->block.of;

    if (one->log)
        spool_take(one->log, u->spec.reader, (int64_t)u->block.bytes.len);
    if (u->block.last)
        over(u, one);
    one->stored = one->doubtful = false;
    u->block = (struct block){0};
    u->rounds = 0;
    buf_deinit(&u->bytes);
    next(u);
    u->spec.progress(u->spec.ctx);
}

void uploads_sent(struct uploads *u)
{
    u->in_a_row = 0;
    u->block.of->sent += (int64_t)u->block.bytes.len;
    block_over(u);
}

static void on_pause(void *ctx)
{
    struct uploads *u = ctx;

    u->pause = NULL;
    if (u->stopped)
        block_over(u);
    else
        u->spec.send(u->spec.ctx, &u->block);
}

static int64_t pause_after(const struct uploads *u)
{
    int64_t ms = u->spec.pause_ms;

    for (unsigned i = 1; i < u->rounds && ms < PAUSE_MAX_MS; i++)
        ms *= 2;
    return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

bool uploads_failed(struct uploads *u, bool passing)
{
    bool for_ever = passing && !u->finishing && !u->spec.impatient;

    u->rounds++;
    if (!u->stopped && (for_ever || u->rounds < UPLOADS_ROUNDS)) {
        u->pause = loop_timer(u->spec.loop, clock_ms() + pause_after(u), on_pause, u);
        return true;
    }
    u->lost++;
    u->block.of->gap = true;
    u->in_a_row = passing ? u->in_a_row + 1 : 0; /* who refuses is there */
    if (u->in_a_row >= UPLOADS_LOST_MAX && u->finishing)
        uploads_stop(u);
    block_over(u);
    return false;
}

/* ---- whose turn it is ---- */

static bool load(struct uploads *u, struct upload *one)
{
    struct err err = ERR_INIT;
    bool last = true;

    u->bytes = (struct buf)BUF_INIT(SPOOL_TIMELINE_BLOCK);
    if (one->text)
        buf_add(&u->bytes, slice_make(one->text, one->size));
    int64_t size = one->log ? spool_block(one->log, u->spec.reader, &last) : 0;
    if (size && spool_read(one->log, u->spec.reader, size, &u->bytes, &err) < 0) {
        u->lost++; /* what cannot be read cannot be sent */
        over(u, one);
        buf_deinit(&u->bytes);
    }
    u->block = (struct block){.of = one, .bytes = buf_slice(&u->bytes), .last = last};
    return u->bytes.len > 0;
}

/* The next block of those that are steps', or of the job's; false: there is none. */
static bool choose(struct uploads *u, bool job)
{
    for (size_t i = 0; i < u->all.len; i++) {
        size_t at = (u->turn + i) % u->all.len;
        struct upload *one = u->all.ptr[at];

        if (one->over || (*one->id == '\0') != job ||
            (u->spec.may && !u->spec.may(u->spec.ctx, one)))
            continue;
        if (load(u, one)) {
            u->turn = at + 1;
            return true;
        }
    }
    u->block = (struct block){0};
    return false;
}

/* The job's log comes last: it says nothing that the others do not. */
static void next(struct uploads *u)
{
    if (!u->block.of && !u->stopped && (choose(u, false) || choose(u, true)))
        u->spec.send(u->spec.ctx, &u->block);
}

void uploads_grown(struct uploads *u)
{
    if (!u->block.of)
        next(u);
}

static struct upload *add(struct uploads *u, const char *id)
{
    struct upload *one = mem_new(sizeof *one);

    snprintf(one->id, sizeof one->id, "%s", id ? id : "");
    vec_push(&u->all, one);
    return one;
}

void uploads_log(struct uploads *u, const char *id, struct spool_log *log)
{
    add(u, id)->log = log;
}

bool uploads_text(struct uploads *u, const char *id, struct slice text)
{
    if (!text.len || text.len > UPLOADS_TEXT_MAX || u->waiting + text.len > UPLOADS_TEXTS_MAX)
        return false;
    struct upload *one = add(u, id);
    one->text = mem_dup(text.ptr, text.len);
    one->size = text.len;
    u->waiting += text.len;
    uploads_grown(u);
    return true;
}

/* ---- the end ---- */

void uploads_finish(struct uploads *u)
{
    u->finishing = true;
    u->rounds = 0;
    if (u->pause) { /* it has waited long enough */
        u->pause = timer_free(u->pause);
        u->pause = loop_timer(u->spec.loop, clock_ms(), on_pause, u);
    }
    uploads_grown(u);
}

void uploads_stop(struct uploads *u)
{
    u->lost += !uploads_idle(u);
    u->stopped = true;
    spool_leave(u->spec.spool, u->spec.reader);
}

bool uploads_idle(const struct uploads *u)
{
    if (u->block.of || u->stopped)
        return !u->block.of;
    VEC_EACH (at, &u->all) {
        const struct upload *one = *at;
        bool last;

        if (!one->over && (one->text || spool_block(one->log, u->spec.reader, &last)))
            return false;
    }
    return true;
}

unsigned uploads_lost(const struct uploads *u)
{
    return u->lost;
}

struct uploads *uploads_new(const struct uploads_spec *spec)
{
    struct uploads *u = mem_new(sizeof *u);

    u->spec = *spec;
    u->bytes = (struct buf)BUF_INIT(0);
    return u;
}

struct uploads *uploads_free(struct uploads *u)
{
    if (!u)
        return NULL;
    timer_free(u->pause);
    VEC_EACH (one, &u->all) {
        free((*one)->text);
        free(*one);
    }
    vec_deinit(&u->all);
    buf_deinit(&u->bytes);
    free(u);
    return NULL;
}
