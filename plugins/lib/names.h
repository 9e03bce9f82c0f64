/* names - patterns for names of artifacts, as npm's minimatch reads them: * ? [a-z] {a,b} {1..9} @(a|b) ?() *()
 * +() !(), a ! in front for all others. Nothing but a dot matches a dot in front; ** is any number of folders,
 * and names have none. Pure. */
#pragma once

#include "text.h"

enum { NAMES_SIZE_MAX = 1024 }; /* of a name and of a pattern; longer ones match nothing */

bool names_match(const char *pattern, const char *name);
