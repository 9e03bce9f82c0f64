/* kin - the processes that descend from one: found in /proc, frozen, killed.
 *
 * Where there is no PID namespace to end, this is how nothing survives: a subreaper inherits every orphan
 * below it, so its children are all there is. */
#pragma once

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct kin {
    pid_t pid, parent, group;
    uint64_t start; /* clock ticks since boot: with the pid it names a process for good */
    char state;     /* as in /proc/PID/stat: 'R', 'S', 'T', 'Z' ... */
    bool chosen;    /* used by kin_kill() */
};

struct kin_list {
    struct kin *ptr;
    size_t len, cap;
};

/* All processes that PROC, an open /proc, shows. The caller ends *RET with vec_deinit(). */
MUST_CHECK int kin_scan(int proc, struct kin_list *ret, struct err *err);

typedef bool kin_root_fn(void *ctx, const struct kin *k);

/* Kills those that FN chooses and all their living descendants. They are stopped first, until no new
 * one turns up: what is stopped cannot fork. Never us. Returns how many. */
size_t kin_kill(int proc, kin_root_fn *fn, void *ctx);

/* Kills and reaps all children of this process and, since a subreaper inherits them, all their
 * descendants, but those that SPARE (NULL: nobody) names. ERR_TIMEOUT with the number of those that do not die
 * (a file system that hangs) after LIMIT_MS. */
MUST_CHECK int kin_sweep(bool (*spare)(pid_t pid), int64_t limit_ms, struct err *err);
