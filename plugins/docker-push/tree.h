/* tree - the images as they are to be: those asked for, in the format asked for, and what has to be written anew. What
 * came ready for a registry stays as it is, byte for byte, unless something is asked of it that changes it. */
#pragma once

#include "image.h"
#include "types.h"

enum format { FORMAT_SOURCE, FORMAT_OCI, FORMAT_DOCKER };

struct shape {
    enum format format;
    enum packing packing;         /* of layers that come uncompressed */
    const char *const *platforms; /* "os/architecture[/variant]", NULL-terminated; empty: all */
};

/* Errors have been recorded. */
ost_status tree_shape(struct ost_step *step, struct tree *tree, const struct shape *shape);

/* Once no layer waits to be packed: writes the documents that are missing. */
void tree_finish(struct ost_step *step, struct tree *tree);

/* What is put under the tags: of several images the index. After tree_finish(). */
const struct document *tree_root(const struct tree *tree);

/* "linux/arm64/v8" in phase memory. */
const char *platform_text(struct ost_step *step, const struct platform *p);
