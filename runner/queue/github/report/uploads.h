/* uploads - whose turn it is: logs that grow, and texts, go to one service block by block.
 *
 * One block at a time. While the job runs, a block that a service in trouble did not take is offered again for as long
 * as it takes, for the log lies on disk; at the end a few times. What the service refuses is given up after a few, and
 * the rest of that log goes on: a gap is better than no log. */
#pragma once

#include "base/random.h"
#include "io/loop.h"
#include "queue/github/report/spool.h"

struct uploads;

enum {
    UPLOADS_ROUNDS = 3,   /* so often a block is offered when it is not for ever */
    UPLOADS_LOST_MAX = 3, /* blocks given up one after the other, at the end: nobody is there */
    UPLOADS_TEXT_MAX = 1 << 20,   /* bytes of one text */
    UPLOADS_TEXTS_MAX = 32 << 20, /* of all that wait */
};

struct upload {
    char id[RANDOM_UUID_SIZE]; /* of the step; "": it is the job's */
    struct spool_log *log;     /* NULL: it is a text */
    char *text;
    size_t size; /* of the text */
    bool over;   /* nothing more to do */

    /* For whoever sends it: */
    int64_t sent;  /* bytes that the service has */
    bool begun;    /* it has some of it */
    bool stored;   /* it has the current block, but was not told that it is the last one */
    bool doubtful; /* it may have the current block already */
    bool gap;      /* a block was given up */
};

struct block { /* borrowed until uploads_sent() or uploads_failed() */
    struct upload *of;
    struct slice bytes;
    bool last;
};

struct uploads_spec {
    struct loop *loop; /* outlives it, as SPOOL does */
    struct spool *spool;
    enum spool_reader reader;
    int64_t pause_ms; /* before a block is offered again, growing */
    bool impatient;   /* also while the job runs a block is not offered for ever */
    /* Whether U's turn may come now; who says no calls uploads_grown() later. NULL: always. */
    bool (*may)(void *ctx, const struct upload *u);
    /* Sends B, then one of the two functions below is called, from the loop. */
    void (*send)(void *ctx, struct block *b);
    void (*progress)(void *ctx); /* uploads_idle() may be another now */
    void *ctx;
};

struct uploads *uploads_new(const struct uploads_spec *spec);
struct uploads *uploads_free(struct uploads *u); /* NULL does nothing */

/* ID NULL: the job's. */
void uploads_log(struct uploads *u, const char *id, struct spool_log *log);
/* TEXT is copied. False: it is too large, or there is too much already. */
bool uploads_text(struct uploads *u, const char *id, struct slice text);
void uploads_grown(struct uploads *u); /* a log has, or is at its end */

void uploads_sent(struct uploads *u);
/* PASSING: it may go well another time. True: the block is offered again later, false: it is given up. */
bool uploads_failed(struct uploads *u, bool passing);

void uploads_finish(struct uploads *u);     /* logs are at their end: not for ever from now on */
void uploads_stop(struct uploads *u);       /* nothing more is sent, but for what is under way */
bool uploads_idle(const struct uploads *u); /* all was sent, or given up */
unsigned uploads_lost(const struct uploads *u); /* blocks that were given up */
