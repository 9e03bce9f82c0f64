/* lint_help - where the rule of a linter is explained. Pure; "" where we know of no such page. */
#pragma once

#include "../lib/text.h"

typedef const char *help_fn(struct ost_step *step, const char *rule);

help_fn help_eslint, help_flake8, help_mypy, help_shellcheck, help_hadolint, help_yamllint,
    help_clang_tidy;
