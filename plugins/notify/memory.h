/* memory - what earlier runs said, kept in the names of caches: a cache is there from run to run, a name is found by
 * its beginning, the newest first, and needs no download. Without a cache service nothing is remembered, which is
 * said once, and the message goes out: better twice than never. */
#pragma once

#include "facts.h"

/* What tells one remembered thing from another: a hash of TEXTS, NULL-terminated. */
const char *memory_key(struct ost_step *step, const char *kind, const char *const *texts);

/* What was last remembered below KEY; NULL: nothing. Below 0 only OST_E_CANCELLED. */
ost_status memory_recall(struct ost_step *step, const char *key, const char **ret);

/* Remembers VALUE: letters, digits and dashes. Errors as above. */
ost_status memory_keep(struct ost_step *step, const char *key, const char *value);
