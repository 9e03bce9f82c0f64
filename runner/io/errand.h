/* errand - a process of this program that is sent with one request and comes back with one answer.
 *
 * For work that whoever waits must be able to stop, or whose libraries it is not to load. The request is a file in
 * memory, so nothing of it stands in argv; the answer is what the process writes to its standard output. */
#pragma once

#include "base/slice.h"
#include "io/proc.h"

struct errand;

struct errand_spec {        /* borrowed for the call */
    const char *name;       /* the hidden subcommand */
    const char *program;    /* with that subcommand; NULL: this one */
    const char *const *env; /* the whole environment; NULL: inherit ours */
    int request;            /* its standard input, see fd_memory() */
    const struct spawn_fd *fds;
    size_t n_fds;
    unsigned flags;    /* enum spawn_flags */
    size_t answer_max; /* bytes that are kept; an answer is cut there, and so cannot be read */
};

struct errand_client { /* called from the loop */
    /* What has come and was not taken yet; returns how many bytes of it are taken now. NULL: it is all for `done`. */
    size_t (*heard)(void *ctx, struct slice text);
    /* The end: all was read and the process is gone. REST is valid until the errand is freed, which may be now. */
    void (*done)(void *ctx, struct proc_exit how, struct slice rest);
    void *ctx;
};

/* Starts it. On success *RET is the caller's. */
MUST_CHECK int errand_start(const struct errand_spec *spec, struct loop *loop,
                            const struct errand_client *client, struct errand **ret,
                            struct err *err);

/* Kills what still runs. Nothing is called any more. Returns NULL; NULL does nothing. */
struct errand *errand_free(struct errand *e);
