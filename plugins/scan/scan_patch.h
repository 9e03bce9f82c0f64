/* scan_patch - reads what "git diff" and "git log -p" print, as it comes, and hands out the lines that were added. Of
 * a history only the names of files stay in memory. Trusts no byte of it. */
#pragma once

#include "../lib/text.h"

enum {
    PATCH_LINE_MAX = 1 << 16, /* a longer line is handed out in pieces */
    PATCH_OVERLAP = 1 << 10,  /* bytes that a piece has in common with the one before */
    PATCH_NAME_MAX = 4096,
};

struct patch_line {
    const char *commit; /* "": a diff, not a log */
    const char *file;   /* relative to the repository */
    uint32_t number;    /* in the file as it was then, from 1 */
    struct span text;
};

typedef void patch_fn(void *ctx, const struct patch_line *line);

struct patch { /* STEP, FOUND and CTX are to be filled in, the rest zeroed */
    struct ost_step *step;
    patch_fn *found;
    void *ctx;

    char commit[65];
    char file[PATCH_NAME_MAX];
    uint64_t n_old, n_new; /* lines of the hunk still to come */
    uint32_t number;
    char *line; /* PATCH_LINE_MAX bytes */
    size_t size;
    bool piece; /* LINE goes on with an added line */
};

/* The words that make git print what this reads, between the command and its revisions. */
extern const char *const patch_options[];

void patch_feed(struct patch *p, const char *data, size_t size);
void patch_end(struct patch *p); /* the last line may lack its newline */
