/* cgroup - a control group for one job: limits, figures, and a kill that nothing escapes.
 *
 * v2 where it can be written, else v1, each controller for itself, else nothing. One group is used once: on Linux
 * 6.18 a group that was killed kills whatever is put into it later. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

struct cgroup_limits {
    uint64_t memory_max; /* bytes; 0: none */
    uint64_t pids_max;   /* 0: none */
    double cpu_max;      /* cores; 0: none */
};

/* Makes a group below ROOT (NULL: /sys/fs/cgroup), as far as there is one. Never fails: *RET is NULL when there is
 * nothing to be had. MISSING (room for MISSING_SIZE) gets the names of those limits that are asked for and will
 * not hold, ", " between them; "" when all will. What cgroup_remove_stale() removes goes first. The caller ends it with
 * cgroup_free(). */
enum { CGROUP_MISSING_SIZE = 64 };
void cgroup_new(const char *root, const struct cgroup_limits *limits, struct cgroup **ret,
                char missing[CGROUP_MISSING_SIZE]);

/* Removes the groups below ROOT (as above) that processes of ours which are gone left there. */
void cgroup_remove_stale(const char *root);

/* Moves process PID (and what it starts from now on) into the group. */
MUST_CHECK int cgroup_attach(struct cgroup *g, pid_t pid, struct err *err);

/* Kills all that is in it; false where the kernel has no such call (v1, and v2 before 5.14). */
bool cgroup_kill(struct cgroup *g);

struct cgroup_stats {
    uint64_t memory_peak;  /* bytes; 0: not known */
    uint64_t oom_kills;    /* processes that were killed for want of memory */
    uint64_t pids_refused; /* forks that failed at the limit */
};

void cgroup_stats(const struct cgroup *g, struct cgroup_stats *ret);

struct cgroup_process {
    pid_t pid;
    uint64_t memory; /* bytes that are its own in memory */
    char name[32];   /* as the kernel has it; may be cut */
};

/* The process in it that has most memory; false: there is none, or it cannot be told. */
bool cgroup_biggest(const struct cgroup *g, struct cgroup_process *ret);

/* Removes the group, which should be empty by now (it is tried for WAIT_MS). Returns NULL; NULL does nothing. */
struct cgroup *cgroup_free(struct cgroup *g, int64_t wait_ms);
