/* states - tells one service of the records that changed: together, a while after the first change, and again with the
 * next ones when it was not heard. */
#pragma once

#include "queue/github/report/delivery.h"
#include "queue/github/report/records.h"

struct states;

enum { STATES_ROUNDS = 3 }; /* that may fail one after the other at the end */

struct states_spec { /* what it points to outlives it */
    struct loop *loop;
    struct records *records;
    enum records_reader reader;
    bool with_job;   /* the job's record is one of them */
    bool all_at_end; /* the last time all are told, changed or not */
    size_t most;     /* records in one call; 0: no limit */
    int64_t batch_ms, pause_ms;
    json_t *(*one)(void *ctx, const struct record *record);
    /* Starts the call that tells LIST, which is taken over; DONE is to be called as its end. */
    void (*send)(void *ctx, json_t *list, struct delivery **ret, delivery_fn *done, void *done_ctx);
    /* It failed; states_stop() may be called in here. */
    void (*failed)(void *ctx, int status, const json_t *answer, const struct err *err);
    void (*progress)(void *ctx); /* states_idle() may be another now */
    void *ctx;
};

struct states *states_new(const struct states_spec *spec);
struct states *states_free(struct states *s); /* NULL does nothing */

void states_changed(struct states *s);    /* some record has */
void states_hurry(struct states *s);      /* what has changed is told at once */
void states_finish(struct states *s);     /* no waiting from now on, and not for ever */
void states_stop(struct states *s);       /* nothing is told any more */
bool states_idle(const struct states *s); /* all was told, or given up */
bool states_lost(const struct states *s); /* something was given up */
