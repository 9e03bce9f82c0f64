/* packages - the cache of a package manager: what npm, yarn or pnpm have fetched comes back at the step and is
 * kept when the job has ended well, by the hash of the files that say what to fetch. */
#pragma once

#include <ostler/plugin.h>

#ifndef SETUP_NODE_VERSION
#define SETUP_NODE_VERSION "4.4.0" /* the same code serves every major that the build asks for */
#define SETUP_NODE_MAJOR 4
#endif

/* The package manager whose cache is wanted: the input's, or since version 5 the one that package.json names.
 * "": none. It is told when it was not asked for. */
const char *packages_wanted(struct ost_step *step);

/* Restores MANAGER's cache. BIN is the folder of the Node in use; NULL: it is on PATH. Sets the outputs. */
ost_status packages_restore(struct ost_step *step, const char *manager, const char *bin);

/* In the post phase: keeps it, if this is what main has left to do. */
ost_status packages_save(struct ost_step *step);
