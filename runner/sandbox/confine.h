/* confine - shuts a process of the runner's in: a plugin's, before any of the plugin's code is mapped, and those that
 * handle a job's files for it.
 *
 * A plugin's, in this order: the job's mount namespace (so that one path means one file), in a private copy of it
 * where everything is read-only, nothing can be executed or mapped for it, and only the folders named stay
 * writable; no capabilities and no new ones; a filter on system calls under which the process cannot start
 * programs or processes, signal or look into others, mount, or - without network - make a socket. The
 * filter is the network's lock, not a network namespace: making one of those took 4.6 ms where the whole
 * phase took 2. Threads are fine. */
#pragma once

#include "base/err.h"
#include "sandbox/show.h"
#include "sandbox/sandbox.h"

#include <sys/types.h>

struct confine_spec {
    const int *place; /* the job's namespaces, by enum sandbox_ns; NULL: our own */
    const char *const
        *writable; /* folders, NULL-terminated; those that do not exist are passed over */
    const struct show_folder *shown; /* folders under another name, too */
    size_t n_shown;
    bool network; /* sockets may be made */
    bool strict;  /* ERR_UNSUPPORTED without a place and without namespaces */
    bool
        program; /* it is to become another program: it may start one in its own place, and files may be executed */
    /* With PROGRAM, the text of one for an interpreter, that has to be a file: this descriptor, else -1. It becomes
     * RET_SCRIPT, SCRIPT_NAME in a folder of its own below SCRIPT_DIR, where nobody but this process sees it; with "", over
     * the folder SCRIPT_OVER, of which it then sees nothing. */
    int script;
    const char *script_name, *script_dir, *script_over;
    char *ret_script;
    size_t ret_size;
};

/* Told what could not be had here, once each. */
typedef void confine_note_fn(void *ctx, const char *text);

/* Does it. The caller has one thread. *RET_FDS becomes its working directory for dlopen(): a folder with
 * our descriptors as files, out of which no path leads; it is the caller's to close. An error leaves the
 * process half confined: report it and exit. */
MUST_CHECK int confine(const struct confine_spec *spec, confine_note_fn *note, void *ctx,
                       int *ret_fds, struct err *err);

/* The folder that it made for a program of process PID; whoever started that removes it. */
void confine_script_folder(const char *dir, pid_t pid, char *ret, size_t size);

/* Limits on memory, descriptors and core files. Before confine(). Of a PROGRAM only what memory it writes to is counted: run
 * times take far more addresses than they use. */
MUST_CHECK int confine_limits(bool program, struct err *err);

struct confine_job {
    const int *place; /* as above; NULL: there is none, the files are ours */
    const struct show_folder
        *shown; /* of a job in a container: all that it is to see, by its names */
    size_t n_shown;
    bool write; /* the job's files; else nothing can be written but to what is open already */
};

/* Makes this process, which has one thread, like one of the job's, to handle its files: the job's view, the rights that
 * its processes have, no network, no programs, no processes. Libraries that are needed are to be loaded before: those
 * of the place are whatever the job made of them. An error leaves it half done: report it and exit. */
MUST_CHECK int confine_as_job(const struct confine_job *job, struct err *err);
