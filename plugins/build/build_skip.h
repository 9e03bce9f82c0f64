/* build_skip - whether a result of the very same facts is there already, and what changed when it is not. Results
 * that are files come out of the job's cache; an image is looked for by the engine (build_image). */
#pragma once

#include "build_artifacts.h"

struct skip {
    struct ost_step *step;
    const char *workspace;
    const char *id;     /* tells this build from all others of the repository: 64 hex digits */
    const char *digest; /* of the facts */
    const char *const *results; /* patterns of what is kept; empty for an image */
    const struct facts *facts;  /* of now, sorted */
};

/* The digest that tells a build from others: its NAME, kind and folder, what it makes, and the job's matrix. */
const char *skip_id(struct ost_step *step, const char *const *what);

/* Restores the files that the same facts have made before, and reads what was noted of them to *RET; it stays empty
 * if there are none. Below 0 only OST_E_CANCELLED: whatever else goes wrong, it is built. */
ost_status skip_restore(const struct skip *s, struct facts *ret);

/* Why there is nothing to restore, in one line: "'src/a.c' changed". */
ost_status skip_why(const struct skip *s, const char **ret);

/* Keeps the results for the next time. A failure to do so has been told, and is none of the step. */
ost_status skip_save(const struct skip *s, const struct facts *with_results);
