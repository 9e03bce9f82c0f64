/* lint_read - what each linter prints, turned into findings. A reader fills in the check's findings, or
 * its trouble when the output is not what the linter should print. None trusts a byte of it. */
#pragma once

#include "lint_check.h"

typedef void read_fn(struct ost_step *step, struct check *c, const char *workspace);

/* Those that print JSON. */
read_fn read_eslint, read_ruff, read_shellcheck, read_hadolint;
/* Those that print a line a finding. */
read_fn read_tsc, read_flake8, read_mypy, read_yamllint, read_clang_tidy, read_cppcheck,
    read_prettier;
/* Those that print what they would change, as a diff. */
read_fn read_black, read_isort;

/* The command of cppcheck and its reader have to agree on this. */
#define CPPCHECK_TEMPLATE "{file}\\t{line}\\t{column}\\t{severity}\\t{id}\\t{message}"

/* Judges how C ended and has its tool's reader read it: afterwards it has findings, sorted, or trouble. */
void read_check(struct ost_step *step, struct check *c, const char *workspace);

/* PATH, as a linter printed it from C's folder, relative to WORKSPACE; absolute when outside it. */
const char *read_path(struct ost_step *step, const struct check *c, const char *workspace,
                      struct span path);
