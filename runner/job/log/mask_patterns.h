/* mask_patterns - expressions for what no line of a job may show, as GitHub's job messages have them: the forms of
 * tokens ("\bgh[pousr]_[A-Za-z0-9]{36}\b"), and fragments of the job's own.
 *
 * They are .NET's; what PCRE2 does not take is left out. A hit becomes "***" like a value's (base/mask.h), wherever
 * text leaves the worker. Lines are looked at in windows, with a limit on steps: where an expression passes that, all
 * of the window counts as hit, so that no expression and no line is slow, or shows anything. */
#pragma once

#include "base/mask.h"
#include "base/strmap.h"

enum {
    MASK_PATTERNS_MAX = 1000,
    MASK_WINDOW =
        8 << 10,       /* bytes that are looked at as one; half of them again with the next ones */
    MASK_STEPS = 2000, /* at one place in them */
};

struct mask_patterns;

/* Says of the expression NAME why it is left out. */
typedef void mask_refused_fn(void *ctx, const char *name, const char *why);

/* Compiles the values of PATTERNS, and lets MASK look for them from now on. NULL: there are none. The result is freed
 * after MASK was used for the last time. */
struct mask_patterns *mask_patterns_new(const struct strmap *patterns, struct mask *mask,
                                        mask_refused_fn *refused, void *ctx);
struct mask_patterns *mask_patterns_free(struct mask_patterns *p); /* NULL is fine; returns NULL */
