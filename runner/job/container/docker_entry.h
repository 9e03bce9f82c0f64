/* docker_entry - what a container of an image would run, put together as the engine does it: for a container that
 * begins with a program of ours, which becomes that one.
 *
 * Pure: text in, argument vector out. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* What the engine's `image inspect --format` is asked for. */
#define DOCKER_ENTRY_FORMAT "[{{json .Config.Entrypoint}},{{json .Config.Cmd}}]"

/* The program of a container. SAID is what the engine printed for the format; ENTRYPOINT ("": the image's) takes the
 * place of the image's own, and of its arguments; so do ARGS (NULL-terminated; NULL and none are the same). In A,
 * NULL-terminated; empty when nothing says what to run. ERR_INVALID: SAID is something else. */
MUST_CHECK int docker_entry(struct arena *a, struct slice said, struct slice entrypoint,
                            const char *const *args, const char *const **ret, struct err *err);
