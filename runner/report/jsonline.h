/* jsonline - an event as one line of JSON. */
#pragma once

#include "job/event.h"

enum { JSONLINE_MAX = EVENT_HEAD_MAX + 6 * EVENT_LOG_MAX + 4096 }; /* each byte may become \u00XX */

/* Appends EVENT and a line end to OUT. TEXT (NULL: none) goes in as "text" in place of "size", broken
 * UTF-8 replaced; EXTRA (NULL: none) is an object whose members are added. */
void jsonline_add(struct buf *out, const json_t *event, const struct slice *text,
                  const json_t *extra);
