/* lint_project - which linters a project configures, and in which folder each has to run. */
#pragma once

#include "lint_tool.h"

enum {
    CHECKS_MAX = 512,     /* commands of one step */
    SEARCH_DEPTH_MAX = 6, /* folders below a path that are searched for configurations */
    WALK_DEPTH_MAX = 64,
    WALK_FILES_MAX = 200000, /* names looked at when files are gathered for a linter */
};

struct project {
    struct ost_step *step;
    const char *workspace;           /* absolute, clean */
    const char *const *paths;        /* clean, relative to it, "" for all of it; NULL-terminated */
    const struct tool *const *named; /* asked for by name; NULL-terminated */
    bool find;                       /* also what the project configures */
};

/* Appends a check for each linter and each folder it belongs in. A linter belongs in the folder with its
 * configuration: at or above a path; else in each topmost one below it; one that is named and configured
 * nowhere runs at the nearest package.json (Node's) or in the workspace. Below 0: too much to look at;
 * the failure has been recorded. */
ost_status project_checks(const struct project *p, struct checks *to);
