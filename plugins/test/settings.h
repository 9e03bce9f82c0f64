/* settings - the step's inputs, read and checked. */
#pragma once

#include "../lib/text.h"

enum {
    RETRIES_MAX = 10,
    SHARDS_MAX = 256,
    SLOWEST_MAX = 1000,
    ANNOTATIONS_MAX = 1000,
};

struct settings {
    const char *workspace; /* absolute, clean */
    const char *runner;    /* "auto", or a name */
    const char *path;      /* clean, relative to the workspace */
    const char *command;   /* "": the runner's own */
    const char *const
        *words; /* of it, when it is one line of plain words; NULL: a quote is not closed */
    const char *const *tests;
    const char *const *args;
    const char *const *report; /* patterns; empty: none */
    int64_t timeout_ms;        /* 0: none but the step's */
    unsigned retries;
    unsigned shard, n_shards; /* from 1; N_SHARDS 0: not asked for */
    bool fail_on_empty;
    unsigned slowest, annotations;
    const char *const *coverage; /* patterns */
    int min_coverage, min_diff;  /* in hundredths of a percent; -1: none */
    const char *base;
    const char *artifact; /* "": none */
};

/* Below 0: an input makes no sense; the failure has been recorded. */
ost_status settings_read(struct ost_step *step, struct settings *ret);
