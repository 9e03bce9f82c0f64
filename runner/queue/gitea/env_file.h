/* env_file - variables in a file, NAME=VALUE or NAME: VALUE a line, with "export", quotes and comments, as
 * github.com/joho/godotenv reads them for act_runner and forgejo-runner. */
#pragma once

#include "base/err.h"
#include "base/slice.h"

#include <jansson.h>

/* Sets in TO what TEXT, the content of FILE, says. ERR_INVALID: a line of it is nothing of the kind. */
MUST_CHECK int env_file_read(struct slice text, const char *file, json_t *to, struct err *err);
