/* git - facts about a repository, and the git program run without surprises.
 *
 * Facts are read from .git itself where that is simple (HEAD, refs, packed-refs, config: no process
 * is started for them); only the commit's own data takes one start of git. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

#include <stdint.h>

/* Where git lives; borrowed. */
struct git_env {
    const char *path;            /* PATH; NULL: /usr/local/bin:/usr/bin:/bin */
    const char *home;            /* HOME, for the user's configuration; NULL: none */
    const char *xdg_config_home; /* NULL: HOME/.config */
    const char *const *more;     /* further variables, "NAME=value", NULL-terminated; NULL: none */
};

enum { GIT_TIMEOUT_MS = 10000, GIT_SHA_SIZE = 65, GIT_OUTPUT_MAX = 4 << 20 };

/* Texts live in the arena; NULL: not known. */
struct git_facts {
    struct arena arena;
    const char *dir;        /* the folder asked about, absolute */
    const char *root;       /* top of the working tree; NULL: no git repository */
    const char *git_dir;    /* this worktree's; absolute */
    const char *common_dir; /* the repository's, the same unless it is a linked worktree */
    bool detached;          /* HEAD names a commit, no branch */
    const char *head_ref;   /* "refs/heads/main"; NULL: detached */
    char sha[GIT_SHA_SIZE]; /* "" when there is no commit yet */
    const char *origin;     /* remote.origin.url, without credentials */
    const char
        *default_branch;  /* of origin, else init.defaultBranch, else main or master if there */
    const char *upstream; /* what HEAD's branch follows: "refs/remotes/origin/main" */
    const char *user_name, *user_email;

    /* The commit at HEAD, filled in by git_facts_commit(). */
    const char *parent, *tree, *message;
    const char *author_name, *author_email, *author_date; /* ISO 8601 */
    const char *committer_name, *committer_email, *committer_date;
};

void git_facts_init(struct git_facts *f);
void git_facts_deinit(struct git_facts *f);

/* Finds the repository that DIR lies in; starts no process but for reftable storage. No repository and no commit are facts, not
 * errors; ERR_INVALID for a repository that cannot be understood. */
MUST_CHECK int git_facts_read(const struct git_env *env, const char *dir, struct git_facts *ret,
                              struct err *err);

/* Adds the commit's own data by one start of git; nothing to do without a commit. On failure (no git
 * program, damaged repository) they stay NULL, which is something to say, not to stop for. */
MUST_CHECK int git_facts_commit(const struct git_env *env, struct git_facts *f, struct err *err);

/* The commit that REF ("refs/heads/main") names, read from the repository's files; symbolic refs are
 * followed. ERR_NOT_FOUND when there is none. */
MUST_CHECK int git_ref_read(const struct git_facts *f, const char *ref, char ret[GIT_SHA_SIZE],
                            struct err *err);

/* Runs "git ARGS" (NULL-terminated, without "git") in DIR and appends its output to OUT. Variables
 * GIT_* are not passed on, prompts and pagers are off, any owner of DIR is accepted. ERR_NOT_FOUND:
 * no git; ERR_TIMEOUT; ERR_LIMIT: more than OUT may hold; ERR_FAILED with the line in which git says why otherwise. */
MUST_CHECK int git_run(const struct git_env *env, const char *dir, const char *const *args,
                       struct buf *out, struct err *err);

/* The same with a time limit of its own: for what has to ask a server. */
MUST_CHECK int git_run_for(const struct git_env *env, const char *dir, const char *const *args,
                           int64_t timeout_ms, struct buf *out, struct err *err);

/* A git whose output somebody else reads. */
struct git_pipe {
    struct proc *proc;
    int out;    /* to be read until its end; closed by git_pipe_end() */
    int errors; /* what it complains of, kept in memory */
};

/* Starts it as git_run() does; on success it has to be ended. */
MUST_CHECK int git_pipe_start(const struct git_env *env, const char *dir, const char *const *args,
                              struct git_pipe *ret, struct err *err);

/* Stops reading, waits (kills it, if it does not end by itself within GIT_TIMEOUT_MS) and releases
 * everything. ERR_FAILED with the line in which git says why; one that had more to say has failed. */
MUST_CHECK int git_pipe_end(struct git_pipe *p, struct err *err);
