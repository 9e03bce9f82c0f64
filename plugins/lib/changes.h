/* changes - which lines differ from a base, so that only what is new is held against anyone. */
#pragma once

#include "findings.h"

struct line_range {
    uint32_t first, last; /* both included */
};

struct changed_file {
    const char *path; /* clean, relative to the workspace */
    bool whole;       /* all of it is new: git does not know it yet */
    struct line_range *lines;
    size_t n, room;
};

struct changes { /* zeroed is empty */
    struct changed_file *list;
    size_t n, room;
};

struct changes_ask {
    const char *workspace; /* absolute */
    const char *dir;       /* a folder in it that lies in the repository; "": the workspace */
    const char *base;      /* branch, tag or commit; "": what the event says */
    const char *needed_by; /* the setting that asks, for errors: "'changed-only'" */
};

/* Asks git for what differs between the working tree and the point where it left the base: commits, changes
 * not committed yet and new files. Below 0: the failure has been recorded, with the cure. */
ost_status changes_load(struct ost_step *step, const struct changes_ask *ask, struct changes *ret);

/* Adds the files of a diff that was made with --unified=0. PREFIX is the repository's folder in the
 * workspace. */
void changes_read(struct ost_step *step, struct span diff, const char *prefix, struct changes *to);

/* The lines of a diff that name a file and a place: "+++ b/src/a.c" (NULL: it is gone), and "@@ -12,3 +12,4 @@ ...",
 * the lines of the old and of the new file (false: it is no such line). */
const char *changes_name(struct ost_step *step, struct span line);
bool changes_hunk(struct span line, uint32_t *n_old, uint32_t *first, uint32_t *n_new);

/* A finding counts as new when it touches a changed line, when it is about a changed file as a whole, or
 * when it is about no file at all. */
bool changes_touch(const struct changes *c, const struct finding *f);
