/* plugin_check - what "ostler plugin check" finds, line by line, and the parts that find it. */
#pragma once

#include "base/vec.h"
#include "plugin/contract.h"
#include "plugin/elf.h"

enum check_level {
    CHECK_OK,
    CHECK_NOTE,    /* worth knowing */
    CHECK_FAILED,  /* to be mended */
    CHECK_SKIPPED, /* what comes before it has to be mended first */
};

struct check_line {
    const char *check; /* "exports"; a literal */
    enum check_level
        level; /* of a check that went well there is one line, else one for each finding */
    const char *text;
    const char *cure; /* NULL: nothing is to be done */
};

struct check_report {
    struct arena arena; /* of the texts */
    VEC(struct check_line) lines;
    size_t n_failed;
};

/* The text is formatted; CURE is copied, and may be NULL. */
void check_say(struct check_report *r, const char *check, enum check_level level, const char *cure,
               const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Whether CHECK has no line yet. */
bool check_is_silent(const struct check_report *r, const char *check);

/* ---- the parts ---- */

/* The object as a file: what it exports and needs, and how it was linked. */
void check_file(const struct elf *e, const char *name, struct check_report *to);

/* Its phases on trial: a plan that changes nothing, each fault and cancel survived, nothing left open. An error is
 * ours. */
MUST_CHECK int check_phases(const struct plugin *p, int object, const struct strmap *with,
                            int64_t timeout_ms, struct check_report *to, struct err *err);

/* The action WHAT ("owner/name@v1", an action.yml, its folder, its address); *RET is initialised. */
MUST_CHECK int check_load_action(const char *what, struct action *ret, struct err *err);
