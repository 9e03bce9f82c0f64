/* hash - hashFiles(): one digest over the files of a job that match patterns (expressions 7.4). Actions that
 * hash files with the toolkit get the same digest with "--follow-symbolic-links". */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* Hashes what PATTERNS match below WORKSPACE, a path inside ROOT (the job's "/"), in the order of
 * GitHub's glob walk. The first pattern may be "--follow-symbolic-links". The digest is lower-case hex in
 * the arena, empty when nothing matches. ERR_TIMEOUT after 120 s. HOME replaces a leading "~". */
MUST_CHECK int hash_job_files(int root, const char *workspace, const char *home,
                              const struct slice *patterns, size_t n_patterns, struct arena *a,
                              struct slice *ret, struct err *err);

/* The same for files that were found already, as hash_option() and a walk of the caller's have it: the N PATHS, in
 * their order, as a process sees them whose "/" is ROOT. */
MUST_CHECK int hash_paths(int root, const struct slice *paths, size_t n, struct arena *a,
                          struct slice *ret, struct err *err);

/* True in *RET_FOLLOW if FIRST, the first of the patterns, is the option to follow links, and no pattern. ERR_INVALID:
 * it is an option that there is none of. */
MUST_CHECK int hash_option(struct slice first, bool *ret_follow, struct err *err);
