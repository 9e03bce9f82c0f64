/* container_options - `options` of a container as the engine's program would read them, and which of them do no harm.
 *
 * `docker create` and `podman create` read their command lines alike: "--name value", "--name=value", "-n value",
 * "-nvalue", "-n=value", and short flags in one word, "-it". Pure. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum container_option_kind {
    CONTAINER_OPTION_HARMLESS, /* nothing of the machine, or of other jobs, comes within the container's reach */
    CONTAINER_OPTION_VOLUME, /* "-v": what VALUE names is to be looked at */
    CONTAINER_OPTION_MOUNT,  /* "--mount": the same in other words */
    CONTAINER_OPTION_OTHER,  /* all else, and what is not known */
};

struct container_option {
    enum container_option_kind kind;
    const char *name;  /* "--volume", also when it was written "-v" */
    const char *value; /* NULL: a flag */
};

/* The options in TEXT, in A. ERR_INVALID: a word of it is no option; the engine would take that for the image, and what
 * stands behind it for the image's program. */
MUST_CHECK int container_options_read(struct arena *a, const char *text,
                                      struct container_option **ret, size_t *ret_n,
                                      struct err *err);

/* What the value VALUE of "--mount" mounts: the source, "" when it is nothing that was there before. In A. ERR_DENIED: it
 * asks for more than that. */
MUST_CHECK int container_options_mount(struct arena *a, const char *value, const char **ret,
                                       struct err *err);
