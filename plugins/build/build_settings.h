/* build_settings - one build, from the step's inputs on: what it makes of what, and what came of it. */
#pragma once

#include "build_image.h"
#include "build_kind.h"
#include "build_skip.h"

struct build {
    struct ost_step *step;
    const char *workspace;         /* absolute */
    struct recipe recipe;          /* kind, folder and commands */
    struct image image;            /* of KIND_DOCKER */
    struct strings labels, refs;   /* of the image */
    const char *const *inputs;     /* patterns below the workspace; none: it is never skipped */
    const char *const *artifacts;  /* likewise; none: nothing is collected */
    const char *sums, *provenance; /* files to write, relative to the workspace; "": none */
    const char *never;             /* why nothing can be skipped, by the settings alone; NULL */
    const char *id;                /* skip_id() */

    struct facts facts;
    struct built built;
    const char *why; /* it was built; NULL: it was skipped */
    int64_t started; /* seconds since 1970 */
};

/* Below 0: recorded. Nothing is run: the image's engine may still be ENGINE_AUTO. */
ost_status settings_read(struct ost_step *step, struct build *ret);

/* The step's inputs that decide over the result, secrets left out: those of facts, or all that are not empty. */
struct parameter;
size_t settings_parameters(const struct build *b, bool of_facts, const struct parameter **ret);
