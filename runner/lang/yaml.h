/* yaml - a YAML 1.2 document as a located token tree, typed as GitHub types it.
 *
 * Plain scalars follow the core schema (workflow-language.md 3.2); quoted and block scalars are strings;
 * tags, anchors and aliases as in 3.3 and 3.4; keys become text; duplicate keys (ignoring case) are
 * errors. Nothing outside the limits is ever built: an alias replays its events and each one counts,
 * but its tokens are shared with the anchor, so that an alias costs no memory. */
#pragma once

#include "lang/diag.h"
#include "lang/token.h"

struct yaml_limits {
    size_t size;   /* characters; 0: 1,048,576 */
    size_t depth;  /* collections around a collection; 0: 50 */
    size_t events; /* alias replay included; 0: 50,000 */
    bool
        any_keys; /* duplicate keys stay in the tree: whoever reads it against a schema reports them */
    /* Told of each anchor that no alias names. NULL: nobody wants to know. */
    void (*unused_anchor)(void *ctx, struct slice name, int line, int col);
    void *ctx;
};

/* Reads TEXT. FILE names it in findings, FILE_INDEX goes into the tokens. On success *RET is the root,
 * which lives in A; an empty document is a finding too. ERR_INVALID: see DIAGS. LIMITS may be NULL. */
MUST_CHECK int yaml_parse(struct arena *a, struct slice text, const char *file, int file_index,
                          const struct yaml_limits *limits, struct token **ret,
                          struct diags *diags);

/* TEXT as an untagged plain scalar: null, boolean, number or string. False: a number out of range. */
MUST_CHECK bool yaml_plain(struct slice text, struct token *ret);

/* The same for a scalar with a tag ("tag:yaml.org,2002:int"), which decides the kind: false when TEXT is
 * none of its values. The kind is TOKEN_KINDS for a tag that is not known. */
MUST_CHECK bool yaml_tagged(struct slice tag, struct slice text, struct token *ret);

/* What libyaml found wrong, and where. */
struct yaml_trouble {
    const char *problem, *context; /* context may be NULL */
    int line, col;
    int context_line, context_col; /* 0: none */
    char at;                       /* the character there, NUL: the end */
};

/* Reports a syntax error in words that say what to do. */
void yaml_complain(struct diags *diags, const char *file, const struct yaml_trouble *t);
