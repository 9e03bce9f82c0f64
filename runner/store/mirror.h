/* mirror - whole copies of servers' repositories, for checkouts to take from this disk what they would fetch again.
 *
 *   FOLDER/HOST/OWNER/REPO/
 *     mirror/     a bare repository with all branches and tags, and all of their history: one that were shallow would
 *                 promise commits that it has not. Nobody but us writes in it; a job is shown it as an overlay
 *     mirror.size, lock, new-...    as in the action store, whose order this is (store.h, room.h)
 *
 * Every use first fetches from the server what is new, with the token of the job that asks and nothing else: who may
 * not read the repository there gets no mirror of it. All of it may be removed at any time. */
#pragma once

#include "io/git.h"
#include "io/loop.h"

enum {
    MIRROR_LOCK_MS =
        5000, /* somebody fetches into it: a checkout does better without than to wait for longer */
    MIRROR_TIMEOUT_MS = 20 * 60 * 1000,
    MIRROR_MESSAGE_MAX = 64 << 10,
};

/* Everything is borrowed. */
struct mirror_ask {
    const char *folder;     /* absolute; made when it is needed */
    const char *url;        /* of the repository: "https://HOST/OWNER/REPO" */
    const char *header;     /* of HTTP, that proves who asks; "": nothing does. A secret */
    bool make;              /* one that is not there; else ERR_NOT_FOUND */
    int64_t budget;         /* bytes that all mirrors may have; 0: STORE_BUDGET_DEFAULT */
    const char *path;       /* PATH, for git */
    const char *const *env; /* what git gets besides: which way requests take; NULL: nothing */
};

/* Brings the mirror up to date: *RET, in A, is its folder. Blocks for as long as the server takes. ERR_TIMEOUT: somebody
 * else is at it. One that is damaged is thrown away, and made again if that is wanted. */
MUST_CHECK int mirror_get(const struct mirror_ask *ask, struct arena *a, const char **ret,
                          struct err *err);

/* ---- the same in a process of its own ---- */

struct mirror_fetch;

/* PATH, or why there is none; one of them is NULL. Called once, from the loop; the fetch may be freed in it. */
typedef void mirror_done_fn(void *ctx, const char *path, const struct err *err);

/* On success *RET is the caller's: mirror_fetch_free(), which stops what goes on. */
MUST_CHECK int mirror_fetch_start(const struct mirror_ask *ask, struct loop *loop,
                                  mirror_done_fn *done, void *ctx, struct mirror_fetch **ret,
                                  struct err *err);
struct mirror_fetch *mirror_fetch_free(struct mirror_fetch *f); /* returns NULL; NULL is fine */

/* The subcommand: argv[0] is "mirror-child". Request and answer are JSON on standard input and output: a header is
 * nothing for argv. Returns the exit code. */
int mirror_child_main(int argc, char **argv);

/* ---- the messages ---- */

/* The caller frees the text; NULL: something in ASK is no UTF-8. */
char *mirror_request_format(const struct mirror_ask *ask);
/* The texts are in A. */
MUST_CHECK int mirror_request_parse(struct slice text, struct arena *a, struct mirror_ask *ret,
                                    struct err *err);

/* With R < 0 the answer is ERR. The caller frees the text. */
char *mirror_answer_format(int r, const char *path, const struct err *err);
/* The path in A; or the error that the answer tells; ERR_INVALID: it is no answer. */
MUST_CHECK int mirror_answer_parse(struct slice text, struct arena *a, const char **ret,
                                   struct err *err);
