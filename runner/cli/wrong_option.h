/* wrong_option - what to say of an option that getopt_long() does not take. */
#pragma once

#include "base/err.h"

struct option; /* getopt's */

/* C is '?' or ':', as it was just returned for ARGV and the options of TABLE; COMMAND is who has these ("run"). Sets
 * ERR_INVALID with what was meant, if that can be told. Values are left out: there may be a secret in one. */
int wrong_option(int c, char *const *argv, const char *command, const struct option *table,
                 struct err *err);
