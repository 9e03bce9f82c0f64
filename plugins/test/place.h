/* place - where in the workspace a failed test stands: from the report, or from the stack trace it left. */
#pragma once

#include "result.h"

struct places {
    struct ost_step *step;
    const char *workspace; /* absolute, clean */
    const char *root;      /* where the tests ran, clean and relative to it */
    const char
        *module; /* what the names of packages begin with that are below ROOT: Go's; "": none */
};

/* Makes R's file and line those where it failed: of the frames of its trace, the innermost in the test's own file,
 * else the innermost in the workspace; else what the report said. The file becomes relative to the workspace, or ""
 * when none is known that is in it. Files that are not the project's own (node_modules, site-packages) do not count.
 * Looks at names on the disk, opens nothing. */
void place_find(const struct places *p, struct result *r);

/* PATH, as some tool has it, relative to the workspace; NULL: there is no such file in it. */
const char *place_resolve(const struct places *p, const char *path);
