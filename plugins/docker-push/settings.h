/* settings - the inputs, checked, as what they mean. */
#pragma once

#include "push.h"

struct settings {
    const char *const *sources; /* NULL-terminated; one at least */
    const char *engine;
    struct shape shape;
    struct push push; /* but for what settings_environment() fills in, and the tree */
    bool dry_run;
};

/* Errors have been recorded. */
ost_status settings_read(struct ost_step *step, struct settings *ret);

/* Asks the job for its environment, of which proxies, DOCKER_CONFIG and HOME matter. */
ost_status settings_environment(struct ost_step *step, struct settings *s);
