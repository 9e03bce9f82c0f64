/* found - the Pythons that a machine has: those of the tool cache, and those on the job's PATH. */
#pragma once

#include "wanted.h"

enum {
    PYTHONS_MAX = 1000, /* versions looked at in one place */
};

struct python {
    struct semver version;
    const char *text;    /* "3.12.4", "3.13.0-rc.2" */
    const char *dir;     /* of the tool cache; NULL: on PATH */
    const char *program; /* on PATH: "/usr/bin/python3.12"; else NULL */
    bool freethreaded;
};

struct pythons { /* zeroed is empty; no version is in it twice */
    struct python list[PYTHONS_MAX];
    size_t n;
};

/* The versions in the tool cache TOOLS that are complete for ARCH ("x64"): Python/VERSION/ARCH with the
 * marker ARCH.complete beside it, as whoever installs there writes it last. The builds without the global
 * lock are those of "x64-freethreaded". */
void pythons_in_cache(struct ost_step *step, const char *tools, const char *arch, bool freethreaded,
                      struct pythons *to);

/* Those of every name on PATH, of equal ones the first. Below 0: it could not look. */
ost_status pythons_on_path(struct ost_step *step, struct pythons *to);

/* The best of PYTHONS for W: the highest that fits. NULL: none does. */
const struct python *pythons_choose(const struct pythons *pythons, const struct wanted *w);

/* "3.11.2, 3.13.0t", in order; "" for none. */
const char *pythons_list(struct ost_step *step, const struct pythons *pythons);
