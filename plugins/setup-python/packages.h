/* packages - the cache of a package manager: what pip, pipenv or poetry have fetched comes back at the step and
 * is kept when the job has ended well, by the hash of the files that say what to fetch. */
#pragma once

#include <ostler/plugin.h>

#ifndef SETUP_PYTHON_VERSION /* the same code serves every major that the build asks for */
#define SETUP_PYTHON_VERSION "6.3.0"
#define SETUP_PYTHON_MAJOR 6
#endif

/* Restores the cache of the manager that the input `cache` names. PYTHON is the version in use, BIN the folder
 * of its programs; NULL: they are on PATH. Sets the output cache-hit. */
ost_status packages_restore(struct ost_step *step, const char *python, const char *bin);

/* In the post phase: keeps it. */
ost_status packages_save(struct ost_step *step);
