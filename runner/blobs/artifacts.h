/* artifacts - what servers say about artifacts, made out. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

/* The answer of ListArtifacts as an array of artifacts (blobs.h), the newest first, with "run" and "job", the ids that
 * requests for each carry; BLOBS_ARTIFACTS_MAX at most. What has no name, id or ids is left out. The caller drops it. */
json_t *artifacts_parse(const json_t *answer);

/* ERR_INVALID for a name, or with PATH a file's name, that artifacts cannot have. */
MUST_CHECK int artifacts_check_name(const char *name, bool path, struct err *err);

/* The media type that a file of that name has; never NULL. */
const char *artifacts_type(const char *name);
