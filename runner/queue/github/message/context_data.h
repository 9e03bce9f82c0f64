/* context_data - contexts as GitHub's job messages write them, as plain JSON (github-protocol.md 5.6).
 *
 * Bare texts, numbers, booleans and null are themselves; an object says by its member "t" what it is. Not the
 * encoding of template tokens. Source: actions/runner src/Sdk/DTPipelines/Pipelines/ContextData/. */
#pragma once

#include "base/err.h"

#include <jansson.h>

/* *RET is a new reference; texts in it are DATA's own, which must not be changed. The order of keys is kept; of two
 * with one name the later one counts. ERR_INVALID names the place: "event: commits: [0]: ...". DATA comes out
 * of a parser that has a limit on depth. */
MUST_CHECK int context_data_json(json_t *data, json_t **ret, struct err *err);
