/* yaml - a YAML 1.2 document as a located token tree, typed as GitHub types it.
 *
 * Plain scalars follow the core schema (workflow-language.md 3.2); quoted and block scalars are strings;
 * tags, anchors and aliases as in 3.3 and 3.4; keys become text; duplicate keys (ignoring case) are
 * errors. Nothing outside the limits is ever built: an alias replays its events and each one counts. */
#pragma once

#include "lang/diag.h"
#include "lang/token.h"

struct yaml_limits {
    size_t size;   /* characters; 0: 1,048,576 */
    size_t depth;  /* collections around a node; 0: 50 */
    size_t events; /* alias replay included; 0: 50,000 */
};

/* Reads TEXT. FILE names it in findings, FILE_INDEX goes into the tokens. On success *RET is the root,
 * which lives in A; an empty document gives NULL and a finding. ERR_INVALID: see DIAGS. */
MUST_CHECK int yaml_parse(struct arena *a, struct slice text, const char *file, int file_index,
                          const struct yaml_limits *limits, struct token **ret,
                          struct diags *diags);
