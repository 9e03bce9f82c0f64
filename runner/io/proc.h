/* proc - start one command, watch it, stop it with everything it started.
 *
 * The only module of the runner that starts processes (what runs inside a job is started by ostler-init for
 * it). One that was started here belongs to this process until proc_free(). */
#pragma once

#include "io/loop.h"
#include "io/spawn.h"

#include <fcntl.h>
#include <stdbool.h>

struct proc; /* one running or finished command */

struct proc_spec {
    const char *const
        *argv; /* NULL-terminated, borrowed for the call; no shell is involved. argv[0]
                                without a slash is looked up in the PATH of env */
    int (*call)(int argc, char **argv); /* instead of a program, see spawn.h; NULL: argv[0] */
    const char *const *env;     /* the whole environment, "NAME=value"; NULL: inherit ours */
    int dir;                    /* directory fd to start in; AT_FDCWD: ours */
    int in, out, err;           /* become 0, 1, 2; -1: /dev/null; never closed here */
    const struct spawn_fd *fds; /* more descriptors to pass; all others are closed */
    size_t n_fds;
    unsigned flags; /* enum spawn_flags */
};

/* A spec that starts in our folder with no input and no output. */
#define PROC_SPEC_INIT                                                                             \
    {                                                                                              \
        .dir = AT_FDCWD, .in = -1, .out = -1, .err = -1                                            \
    }

struct proc_exit {
    int code;   /* exit code, or 128 + signal */
    int signal; /* 0 when it exited by itself */
};

/* Starts SPEC. On success *RET belongs to the caller, who ends it with proc_free(). A missing or broken
 * program is reported here as ERR_NOT_FOUND, ERR_DENIED or ERR_SYS, never as an exit code later. */
MUST_CHECK int proc_start(const struct proc_spec *spec, struct proc **ret, struct err *err);

/* Takes over a child of ours that another one gave birth to (CLONE_PARENT); PIDFD is kept. */
struct proc *proc_adopt(pid_t pid, int take_pidfd);

pid_t proc_pid(const struct proc *p);

/* Calls FN once from LOOP when the command has ended; FN may free P. Once a proc, before proc_stop(). */
typedef void proc_exit_fn(void *ctx, struct proc_exit how);
MUST_CHECK int proc_watch(struct proc *p, struct loop *loop, proc_exit_fn *fn, void *ctx,
                          struct err *err);

/* Without a loop: waits for the end, at most until AT_MS of clock_ms() (then ERR_TIMEOUT). */
MUST_CHECK int proc_wait(struct proc *p, int64_t at_ms, struct proc_exit *ret, struct err *err);

/* Starts the stop ladder (io/ladder.h): SIGINT, SIGTERM, SIGKILL, the last to all that P started. Returns
 * at once; the exit function tells the end. Calling it again changes nothing. */
void proc_stop(struct proc *p);

/* The last rung at once: kills it and all its living descendants. */
void proc_kill(struct proc *p);

/* Sends SIGNO to the command alone. */
void proc_signal(struct proc *p, int signo);

/* Kills what still runs of it, reaps it and frees P. Returns NULL; proc_free(NULL) does nothing. */
struct proc *proc_free(struct proc *p);

/* Makes this process inherit the orphans below it, so that proc_sweep() finds them. */
MUST_CHECK int proc_become_reaper(struct err *err);

/* Kills and reaps every descendant that does not belong to a struct proc; see kin_sweep(). */
MUST_CHECK int proc_sweep(int64_t limit_ms, struct err *err);
