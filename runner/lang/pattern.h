/* pattern - the filter patterns of branches, tags and paths (workflow-language.md 6.3, 6.4).
 *
 *     *   any run without "/"        **  any run; "**" with "/" behind it also matches nothing
 *     ?   the one before it, or not  +   the one before it, once or more often
 *     [ab0-9] one of them            \   takes the next character as it is
 *
 * Whole names are compared, with case. Time is linear in the name for a given pattern. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

/* The pattern, in A, for TEXT in which only "*" and "**" mean something. */
struct slice pattern_of_stars(struct arena *a, struct slice text);

/* ERR_INVALID: empty brackets, "[" without "]", a range that runs backwards, "\" at the end. A leading
 * "!" is fine. */
MUST_CHECK int pattern_check(struct slice pattern, struct err *err);

/* True if PATTERN, taken without any meaning of a leading "!", matches the whole NAME. An invalid one
 * matches nothing. */
bool pattern_match(struct slice pattern, struct slice name);

/* Whether NAME passes an include list: the last pattern that matches decides, "!" turns it around;
 * only negated ones let nothing through. */
bool pattern_includes(const struct slice *patterns, size_t n, struct slice name);

/* Whether an ignore list takes NAME out: any pattern matches. GitHub does not say what "!" means here;
 * it is read as "all but". */
bool pattern_ignores(const struct slice *patterns, size_t n, struct slice name);

/* The same for the changed paths of an event: an include list wants one path that passes, an ignore
 * list one that it leaves. No patterns or no paths: no objection. */
bool pattern_includes_any(const struct slice *patterns, size_t n, const struct slice *names,
                          size_t n_names);
bool pattern_ignores_all(const struct slice *patterns, size_t n, const struct slice *names,
                         size_t n_names);
