/* git_config - the few settings that a run needs, read from git's configuration files.
 *
 * Later files win, as in git: system, user, repository, worktree. Plain includes are followed,
 * conditional ones are not; a file that cannot be read or understood counts as empty. */
#pragma once

#include "io/git.h"

/* Texts live in the arena; NULL: not set. */
struct git_config {
    struct arena *arena;
    const char *origin; /* remote.origin.url */
    const char *user_name, *user_email;
    const char *default_branch; /* init.defaultBranch */
    const char *branch;         /* asked about; NULL: none */
    const char *remote, *merge; /* branch.BRANCH.remote and .merge */
};

void git_config_user(struct git_config *c, const struct git_env *env);
void git_config_repository(struct git_config *c, const char *git_dir, const char *common_dir);

/* TEXT of a configuration file; includes are resolved against DIR. */
void git_config_parse(struct git_config *c, struct slice text, const char *dir);
