/* repo - what git knows of the repository in the workspace: where it begins, and where the run's work left
 * its base. Below 0 of any call: the failure has been recorded, with the cure. */
#pragma once

#include "quiet.h"

struct repo {
    struct ost_step *step;
    const char *needed_by;  /* the setting that asks, for errors: "'changed-only'" */
    const char *cwd;        /* the repository's folder, absolute; repo_find() */
    const char *prefix;     /* the same, clean and relative to the workspace: "" mostly */
    struct output out, err; /* of the latest command */
    int32_t code;           /* its exit code */
};

/* Runs git with ARGS. The workspace belongs to the job, whoever owns its files: git would refuse to look at
 * it otherwise. Names come unquoted as far as git can. */
ost_status repo_git(struct repo *g, const char *const *args);

/* The command that repo_git() runs for ARGS, to be run by other means. */
const char *const *repo_command(struct ost_step *step, const char *const *args);

/* Puts G where names are asked for: in the workspace, be that all of a repository or a part of one, else
 * at the top of the repository that DIR, one of its folders, lies in. */
ost_status repo_find(struct repo *g, const char *workspace, const char *dir);

/* Where the working tree left BASE: a commit. BASE "" is what the event says: the target of a pull request,
 * else what was there before a push, else the default branch. */
ost_status repo_fork(struct repo *g, const char *base, const char **ret);
