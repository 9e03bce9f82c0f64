/* check_files - the files of one `ostler check`, their findings, and the ways to show and mend them. */
#pragma once

#include "base/buf.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "lang/check/check.h"
#include "report/report.h"

/* A shell script in a file, kept until shellcheck is asked. */
struct kept_script {
    struct slice text;
    const char *shell;
    const struct check_place *lines;
    size_t n_lines;
};

/* Where a workflow is called. */
struct check_caller {
    const struct checked *file;
    int line, col;
};

struct checked {
    const char *path; /* as the user called it, or from the folder we are in */
    const char *full; /* without links; NULL: it is not there */
    const char
        *prefix; /* what stands before a path from the root of its repository to make it ours */
    bool named;  /* else it is only here because a named one calls it, directly or not */
    VEC(struct check_caller) callers;
    VEC(struct diag) elsewhere; /* what only shows from a caller */
    struct arena arena;
    struct buf text;
    struct diags diags;
    VEC(struct kept_script) scripts;
};

struct check_run {
    struct arena arena; /* paths */
    unsigned ignore;    /* see struct check_options */
    VEC(struct checked *) files;
    struct strmap seen;         /* real path: its struct checked * */
    struct strmap served;       /* `uses`: the manifest of the plugin that serves it, or empty */
    const char *const *plugins; /* search path, see plugin/plugin.h */
    const char *action_source;  /* see store/source.h; NULL: not asked for yet */
    const char *lock_prefix;    /* of the repository whose lock is in LOCKS; NULL: none */
    struct strmap locks;
    struct strmap stored; /* what the disk has of actions of other repositories, see store.c */
    size_t n_errors, n_warnings, n_infos, n_with; /* n_with: files that have findings */
};

enum {
    CHECK_FILE_SIZE_MAX = 8 << 20, /* bytes; the reader's own limit of characters is far lower */
    CHECK_FILES_MAX = 20000,
};

void check_run_deinit(struct check_run *r);

/* The workflows and manifests of the repository around the folder we are in, sorted by path.
 * ERR_NOT_FOUND: there are none. */
MUST_CHECK int check_find(struct check_run *r, struct err *err);

/* Adds one file, or all of a folder that are workflows or manifests. A file that is there already stays
 * where it is. */
MUST_CHECK int check_add(struct check_run *r, const char *path, struct err *err);

/* Reads and checks each file again from the disk; earlier findings go. Adds the workflows of the same
 * repository that they call, directly or not. */
MUST_CHECK int check_all(struct check_run *r, struct err *err);

/* For struct check_options: what the store and the lock of the repository at PREFIX know of USES. Texts live as long
 * as R. */
const char *check_stored(struct check_run *r, const char *prefix, const char *uses,
                         struct slice *ret_manifest);

/* Lets shellcheck look at the scripts, when it is installed. SEARCH is PATH, TMP a folder for its files.
 * An error is its failure, not its findings; ERR_NOT_FOUND: there is none. */
MUST_CHECK int check_shell(struct check_run *r, const char *search, const char *tmp,
                           struct err *err);

/* Sorts the findings and counts them. */
void check_count(struct check_run *r);

/* Mends what is safe in the named files: *RET_N places, each told on stderr. */
MUST_CHECK int check_fix(struct check_run *r, size_t *ret_n, struct err *err);

/* On stdout. */
void check_print_text(const struct check_run *r, const struct report_screen *screen);
MUST_CHECK int check_print_json(const struct check_run *r, struct err *err);
MUST_CHECK int check_print_sarif(const struct check_run *r, const char *version, struct err *err);
