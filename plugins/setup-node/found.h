/* found - the Nodes that a machine has: those of the tool cache, and the one on the job's PATH. */
#pragma once

#include "wanted.h"

enum {
    CACHED_MAX = 1000, /* versions looked at in the tool cache */
};

struct node {
    struct semver version;
    const char *text; /* "20.11.1", without v */
    const char *dir;  /* of the tool cache; NULL: on PATH */
};

struct nodes { /* zeroed is empty */
    struct node list[CACHED_MAX];
    size_t n;
};

/* The versions in the tool cache TOOLS that are complete for ARCH ("x64"): node/VERSION/ARCH with the marker
 * ARCH.complete beside it, as whoever installs there writes it last. */
void nodes_in_cache(struct ost_step *step, const char *tools, const char *arch, struct nodes *to);

/* The one on PATH; OST_E_NOT_FOUND: there is none. */
ost_status node_on_path(struct ost_step *step, struct node *ret);

/* The best of NODES for W: the highest that fits. NULL: none does. */
const struct node *nodes_choose(const struct nodes *nodes, const struct wanted *w);

/* "18.20.4, 20.11.1"; "" for none. */
const char *nodes_list(struct ost_step *step, const struct nodes *nodes);
