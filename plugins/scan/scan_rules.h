/* scan_rules - what secrets look like, a line at a time. Pure. Known tokens have shapes (a beginning, an alphabet,
 * a length), a row of a table each; the rest are small functions. Where no shape is known, a name that says
 * "password" and a value that looks random have to come together. */
#pragma once

#include "../lib/findings.h"

struct rule {
    const char *id;    /* "github-token" */
    const char *title; /* "a GitHub token" */
    enum severity severity;
};

/* SECRET lies in the line. */
typedef void secret_fn(void *ctx, const struct rule *rule, struct span secret);

/* Calls FOUND for each secret in LINE, each once. BARE: values stand without quotes here, as in .env and YAML. */
void rules_search(struct span line, bool bare, secret_fn *found, void *ctx);

/* The kind of private key that begins in LINE; NULL: none. It is one if the next line is rules_key_body(), or if
 * *RET_BODY, what follows in the same line, is. */
const struct rule *rules_key_begin(struct span line, struct span *ret_body);
bool rules_key_body(struct span line);

/* True if ID is that of a rule. */
bool rules_has(struct span id);

/* True if files of that name hold values without quotes. */
bool rules_is_bare(const char *path);
