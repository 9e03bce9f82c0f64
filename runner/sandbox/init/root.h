/* root - the file system that a job sees: the host's root, each top-level folder as a throw-away layer
 * over the real one, with the job's own folders, devices and processes in their places.
 *
 * Two mount namespaces: in the host's (a private copy of it) lower layers can be had at any time, in the
 * job's there is no way back to the host. ostler-init is in the second but for moments; its children
 * never see the first. */
#pragma once

#include "base/vec.h"
#include "sandbox/init/wire.h"

struct show {
    enum wire_show kind;
    const char *source, *target; /* absolute and normal; the source of WIRE_PRIVATE is relative */
};

struct root {
    const char *job_path; /* the job's folder on the host; borrowed */
    bool user;            /* not root: one identity only, nothing belongs to others */
    int host_ns, job_ns;  /* mount namespaces */
    int host_job;         /* the job's folder, as a mount of host_ns */
    int memory;           /* where layers in memory are; -1: none yet */
    bool can_mark[2];     /* enum layer_place: its file system has what overlays need */
    unsigned n_layers;    /* made so far, in layers/ of the job's folder */
    VEC(char *) notes;    /* what is not as wanted; owned */
};

/* Builds it all and moves this process there. Called in fresh user, mount and PID namespaces. */
MUST_CHECK int root_build(struct root *r, const struct show *shows, size_t n_shows,
                          struct err *err);

/* Shows the host folder SOURCE at the existing folder PATH of the job, as a throw-away layer without
 * the names in HIDE. */
MUST_CHECK int root_show_tree(struct root *r, const char *source, const char *path,
                              const char *const *hide, struct err *err);
