/* shell - which program runs a script, and with which arguments (runtime contract 4.1, 4.2).
 *
 * Pure: nothing is looked up or written here. All results live in the arena. */
#pragma once

#include "base/arena.h"
#include "base/err.h"

struct shell {
    const char *command; /* first word of `shell`: "bash", "/opt/sh"; NULL while unset: see below */
    const char *format;  /* the arguments, {0} standing for the script's path */
    const char *extension; /* of the script file: ".sh"; "" for unknown commands */
    bool unset;            /* no shell was given: bash, or sh where there is no bash */
};

/* Reads a `shell` value; the empty slice means that none was given. ERR_INVALID when the command is
 * not one of the known ones and has no "{0}" in its arguments. */
MUST_CHECK int shell_parse(struct arena *a, struct slice text, struct shell *ret, struct err *err);

/* The script as it goes into the file: pwsh gets its first and last line, the rest stays as it is. */
struct slice shell_script(struct arena *a, const struct shell *sh, struct slice script);

/* The argument vector behind the program: the format with {0} replaced, split. NULL-terminated, its
 * first item is PROGRAM. A literal brace has to be doubled, as in GitHub's runner. */
MUST_CHECK int shell_argv(struct arena *a, const struct shell *sh, const char *program,
                          const char *script_path, const char *const **ret, struct err *err);

/* Splits an argument text as GitHub's runner does: blanks separate, double quotes group, "" inside
 * quotes is a quote, backslashes only matter before a quote. NULL-terminated; *RET_N without the NULL. */
const char **shell_split(struct arena *a, struct slice text, size_t *ret_n);
