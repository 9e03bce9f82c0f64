/* plugin_place - where a plugin runs alone: a throw-away folder, a sandbox on it, variables, checked inputs. */
#pragma once

#include "io/loop.h"
#include "plugin/host/host.h"

struct plugin_place {
    struct arena arena;
    struct loop *loop; /* borrowed */
    char *folder;      /* absolute; holds job/; NULL: not made yet */
    int job_dir;       /* -1: not opened yet */
    struct sandbox *sandbox;
    const char *workspace, *temp, *tools; /* the job's paths */
    const char *const *env;
    struct strmap inputs; /* what the phases get; names ignore case */
    struct strmap saved;  /* what one phase leaves for those after it; filled in by the caller */
};

#define PLUGIN_PLACE_INIT                                                                          \
    {                                                                                              \
        .job_dir = -1, .inputs = STRMAP_INIT_NOCASE, .saved = STRMAP_INIT                          \
    }

/* NOTE hears what this machine could not do. */
typedef void plugin_place_note_fn(void *ctx, const char *text);

/* Opens it for P, whose folder its commands may see. PLACE is initialised and has its loop; it is to be closed also
 * after an error. ENV: on top of the job's environment. */
MUST_CHECK int plugin_place_open(struct plugin_place *place, const struct plugin *p,
                                 const struct strmap *env, plugin_place_note_fn *note, void *ctx,
                                 struct err *err);
/* Before the loop goes. Says on stderr what could not be removed. */
void plugin_place_close(struct plugin_place *place);

/* Sets the inputs from WITH and the contract's defaults, in which every context is null. */
MUST_CHECK int plugin_place_inputs(struct plugin_place *place, const struct plugin *p,
                                   const struct strmap *with, struct err *err);

/* Of a job's contexts, those few that there are alone: where things lie, and STATUS as "job.status". False: NAME is none. */
bool plugin_place_context(const struct plugin_place *place, const char *status, const char *name,
                          struct buf *ret);

/* What a phase of P takes from here. */
struct plugin_spec plugin_place_spec(const struct plugin_place *place, const struct plugin *p,
                                     int object);
