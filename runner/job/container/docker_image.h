/* docker_image - the images of Docker actions: pulled or built before the steps where that is possible, gone after
 * the job if they were built for it (runtime contract 9.7). */
#pragma once

#include "job/run.h"

/* True for `docker://image`, and for an action that is a Docker action as far as is known now. */
bool docker_is(const struct instance *i);

/* "Pull IMAGE" and "Build ACTION", a step each: all that the job's own steps and remote composites lead to. One that
 * fails fails the job. The loop turns meanwhile. */
void docker_images_prepare(struct run *run);

/* The image of a `docker://` step or of an action that names one, without the scheme; NULL: it is built. */
const char *docker_image_named(const struct instance *i);

/* The arguments of the engine's `build` of I's action, its folder being DIR on this machine; sets i->image. In A. */
MUST_CHECK int docker_image_build_args(struct run *run, struct instance *i, const char *dir,
                                       struct arena *a, const char *const **ret, struct err *err);

/* Removes the images that were built. */
void docker_images_remove(struct run *run);
