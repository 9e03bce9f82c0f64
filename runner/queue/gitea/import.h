/* import - the configuration of act_runner, gitea-runner and forgejo-runner, config.yaml: what of it has an equivalent here
 * becomes that; what has none is named, with what to do instead (gitea-protocol.md 6.4). */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/vec.h"

#include <jansson.h>

enum { IMPORT_SIZE_MAX = 1 << 20 };

struct gitea_import { /* zeroed is empty */
    struct arena arena;
    const char *runner_file; /* runner.file, relative to where the program ran; ".runner" */
    const char *const *
        labels; /* runner.labels, NULL-terminated; NULL: it has none, those of the registration stand */
    const char
        *env_file;  /* runner.env_file, relative as above; NULL: none. For gitea_import_env() */
    json_t *extras; /* members of .runner: settings.h */
    VEC(const char *)
    notes; /* "container.privileged: ...": one for each option that is set and has no equivalent */
};

/* Reads TEXT, the content of FILE. ERR_INVALID: it is no such configuration, with line and column. */
MUST_CHECK int gitea_import_read(struct slice text, const char *file, struct gitea_import *ret,
                                 struct err *err);

/* Adds what TEXT, the content of the env_file FILE, says to the environment of jobs: it outdoes `envs`, as there. ERR_INVALID:
 * a line of it is nothing of the kind. */
MUST_CHECK int gitea_import_env(struct gitea_import *i, struct slice text, const char *file,
                                struct err *err);
void gitea_import_deinit(struct gitea_import *i);
