/* quiet - runs a command whose output is read by the plugin and not shown. */
#pragma once

#include "text.h"

enum {
    OUTPUT_MAX = 64 << 20, /* bytes that a command may print to stdout; as many to stderr */
};

struct output { /* zeroed is empty; one thread fills it */
    char *data; /* NUL-terminated once SIZE is above 0 */
    size_t size, room;
    bool overflow; /* it was more than OUTPUT_MAX */
};

/* Runs ARGV in the folder CWD (NULL: the step's), in English and without colours, and appends what it prints
 * to OUT and ERR. An output that is too large stops it: OST_E_LIMIT. */
ost_status quiet_run(struct ost_step *step, const char *const *argv, const char *cwd,
                     struct output *out, struct output *err, struct ost_exec_result *ret);

/* What was printed, trimmed, as text that stops at a NUL byte. Never NULL. */
const char *output_text(struct ost_step *step, const struct output *o);
