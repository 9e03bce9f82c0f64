/* sandbox - the place a job runs in: made once, steps started inside it, everything gone at the end.
 *
 * A small static program, ostler-init, is the first process of the place. It receives commands over a
 * socket and starts them (so a step costs what fork and exec cost), and when it ends, the kernel ends
 * all that runs in its PID namespace. At the level "host" it is a subreaper instead, and sweeps.
 *
 * Inside the level "sandbox" the job sees: the host's root with each top-level folder as a throw-away
 * overlay (read-only where that cannot be), HOME at its usual path but empty except for the tool folders
 * that PATH names there (overlays, too), a fresh /tmp, /dev, /proc, and the job's work folder at
 * work_path. */
#pragma once

#include "base/err.h"
#include "io/loop.h"

#include <signal.h>
#include <stdbool.h>

enum sandbox_level { SANDBOX_HOST, SANDBOX_NAMESPACES, SANDBOX_CONTAINER, SANDBOX_LEVELS };

struct sandbox;
struct sandbox_child;

struct sandbox_spec {
    enum sandbox_level level; /* what is wanted; see sandbox_level() for what was had */
    bool required;            /* fail instead of falling back to SANDBOX_HOST */
    int job_dir;          /* the job's folder on the host: work/, home/, tmp/ and layers go there */
    const char *job_path; /* the same as an absolute path */
    const char *work_path;  /* where work/ appears inside, "/home/runner/work"; at SANDBOX_HOST it
                                 stays at job_path/work */
    const char *home_path;  /* HOME inside; at SANDBOX_HOST it is job_path/home */
    const char *const *env; /* what ostler-init itself and PATH lookups of tool folders use */
    const char *const *read_only; /* more host paths to keep visible read-only; NULL: none */
    const char *const
        *writable; /* host paths that pass through as they are (docker.sock); NULL: none */
    const char *const *
        hidden; /* host folders and files that appear empty, as job_path's parent does; NULL: none */
    uint64_t memory_max, pids_max; /* 0: no limit. One that cannot be held is noted */
    double cpu_max;                /* cores; 0: no limit */
    const char *cgroup_root;       /* NULL: /sys/fs/cgroup */
    int64_t term_ms, kill_ms;      /* waits of the stop ladder; 0: GitHub's (io/ladder.h) */
};

/* Called for each thing that is not as wanted ("no user namespaces here: running at level 'host'"). */
typedef void sandbox_note_fn(void *ctx, const char *text);

/* Makes the place. On success *RET is the caller's, who ends it with sandbox_close(). */
MUST_CHECK int sandbox_open(const struct sandbox_spec *spec, struct loop *loop,
                            sandbox_note_fn *note, void *ctx, struct sandbox **ret,
                            struct err *err);
enum sandbox_level sandbox_level(const struct sandbox *s);

/* The job's paths, as the job sees them: work folder, HOME, temporary folder. Borrowed. */
const char *sandbox_work(const struct sandbox *s);
const char *sandbox_home(const struct sandbox *s);
const char *sandbox_tmp(const struct sandbox *s);

/* The job's "/" as a descriptor (borrowed): path_open_in(sandbox_root(s), path, ...) reads what the
 * job sees. Valid until sandbox_close(). */
int sandbox_root(const struct sandbox *s);

/* The namespaces inside (borrowed), for setns() by a helper of ours that must see the job's files at the
 * job's paths; -1 at SANDBOX_HOST, where its paths are ours. Descriptors of them, because the first
 * process inside cannot be asked: nobody but itself may look into it. */
enum sandbox_ns { SANDBOX_NS_USER, SANDBOX_NS_MOUNT, SANDBOX_NS_NET, SANDBOX_NS_KINDS };
int sandbox_namespace(const struct sandbox *s, enum sandbox_ns which);

/* Shows the host folder SOURCE at PATH inside (created if missing, must be empty) as an overlay: the
 * job may change it, SOURCE stays as it is. HIDE (NULL-terminated, relative) names what is left out.
 * Where overlays cannot be had, and at SANDBOX_HOST, the tree is copied, said through the note. */
MUST_CHECK int sandbox_show_tree(struct sandbox *s, const char *source, const char *path,
                                 const char *const *hide, struct err *err);

/* The same without a copy: ERR_UNSUPPORTED or what the kernel says where overlays cannot be had. */
MUST_CHECK int sandbox_lay_tree(struct sandbox *s, const char *source, const char *path,
                                struct err *err);

/* The same as a copy below job_path/work, for a PATH in the work folder: who looks from outside, as a container
 * engine does, sees it too. */
MUST_CHECK int sandbox_copy_tree(struct sandbox *s, const char *source, const char *path,
                                 const char *const *hide, struct err *err);

/* Makes a tree that sandbox_show_tree() laid over PATH, in the work folder, a copy below job_path/work: as it is now, with
 * what the job changed; nothing happens where it is one already. Commands that run in it stay in the old one, which nobody sees any more. */
