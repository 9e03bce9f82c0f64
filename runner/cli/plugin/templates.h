/* plugin_templates - the files of a new plugin, as they lie in sdk/templates/ when this program is built: compiled in,
 * so that they are found wherever it runs.
 *
 * In names and texts "NAME" and "@...@" stand for what a project is called, see new.c. */
#pragma once

#include <stddef.h>

struct plugin_template {
    const char *lang; /* "c", "cpp", "rust": the folder below sdk/templates/ */
    const char *path; /* below that */
    const char *text; /* NUL-terminated, without one inside */
};

/* By language, then path. */
extern const struct plugin_template plugin_templates[];
extern const size_t plugin_templates_count;
