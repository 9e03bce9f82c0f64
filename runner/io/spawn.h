/* spawn - starts a program without copying our page tables, and says why when that fails.
 *
 * The bottom of proc and of ostler-init; nobody else starts programs. A program that is missing or broken
 * is an error here, never an exit code of the child: between vfork and exec the child shares our memory
 * and leaves its errno there. */
#pragma once

#include "base/err.h"

#include <sys/types.h>

struct spawn_fd {
    int ours;   /* borrowed */
    int theirs; /* the number it gets in the program, 3 or more */
};

enum { SPAWN_FD_MAX = 16 };

enum spawn_flags {
    SPAWN_GROUP = 1,        /* in a process group of its own */
    SPAWN_NO_NEW_PRIVS = 2, /* set-user-ID programs give it nothing */
    SPAWN_DIE_WITH_US = 4,  /* killed by the kernel when the process that starts it ends */
};

struct spawn_spec {
    const char *path;                     /* the program's file; never searched for */
    int (*call)(int argc, char **argv);   /* instead of a program: this function, in a copy of our
                                             process without environment; ends it with its result */
    const char *const *argv, *const *env; /* NULL-terminated; env NULL: ours */
    int dir;                              /* folder to start in; AT_FDCWD: ours */
    const char *cwd;                      /* entered from there; NULL: stay */
    int io[3];                            /* become 0, 1, 2; -1: /dev/null; borrowed */
    const struct spawn_fd *fds;
    size_t n_fds; /* at most SPAWN_FD_MAX */
    unsigned flags;
};

/* Starts SPEC's program with default signal dispositions, an empty mask and no other descriptor than the
 * ones named. Both results are the caller's: the child to reap, the pidfd to close. ERR_NOT_FOUND,
 * ERR_DENIED or ERR_SYS name the program or the folder. */
MUST_CHECK int spawn(const struct spawn_spec *spec, pid_t *ret_pid, int *ret_pidfd,
                     struct err *err);

/* Finds the program NAME: with a slash it is taken as it is, else the first executable file of the
 * ':'-separated SEARCH; entries that are not absolute are passed over (what they mean would depend on
 * the folder). The caller frees *RET. */
MUST_CHECK int spawn_find(const char *name, const char *search, char **ret, struct err *err);
/* The same as a process finds it whose "/" is ROOT. */
MUST_CHECK int spawn_find_in(int root, const char *name, const char *search, char **ret,
                             struct err *err);

/* The value of PATH in ENV, borrowed; NULL: none. */
const char *spawn_env_path(const char *const *env);
