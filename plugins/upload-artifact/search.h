/* search - which files an artifact is made of, and what their names in it are relative to. */
#pragma once

#include "../lib/text.h"

struct search {
    const char *const *files; /* absolute, NULL-terminated */
    size_t n;
    const char *root; /* absolute; "" when there is no file */
};

/* Finds what PATTERNS, one a line, match, links followed. Below 0 the reason has been recorded. */
ost_status search_files(struct ost_step *step, const char *patterns, bool hidden,
                        struct search *ret);
