/* push - brings a tree of images to all places at once: blobs while others are still being packed, then manifests, then
 * indexes, then tags, so that nothing is named before all of it is there. */
#pragma once

#include "login.h"
#include "pack.h"
#include "tree.h"

struct target { /* one repository */
    struct target *next;
    const char *host, *name;
    const char *const *tags; /* NULL-terminated; none: by digest alone */

    /* what became of it */
    size_t n_sent, n_mounted, n_present, n_missing;
    int64_t sent_bytes, missing_bytes;
};

struct push {
    struct ost_step *step;
    struct tree *tree;
    struct target *targets;
    struct pack_spec pack;
    const char *const *env; /* the job's */
    struct login_spec login;
    const char *const *insecure;   /* hosts, NULL-terminated */
    const char *const *mount_from; /* repositories */
    const char *ca_file;           /* ""; absolute */
    int64_t chunk;
    unsigned parallel; /* blobs at once to one repository */
    bool reuse;        /* do not pack what the registry has packed */
    bool look;         /* only ask what is missing */
};

/* Below 0: recorded. The tree's digests are known afterwards (with LOOK: but for layers that would be packed). */
ost_status push_all(struct push *p);
