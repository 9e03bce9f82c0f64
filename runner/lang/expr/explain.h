/* explain - why a condition was false, in the words of who wrote it and with the values it saw. */
#pragma once

#include "lang/expr/expr.h"

/* CONDITION is complete (template_condition). Gives "its `if` is false: github.ref == 'refs/heads/main'
 * (github.ref is 'refs/heads/topic')", in the arena. The values may hold secrets: mask it. */
char *explain_condition(struct arena *a, struct slice condition, const struct expr_scope *scope);

/* CONDITION as it was written, without the "success() && (...)" that was put around it. *RET_WRAPPED tells
 * whether it was there, or nothing was written: then an earlier failure alone makes it false. */
struct slice explain_written(struct slice condition, bool *ret_wrapped);
