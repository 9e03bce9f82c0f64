/* handlers - what the kinds of steps do; see struct handler in run.h. */
#pragma once

#include "job/run.h"

extern const struct handler handler_script;    /* run: */
extern const struct handler handler_composite; /* uses: of a composite action */
extern const struct handler handler_node;      /* uses: of a JavaScript action */
extern const struct handler handler_docker;    /* uses: of a Docker action, docker://image */
extern const struct handler handler_plugin;    /* uses: served by an installed plugin */
extern const struct handler handler_control;   /* wait, wait-all, cancel, parallel */
extern const struct handler handler_hook;      /* hooks.h */

/* The handler of S in its stage; NULL and ERR for what cannot be run here. A local action's manifest
 * is loaded on the way (at the moment its step runs: a checkout must have come first). */
const struct handler *handler_for(struct step_run *s, struct err *err);

/* What runs an action whose manifest is loaded; NULL and ERR for a kind that this version does not run. */
const struct handler *handler_of_action(const struct instance *i, struct err *err);

/* Conditions of the pre and post stages. */
const char *instance_pre_if(const struct instance *i);
const char *instance_post_if(const struct instance *i);

/* True for an action that wants to run before the first main step. */
bool instance_has_pre(const struct instance *i);

/* Finds what serves the repository actions of FRAME, before its first step: a plugin, or else the action itself,
 * which has to be fetched then (actions.h). The error names the step that nothing serves. */
MUST_CHECK int frame_prepare(struct run *run, struct frame *frame, struct err *err);

/* Registers the post stage of S's action, once; called when a pre or main stage starts. */
void handler_register_post(struct step_run *s);

/* Evaluates `with` and the defaults of DECLARED inputs into s->inputs; warns of names that are not
 * declared. Values are trimmed by whoever reads them. */
MUST_CHECK int inputs_evaluate(struct step_run *s, const struct action_input *declared, size_t n,
                               struct err *err);
