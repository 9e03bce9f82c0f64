/* shared - whether a container engine has to see the job's work folder.
 *
 * The engine looks from outside: what is laid over the folder inside the job's place, as a checkout does with the
 * working tree, it does not see. Where it has to, trees are copied instead. */
#pragma once

#include "job/run.h"

/* True if the job has a container of its own, or a step that is a Docker action as far as can be told before it
 * runs: by name, or by a manifest in the working tree that a checkout will show. */
bool shared_is_needed(const struct run *run);

/* True if the engine sees what the job sees. */
bool shared_is_so(const struct run *run);

/* The folder of the steps' command files. */
MUST_CHECK int shared_make_files(struct run *run, struct err *err);

/* Sees to it that it does, at any time: trees that are laid over the work folder become copies, and new command files
 * lie in it. Steps that run go on with theirs. */
MUST_CHECK int shared_begin(struct run *run, struct err *err);

/* Where PATH of the job's work folder lies for the engine; NULL: PATH is elsewhere. In A. */
const char *shared_path(const struct run *run, struct arena *a, const char *path);

/* Lets everybody write in the folder PATH, which is made if it is not there: containers may run as anybody, and the
 * job's own folder above lets nobody else in. */
MUST_CHECK int shared_open_up(struct run *run, const char *path, struct err *err);
