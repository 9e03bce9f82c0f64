/* template - text with {{ facts }} in it. Values are only ever text: whatever a commit message or a branch is called,
 * it is neither a template nor markup.
 *
 *     {{ name }}                 its value
 *     {{#name}} ... {{/name}}    only if it is not empty; {{#needs}}: once for each job that this one needs
 *     {{^name}} ... {{/name}}    only if it is
 *
 * With markup, what stands between them is read as this much of Markdown: **bold**, _italic_, `code`, ```blocks```,
 * [text](address), and \ in front of a character that is to be itself. Never the values. */
#pragma once

#include "facts.h"
#include "rich.h"

enum { TEMPLATE_SIZE_MAX = 64 << 10, TEMPLATE_RESULT_MAX = 256 << 10, TEMPLATE_DEPTH_MAX = 32 };

/* NULL, or why TEXT is no template. Values come into *RET flagged RICH_VALUE. */
const char *template_render(const struct facts *facts, const char *text, bool markup,
                            struct rich *ret);

/* The same as plain text, on one line if LINE. */
const char *template_text(const struct facts *facts, const char *text, bool line,
                          const char **ret_why);
