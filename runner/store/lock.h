/* lock - .github/actions.lock: which commits a repository has agreed to run.
 *
 *     # what it is for
 *     actions/cache@v4  0057852bfaa89a56745cba8c7296529d2fc39830
 *     acme/tools@main   8ade135a41bc03ea155e62ee44d0f7ba...
 *
 * One reference a line, then the commit with all of its digits; '#' begins a comment. A reference covers
 * everything in its repository: actions in subfolders and workflows that are called. */
#pragma once

#include "base/strmap.h"
#include "lang/action_ref.h"

#define LOCK_PATH ".github/actions.lock"
enum { LOCK_SIZE_MAX = 1 << 20, LOCK_LINES_MAX = 10000 };

/* Adds the lines of TEXT to RET, by lock_key(). FILE is for errors: "FILE:LINE: what is wrong". */
MUST_CHECK int lock_parse(struct slice text, const char *file, struct strmap *ret, struct err *err);

/* Reads DIR/LOCK_PATH; no such file is an empty lock. */
MUST_CHECK int lock_load(const char *dir, struct strmap *ret, struct err *err);

/* "owner/repo@ref" with the repository in small letters, as a lock has it. */
const char *lock_key(struct arena *a, const struct action_ref *ref);
