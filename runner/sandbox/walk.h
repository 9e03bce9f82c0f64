/* walk - the files of a job that patterns match (lang/glob.h), in the order of GitHub's walk: depth first, the
 * entries of a folder by the bytes of their names, roots in the order of the patterns. */
#pragma once

#include "lang/glob.h"

enum { WALK_DEPTH_MAX = 1000 };

struct walk_spec {
    int root; /* the job's "/": no link leads out of it */
    const struct glob *glob;
    bool follow;         /* go into links to folders; a link that leads nowhere is passed over */
    bool folders;        /* folders are found, too */
    bool no_hidden;      /* pass over names that begin with a dot, the roots' own included */
    int64_t deadline_ms; /* clock_ms(); CLOCK_NEVER: none */

    /* PATH matches: absolute, borrowed for the call. An error ends the walk, and is its error. */
    int (*found)(void *ctx, const char *path, struct err *err);
    void *ctx;
};

/* A root that is not there matches nothing, and a link that leads back to a folder above it is not gone
 * into. ERR_TIMEOUT at the deadline; ERR_LIMIT for folders deeper than WALK_DEPTH_MAX. */
MUST_CHECK int walk_files(const struct walk_spec *spec, struct err *err);
