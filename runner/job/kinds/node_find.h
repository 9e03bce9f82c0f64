/* node_find - which Node runs a JavaScript action (runtime contract 9.5).
 *
 * GitHub's runner brings its own along. Here it is, in this order: the one that the job was told of; one of the
 * wanted major in the tool cache; the `node` on the runner's own PATH, so that an actions/setup-node for the
 * project's sake does not change what actions run with; a newer one in the tool cache; the `node` on the job's
 * PATH. One that is older than the action asks for comes last, and is said out loud. */
#pragma once

#include "job/run.h"

/* The major that an action with this `using` asks for in the step S: 24 for "node24", 20 for those before it, unless
 * FORCE_JAVASCRIPT_ACTIONS_TO_NODE24 is true in the step's environment. */
int node_wanted(struct step_run *s, const char *using);

struct node_find;

/* PATH, as the job sees it, lives in the step's arena; NULL: there is none, and ERR says what to do. */
typedef void node_found_fn(void *ctx, const char *path, const struct err *err);

/* Looks for a Node of MAJOR or later for S. Either *RET_PATH is there at once, or *RET, the caller's, is at work: FN
 * is called once, from the loop. A `node` on a PATH has to be asked what it is, once a job. ERR_NOT_FOUND: there is
 * none at all. */
MUST_CHECK int node_find(struct step_run *s, int major, node_found_fn *fn, void *ctx,
                         const char **ret_path, struct node_find **ret, struct err *err);

/* FN is not called any more. Returns NULL; NULL does nothing. */
struct node_find *node_find_free(struct node_find *f);
