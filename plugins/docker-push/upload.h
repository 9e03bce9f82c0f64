/* upload - brings one blob into one repository: asks whether it is there, mounts it from another repository, or sends
 * it. What is cut off begins anew with the question, since the lost answer may have been a yes; in chunks, where that
 * was asked for or nothing else passes, it goes on where the registry says it stands. */
#pragma once

#include "registry.h"

enum upload_state {
    UPLOAD_WAITS,
    UPLOAD_RUNS,
    UPLOAD_PRESENT, /* it was there */
    UPLOAD_MOUNTED,
    UPLOAD_SENT,
    UPLOAD_MISSING, /* it is not there, and was only to be looked for */
    UPLOAD_FAILED,  /* recorded */
};

enum upload_way {
    WAY_PUT,
    WAY_STREAM,
    WAY_CHUNKS
}; /* each for registries that refuse the one before */

struct upload;
typedef void upload_done_fn(void *ctx, struct upload *u);

struct upload { /* in phase memory; the first part is the caller's to fill in */
    struct ost_step *step;
    struct web *web;
    struct registry *registry;
    const char *name;        /* the repository */
    const struct blob *blob; /* digest and size are known; bytes too, unless LOOK */
    const char *const
        *mount_from; /* repositories of the same registry that may have it, NULL-terminated */
    int64_t chunk;   /* 0: in one piece */
    bool look;       /* only ask whether it is there */
    upload_done_fn *done;
    void *ctx;

    enum upload_state state;
    ost_status error; /* of UPLOAD_FAILED */
    int64_t sent;     /* bytes that have gone, for the progress */
    int64_t took;     /* bytes sent in all, what was lost included */

    enum upload_way way;
    const char *location; /* where it goes on; NULL: no upload is open */
    size_t n_mounts;      /* tried */
    unsigned n_begun;
    int64_t chunk_min, stands,
        now; /* of chunks: behind what the registry has; bytes of the one under way */
};

/* DONE is called once, from web_turn() or before this returns. */
void upload_begin(struct upload *u);

/* Tells the registry that an upload which is open will not be finished. Turn the web for it to arrive. */
void upload_abandon(struct upload *u);
