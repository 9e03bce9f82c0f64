/* reuse - the registry as a memory: the image under a tag tells how each of its layers was packed. A layer of ours that
 * is among them need not be packed again, which is a request instead of a minute of gzip for an unchanged base. */
#pragma once

#include "registry.h"
#include "types.h"

struct known { /* a layer there */
    struct known *next;
    const char *diff_id;
    struct descriptor d;
};

/* The layers of the image under TAG of NAME that has PLATFORM. Nothing there, or nothing that can be read: *RET is
 * empty. Below 0 only OST_E_CANCELLED. */
ost_status reuse_look(struct registry *r, struct ost_step *step, const char *name, const char *tag,
                      const struct platform *platform, struct known **ret);

/* What is known of DIFF_ID, packed like TYPE; NULL: nothing. */
const struct descriptor *reuse_find(const struct known *all, const char *diff_id, const char *type);
