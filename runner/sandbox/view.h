/* view - which folders of the host a job sees, and how: text in, a list out; looks at the disk only to learn
 * what is there. */
#pragma once

#include "base/vec.h"
#include "sandbox/init/wire.h"

struct sandbox_spec;

struct view_item {
    enum wire_show kind;
    char *source; /* host path; of WIRE_PRIVATE: relative to the job's folder */
    char *target; /* where it appears, normal */
};

struct view {
    struct view_item *ptr; /* in the order of mounting: what contains another one comes first */
    size_t len, cap;
};

/* Plans for SPEC with the job's folder at JOB_PATH (absolute, without symbolic links). */
void view_make(struct view *p, const struct sandbox_spec *spec, const char *job_path);
void view_deinit(struct view *p);

/* The value of NAME in the NULL-terminated "NAME=value" list ENV, borrowed; NULL: none. */
const char *view_env(const char *const *env, const char *name);
