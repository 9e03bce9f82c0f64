/* ids - identifiers of jobs and steps: what is allowed, and how missing ones are made.
 *
 * One struct ids is one scope (the jobs of a file, the steps of a job): names in it are unique without
 * regard to case. See workflow-language.md 9.1, 10.5 and 11.2. */
#pragma once

#include "base/arena.h"
#include "base/strmap.h"

enum {
    IDS_MAX_LENGTH = 100, /* made ones reach it, written ones must stay below */
    IDS_MAX_ATTEMPTS = 999,
};

struct ids {
    struct strmap taken; /* nocase; the value is the number of the last suffix that was tried */
};

#define IDS_INIT                                                                                   \
    {                                                                                              \
        .taken = STRMAP_INIT_NOCASE                                                                \
    }

void ids_deinit(struct ids *ids);

enum ids_fault { IDS_OK, IDS_MALFORMED, IDS_RESERVED, IDS_TAKEN };

/* Takes a written id, or says why it cannot be one. */
MUST_CHECK enum ids_fault ids_add(struct ids *ids, struct slice id);

/* GitHub's text for a fault of ID. */
char *ids_fault_text(struct arena *a, enum ids_fault fault, struct slice id);

/* Makes an id from SEGMENTS (empty ones are skipped): "_10_x64", "job" when nothing is left. With
 * RESERVED it may begin with "__". A taken one gets _2, _3 ... NULL: every suffix is taken. */
const char *ids_make(struct ids *ids, struct arena *a, const struct slice *segments,
                     size_t n_segments, bool reserved);
