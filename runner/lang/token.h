/* token - the located tree that all outside documents become: YAML files, and the template tokens of
 * GitHub's job messages. Values with ${{ }} in them are expressions, not yet evaluated.
 *
 * A tree lives in one arena and is never changed after it was built. The numbers of the kinds are
 * GitHub's (actions/runner src/Sdk/DTObjectTemplating/ObjectTemplating/Tokens/TokenType.cs). */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>

enum token_kind {
    TOKEN_STRING = 0,
    TOKEN_SEQUENCE = 1,
    TOKEN_MAPPING = 2,
    TOKEN_EXPR = 3,   /* text: the expression without its braces */
    TOKEN_INSERT = 4, /* ${{ insert }} as a mapping's key */
    TOKEN_BOOL = 5,
    TOKEN_NUMBER = 6,
    TOKEN_NULL = 7,
    TOKEN_KINDS
};

struct token;
struct token_pair {
    struct token *key, *value; /* in file order; the key is a scalar or an expression */
};

struct token {
    enum token_kind kind;
    int file, line,
        col; /* file: from 1, in the workflow's file table; 0: unknown. line, col from 1 */
    struct slice source; /* STRING and EXPR: the scalar as written, braces included */
    union {
        struct slice text; /* STRING, EXPR */
        bool boolean;
        double number;
        struct {
            struct token **items;
            size_t n_items;
        };
        struct {
            struct token_pair *pairs;
            size_t n_pairs;
        };
    };
};

/* The value under KEY (exact case), NULL: none, or TOK is NULL or no mapping. */
const struct token *token_find(const struct token *tok, const char *key);

/* A scalar as text by the rules of expressions.md 4.2; NULL ptr for collections and expressions. */
struct slice token_text(struct arena *a, const struct token *tok);

/* To and from the compact JSON form of job messages (github-protocol.md, template tokens): plain JSON
 * for scalars without a position, else {"type": n, "file", "line", "col", "lit"/"expr"/...}. */
json_t *token_to_json(const struct token *tok); /* new reference; NULL token gives null */
MUST_CHECK int token_from_json(struct arena *a, const json_t *json, struct token **ret,
                               struct err *err); /* *RET is NULL for JSON null */
