/* work_tree - where a file that a tool named lies in the repository of the workflow.
 *
 * Annotations point into that repository only: a file counts when it is there and the nearest folder above
 * it with a .git/config is a clone of it (runtime contract 7.2), or a tree that a checkout of ours showed. */
#pragma once

#include "base/buf.h"

/* All borrowed. Paths are the job's. */
struct work_tree_spec {
    int root;                /* the job's "/" */
    const char *workspace;   /* absolute */
    struct slice server;     /* "https://github.com" */
    struct slice repository; /* "owner/name" */
    /* True for a folder that shows the repository whatever its configuration says; NULL: there is none. */
    bool (*is_shown)(void *ctx, const char *folder);
    void *ctx;
};

/* Appends the place of FILE in the repository, with '/', to RET. A relative FILE lies beside FROM_PATH
 * when that is given, then below the workspace. ERR_NOT_FOUND: there is no such file, or not there. */
MUST_CHECK int work_tree_locate(const struct work_tree_spec *spec, struct slice file,
                                struct slice from_path, struct buf *ret, struct err *err);

/* True when TEXT, the content of a .git/config, has the URL of the repository as a remote of any name. */
bool work_tree_names(const struct work_tree_spec *spec, struct slice text);
