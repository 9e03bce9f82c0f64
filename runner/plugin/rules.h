/* rules - what texts of plugins must be: ids and names. Pure. */
#pragma once

#include "base/slice.h"

/* "owner/name" or "owner/name/path": at least two parts of letters, digits, '.', '_' and '-', none of them
 * "." or "..", 200 bytes at most. */
bool rules_is_id(struct slice s);

/* A name of an input or output: letters, digits, '_' and '-', not empty, 100 bytes at most. */
bool rules_is_name(struct slice s);
