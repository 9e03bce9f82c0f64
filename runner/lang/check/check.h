/* check - what is wrong with a workflow or a manifest beyond what GitHub refuses: names that are never
 * there, types that can't work, scripts that strangers can write to. Pure: other files of the
 * repository come through a callback, scripts for a linter go out through another.
 *
 * Findings come in the order of their places. Errors are what GitHub refuses and what can't be meant;
 * warnings what is risky or has no effect; infos what is worth a look. */
#pragma once

#include "lang/diag.h"

enum check_rule {
    CHECK_LANGUAGE, /* what the reader of workflows says; can't be switched off */
    CHECK_NAME,
    CHECK_TYPE,
    CHECK_CONDITION,
    CHECK_UNREACHABLE,
    CHECK_INPUT,
    CHECK_CALL,
    CHECK_MATRIX,
    CHECK_INJECTION,
    CHECK_UNPINNED,
    CHECK_DEPRECATED,
    CHECK_RUNNER,
    CHECK_VALUE,
    CHECK_SHELLCHECK,
    CHECK_RULES
};

struct check_rule_info {
    const char *name;   /* "injection" */
    const char *reason; /* why it is there, in one line */
};
extern const struct check_rule_info check_rules[CHECK_RULES];

/* CHECK_RULES: there is no rule of that name, or it can't be switched off. */
enum check_rule check_rule_find(struct slice name);

/* A `run` script, for a linter of shell scripts. Everything is borrowed for the call. */
struct check_script {
    struct slice text; /* each ${{ }} replaced by as many letters */
    const char *shell; /* "bash", "sh"; others are not for shellcheck */
    /* The place of each of its lines: where in the file its first character is. */
    const struct check_place {
        int line, col;
    } * lines;
    size_t n_lines;
};

struct check_options {
    unsigned ignore; /* bits 1 << enum check_rule */
    /* The text of PATH, from the root of the repository ("action.yml", "a/b.yml", never with ".."): false
     * when there is none. *RET lives until the check is over. NULL: no other file is known. */
    bool (*read)(void *ctx, const char *path, struct slice *ret);
    /* A workflow of the same repository is called at LINE, COL; PATH as above. NULL: nobody asks. */
    void (*called)(void *ctx, const char *path, int line, int col);
    /* A finding in a file that is called, directly or not, which only shows from here: the caller's
     * permissions, calls too deep. Lives until the check is over. NULL: nobody wants them. */
    void (*elsewhere)(void *ctx, const struct diag *finding);
    /* The manifest of what an installed plugin serves for USES ("ostler/lint@v1"), as text that lives until
     * the check is over: false when none does. NULL: no plugin is known. */
    bool (*served)(void *ctx, const char *uses, struct slice *ret);
    /* What this disk has of the action of another repository that USES ("owner/repo/path@v4") names: the
     * commit, NULL when none is known, and its manifest, empty when it is not at hand. Both live until the check
     * is over. NULL: nothing is known. */
    const char *(*stored)(void *ctx, const char *uses, struct slice *ret_manifest);
    /* NULL: nobody wants them. */
    void (*script)(void *ctx, const struct check_script *script);
    /* Whether there is a time zone of that name; NULL: nobody knows. */
    bool (*zone)(void *ctx, const char *name);
    void *ctx;
};

/* Looks at TEXT, the content of FILE; findings are added to DIAGS. OPTIONS may be NULL. */
void check_workflow(struct slice text, const char *file, const struct check_options *options,
                    struct diags *diags);
void check_manifest(struct slice text, const char *file, const struct check_options *options,
                    struct diags *diags);

/* Sorts by line, column, then level; of equal findings one stays. */
void check_sort(struct diags *diags);
