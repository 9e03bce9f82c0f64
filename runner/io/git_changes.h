/* git_changes - the commits of a range, and the files that differ between a commit and the working tree.
 *
 * The repository's own configuration can make git start programs when files are compared (filters of
 * contents); they are switched off, or the question is refused. */
#pragma once

#include "base/slice.h"
#include "io/git.h"

enum { GIT_FILTERS_MAX = 6 }; /* content filters that a configuration may have */

/* The tree without files, for a repository whose commits are named like SHA ("": SHA-1). */
const char *git_empty_tree(const char *sha);

/* The commit that REV names, in any of git's ways. ERR_NOT_FOUND when there is none. */
MUST_CHECK int git_commit_find(const struct git_env *env, const char *dir, const char *rev,
                               char ret[GIT_SHA_SIZE], struct err *err);

/* Where the histories of two commits part. ERR_NOT_FOUND when they have nothing in common. */
MUST_CHECK int git_merge_base(const struct git_env *env, const char *dir, const char *a,
                              const char *b, char ret[GIT_SHA_SIZE], struct err *err);

/* How many commits HEAD has that FROM has not; stops counting at MAX. */
MUST_CHECK int git_count_commits(const struct git_env *env, const char *dir, const char *from,
                                 int64_t max, int64_t *ret, struct err *err);

/* The first parent of the deepest commit of HEAD that no remote-tracking branch holds, "" if it has none, and
 * how many such commits there are. ERR_NOT_FOUND: all are held. */
MUST_CHECK int git_unpushed(const struct git_env *env, const char *dir, char ret[GIT_SHA_SIZE],
                            int64_t *ret_n, struct err *err);

/* The files below DIR that differ between TREE (a commit or a tree) and the working tree as it is, those that git
 * does not know yet included and those that it ignores left out. Both names of a renamed file. Paths are
 * relative to DIR, hold any byte but NUL, and come in the order of bytes; they live in the arena. */
MUST_CHECK int git_changed_files(const struct git_env *env, const char *dir, const char *tree,
                                 struct arena *a, struct slice **ret, size_t *ret_n,
                                 struct err *err);
