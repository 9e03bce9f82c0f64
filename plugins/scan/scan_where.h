/* scan_where - where secrets are looked for: what a push or pull request brings, the whole tree, or all that ever
 * was. Below 0 of any call: the failure has been recorded, with the cure. */
#pragma once

#include "scan_secrets.h"

enum {
    FILE_SIZE_MAX = 5 << 20, /* larger files are left out, and counted */
};

struct where {
    struct ost_step *step;
    const char *workspace;    /* absolute */
    const char *const *paths; /* clean, relative to it, "" for all of it; NULL-terminated */
    const char *base;         /* as under `with:` */
    const char *dir;          /* a folder of it that lies in the repository; "": the workspace */
    size_t n_files, n_large;
    char *text; /* of one file after the other */
};

/* What the working tree has that its base had not, then what the commits in between added and took away again: that
 * is in the history all the same. */
ost_status where_diff(struct where *w, struct secrets *to);

/* Every file that git knows; without a repository every file. */
ost_status where_tree(struct where *w, struct secrets *to);

/* The tree, then every commit that this clone has. */
ost_status where_history(struct where *w, struct secrets *to);
