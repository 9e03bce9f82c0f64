/* steps - what actions/cache, actions/cache/restore and actions/cache/save have in common. */
#pragma once

#include "../lib/cache.h"

#ifndef CACHE_VERSION
#define CACHE_VERSION "5.0.5" /* the same code serves every major that the build asks for */
#define CACHE_MAJOR 5
#endif

/* Texts like the action's own warnings: lines of the log, no annotations. */
#define CACHE_WARNING "[warning]"

/* False, with the reason told, where there is no cache to be had for this job. */
bool steps_can_cache(struct ost_step *step);
bool steps_has_ref(struct ost_step *step);

/* Restores as the inputs say. NOTE is given the primary key, then the key that was found: the names are
 * those of outputs or of state. */
typedef ost_status steps_note_fn(struct ost_step *step, const char *key, bool found);
ost_status steps_restore(struct ost_step *step, steps_note_fn *note);

/* Saves what `path` names under KEY. What goes wrong is told, and below 0 is a cancel only. */
ost_status steps_save(struct ost_step *step, const char *key, bool *ret_saved);

/* One line of the plan for restoring; one for saving. */
ost_status steps_plan_restore(struct ost_step *step);
ost_status steps_plan_save(struct ost_step *step);