MUST_CHECK int sandbox_settle_tree(struct sandbox *s, const char *path, struct err *err);

struct sandbox_command {
    const char *const *argv; /* argv[0] with a slash: that file; else looked up in search_path */
    const char *const *env;  /* whole environment, NULL-terminated */
    const char *search_path; /* PATH for the look-up of argv[0]; NULL: the PATH in env */
    const char *cwd;         /* inside the place */
    int in, out, err;        /* become 0, 1, 2; -1: /dev/null; borrowed for the call */
};

struct sandbox_exit {
    int code;   /* exit code, or 128 + signal */
    int signal; /* 0 when it exited */
};

typedef void sandbox_exit_fn(void *ctx, struct sandbox_exit how);

/* Starts a command; FN is called once from the loop when it has ended (its descendants may live on until
 * the place is closed). A missing or broken program or folder is reported here: ERR_NOT_FOUND,
 * ERR_DENIED or ERR_SYS, naming it. *RET lives until FN returned or sandbox_child_free(). */
MUST_CHECK int sandbox_start(struct sandbox *s, const struct sandbox_command *cmd,
                             sandbox_exit_fn *fn, void *ctx, struct sandbox_child **ret,
                             struct err *err);

/* Forgets the command: FN is not called any more. It runs on until the place is closed. For use before FN was
 * called, or in it. Returns NULL; NULL does nothing. */
struct sandbox_child *sandbox_child_free(struct sandbox_child *c);

/* Sends SIGNO to the command itself (not to its descendants). */
void sandbox_signal(struct sandbox_child *c, int signo);

/* The stop ladder: SIGINT, 7500 ms later SIGTERM, 2500 ms later SIGKILL to it and all that it started.
 * Returns at once; the exit function tells the end. Again: no change. NOW skips to the last rung. */
void sandbox_stop(struct sandbox_child *c, bool now);

/* Finds NAME in the ':'-separated SEARCH as the job sees it. The caller frees *RET. */
MUST_CHECK int sandbox_which(struct sandbox *s, const char *name, const char *search, char **ret,
                             struct err *err);

struct sandbox_stats {
    uint64_t memory_peak;  /* bytes, of all processes together; 0: not known */
    uint64_t oom_kills;    /* processes that were killed because memory_max was reached */
    uint64_t pids_refused; /* forks that failed because pids_max was reached */
};

/* What the job used so far; zeroes where no control group counts it (there is one if a limit was asked for). */
void sandbox_stats(const struct sandbox *s, struct sandbox_stats *ret);

struct sandbox_process {
    uint64_t memory; /* bytes */
    char name[32];
};

/* The process of the job that has most memory, where a control group knows them; false: nobody knows. */
bool sandbox_biggest(const struct sandbox *s, struct sandbox_process *ret);

/* FN is called once from the loop should ostler-init go before sandbox_close(): nothing can be started any more, and
 * what ran inside is gone. */
typedef void sandbox_lost_fn(void *ctx);
void sandbox_on_loss(struct sandbox *s, sandbox_lost_fn *fn, void *ctx);

/* Kills all that runs, waits until it is gone, unmounts, removes what the job wrote unless KEEP.
 * Returns NULL; NULL does nothing. Errors on the way are told through the note function. */
struct sandbox *sandbox_close(struct sandbox *s, bool keep);

/* ---- a container as a place ----
 *
 * Somebody else makes it, with "ostler-init SOCKET" as its first program, and ends it; commands are started
 * inside as anywhere else. When we go, ostler-init ends, and the container with it. */

/* The file of ostler-init, to be shown in the container. The caller frees *RET. */
MUST_CHECK int sandbox_init_path(char **ret, struct err *err);

/* The socket NAME in the folder DIR, which the container sees as well. *RET, the caller's, is readable when
 * ostler-init has come. */
MUST_CHECK int sandbox_listen(int dir, const char *name, int *ret, struct err *err);

/* Takes the one that came to LISTENER. WORK and HOME are those of the container. To be ended with
 * sandbox_close(), which removes nothing here. */
MUST_CHECK int sandbox_attach(int listener, const char *work, const char *home, struct loop *loop,
                              sandbox_note_fn *note, void *ctx, struct sandbox **ret,
                              struct err *err);

/* A socket that listens at 127.0.0.1:PORT of the container. *RET is the caller's; -1: somebody listens there
 * already, as where the container shares the network of the machine. */
MUST_CHECK int sandbox_loopback(struct sandbox *s, unsigned port, int *ret, struct err *err);

/* The same of a container whose first program is "ostler-init listen SOCKET PORT PROGRAM ARGUMENTS", which becomes
 * PROGRAM: takes the one that came to LISTENER. Waits for a moment if it has come and says nothing. */
MUST_CHECK int sandbox_take_loopback(int listener, int *ret, struct err *err);

/* The environment that the container's first process has: the image's, and what was given at its making.
 * NULL-terminated, borrowed; empty for places that are made here. */
const char *const *sandbox_env(const struct sandbox *s);
